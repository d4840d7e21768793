package scheduler

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/fsnotify/fsnotify"
)

const (
	// look is how often a file is looked at without being told: file systems of
	// other machines tell nothing. It counts as changed when it is the same at two
	// looks.
	look = 2 * time.Second
	// quiet is how long a file must be left alone before it is read: most
	// programs write in several steps, and what one has written by half may be a
	// file with fewer schedules. Whoever pauses for longer has to write another
	// file and give it the name.
	quiet = 500 * time.Millisecond
)

// Watch tells of changes, whatever way of writing made them: a write, and another
// file under its name; see Source.
func (f *File) Watch(ctx context.Context) <-chan struct{} {
	log := f.log()
	changed := make(chan struct{}, 1)
	watcher, err := fsnotify.NewWatcher()
	if err == nil {
		err = watcher.Add(filepath.Dir(f.Path)) // not the file: a rename over it would end that
	}
	if err != nil {
		log.Warn("the schedules' folder cannot be watched; it is looked at every two seconds", "path", f.Path, "err", err)
	}
	var events chan fsnotify.Event
	var failures chan error
	if watcher != nil {
		events, failures = watcher.Events, watcher.Errors
	}
	seen, _ := f.sight.look(f.Path)
	go func() {
		defer close(changed)
		if watcher != nil {
			defer watcher.Close()
		}
		f.follow(ctx, seen, events, failures, changed)
	}()
	return changed
}

// follow looks at the file when something happens in its folder, and now and then,
// and tells when it is not as seen, or Load has not read it, and it was left alone
// since. One that is missing for a moment, while an editor puts another in its
// place, has not changed.
func (f *File) follow(ctx context.Context, seen print, events <-chan fsnotify.Event, failures <-chan error, changed chan<- struct{}) {
	f.mu.Lock()
	unread := f.unread()
	f.mu.Unlock()
	latest, before := seen, seen // at the last event, and at the look before
	owed := false                // Load has asked for it
	again := time.NewTicker(look)
	defer again.Stop()
	settled := time.NewTimer(quiet)
	settled.Stop()
	for {
		var now print
		select {
		case <-ctx.Done():
			return
		case <-unread:
			owed = true
			latest, _ = f.sight.look(f.Path)
			settled.Reset(quiet)
			continue
		case <-events:
			if now, _ = f.sight.look(f.Path); now != latest { // else it is another file's
				latest = now
				settled.Reset(quiet)
			}
			continue
		case err := <-failures: // such as a queue of events that ran over: the next look finds it
			f.log().Warn("watching the schedules' folder", "path", f.Path, "err", err)
			continue
		case <-settled.C:
			if now, _ = f.sight.look(f.Path); now != latest { // its event is still to come
				latest = now
				settled.Reset(quiet)
				continue
			}
		case <-again.C:
			now, _ = f.sight.look(f.Path)
			writing := now != before // perhaps somebody is in the middle of it
			before = now
			if writing {
				continue
			}
		}
		if now != seen || owed {
			seen, owed = now, false
			notify(changed)
		}
	}
}

func (f *File) log() *slog.Logger {
	if f.Log == nil {
		return slog.New(slog.DiscardHandler)
	}
	return f.Log
}

// notify leaves one value in a channel that has room for one.
func notify(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// sight is how a file was seen last, and since when it looks so.
type sight struct {
	mu    sync.Mutex
	last  print
	since time.Time // zero: it was never looked at
}

// look tells how the file is now, and whether it was left alone: it has looked so
// for a while, or its last write is that long ago. (Alone the time of a write would
// not do: another machine's clock may have given it.)
func (s *sight) look(path string) (now print, still bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now = printOf(path)
	if now != s.last || s.since.IsZero() {
		s.last, s.since = now, time.Now()
	}
	still = time.Since(s.since) >= quiet || now.there && time.Since(now.changed) >= quiet
	return now, still
}

// print tells versions of a file apart.
type print struct {
	size    int64
	changed time.Time
	there   bool
}

func printOf(path string) print {
	info, err := os.Stat(path)
	if err != nil {
		return print{}
	}
	return print{info.Size(), info.ModTime(), true}
}
