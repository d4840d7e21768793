package scheduler

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
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

// watchFile tells of changes of a file: a write, and another file under its name.
func watchFile(ctx context.Context, path string, log *slog.Logger) <-chan struct{} {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	changed := make(chan struct{}, 1)
	watcher, err := fsnotify.NewWatcher()
	if err == nil {
		err = watcher.Add(filepath.Dir(path)) // not the file: a rename over it would end that
	}
	if err != nil {
		log.Warn("the schedules' folder cannot be watched; it is looked at every two seconds", "path", path, "err", err)
	}
	var events chan fsnotify.Event
	var failures chan error
	if watcher != nil {
		events, failures = watcher.Events, watcher.Errors
	}
	seen := printOf(path)
	go func() {
		defer close(changed)
		if watcher != nil {
			defer watcher.Close()
		}
		follow(ctx, path, seen, events, failures, log, changed)
	}()
	return changed
}

// follow looks at the file when something happens in its folder, and now and then,
// and tells when it is not as seen, and was left alone after the change. One that
// is missing for a moment, while an editor puts another in its place, has not
// changed.
func follow(ctx context.Context, path string, seen print, events <-chan fsnotify.Event, failures <-chan error, log *slog.Logger, changed chan<- struct{}) {
	latest, before := seen, seen // at the last event, and at the look before
	again := time.NewTicker(look)
	defer again.Stop()
	settled := time.NewTimer(quiet)
	settled.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-events:
			if now := printOf(path); now != latest { // else it is another file's
				latest = now
				settled.Reset(quiet)
			}
			continue
		case err := <-failures: // such as a queue of events that ran over: the next look finds it
			log.Warn("watching the schedules' folder", "path", path, "err", err)
			continue
		case <-settled.C:
		case <-again.C:
			now := printOf(path)
			writing := now != before // perhaps somebody is in the middle of it
			before = now
			if writing {
				continue
			}
		}
		if now := printOf(path); now != seen {
			seen = now
			select {
			case changed <- struct{}{}:
			default:
			}
		}
	}
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
