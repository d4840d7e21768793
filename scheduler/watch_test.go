package scheduler

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fsnotify/fsnotify"
)

// folder is a file of schedules whose folder's events the test gives.
type folder struct {
	File
	t      *testing.T
	events chan fsnotify.Event
}

func newFolder(t *testing.T, text string) *folder {
	f := &folder{File: File{Path: filepath.Join(t.TempDir(), "beat.yaml")}, t: t, events: make(chan fsnotify.Event)}
	if err := os.WriteFile(f.Path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return f
}

func (f *folder) Watch(ctx context.Context) <-chan struct{} {
	changed := make(chan struct{}, 1)
	seen, _ := f.sight.look(f.Path)
	go func() {
		defer close(changed)
		f.follow(ctx, seen, f.events, nil, changed)
	}()
	return changed
}

// does changes something in the folder, of which there is an event.
func (f *folder) does(err error) {
	f.t.Helper()
	if err != nil {
		f.t.Fatal(err)
	}
	f.events <- fsnotify.Event{}
}

// writes begins the file anew with the first part; each further one follows after
// a pause.
func (f *folder) writes(pause time.Duration, parts ...string) {
	f.t.Helper()
	file, err := os.Create(f.Path)
	f.does(err)
	defer file.Close()
	for i, part := range parts {
		if i > 0 {
			wait(pause)
		}
		_, err := file.WriteString(part)
		f.does(err)
	}
}

const (
	first  = "schedules:\n  - {name: a, task: a, every: 1s}\n"
	second = "  - {name: b, task: b, every: 1s}\n"
	third  = "  - {name: c, task: c, every: 1s}\n"
)

// counted is how often each schedule was sent.
func (r *room) counted() map[string]int {
	n := map[string]int{}
	for _, s := range r.desk.taken() {
		n[s.Name]++
	}
	return n
}

func TestAFileThatIsWrittenSlowlyIsTakenWhole(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFolder(t, first+second)
		r := set(t)
		r.cfg.Sources = []Source{f}
		r.open()
		wait(10 * time.Second)
		f.writes(quiet*9/10, first, second, third) // each part alone would be a file of schedules
		wait(10 * time.Second)
		r.end()
		if strings.Contains(r.log.String(), "removed=1") || strings.Contains(r.log.String(), "cannot be read") {
			t.Errorf("a half was taken:\n%s", &r.log)
		}
		if n := r.counted(); n["a"] != n["b"] || n["c"] < 9 || n["c"] > 11 {
			t.Errorf("sent %v", n)
		}
	})
}

func TestTheHalfOfAFileThatCannotBeReadChangesNothing(t *testing.T) {
	for name, half := range map[string]int{"nothing": 0, "in a schedule": len(first) + 15, "in a word": 5} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFolder(t, first+second)
				r := set(t)
				r.cfg.Sources = []Source{f}
				r.open()
				whole := first + second + third
				f.writes(10*time.Second, whole[:half], whole[half:]) // long enough for every look
				wait(10 * time.Second)
				r.end()
				if n := strings.Count(r.log.String(), "cannot be read; those that were read before stay in force"); n != 1 {
					t.Errorf("%d lines about the half:\n%s", n, &r.log)
				}
				if n := r.counted(); n["a"] != 20 || n["b"] != 20 || n["c"] < 9 || n["c"] > 10 {
					t.Errorf("sent %v", n)
				}
			})
		})
	}
}

func TestAnEditorThatPutsAnotherFileInItsPlaceIsReadOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFolder(t, first)
		changed := f.Watch(t.Context())
		synctest.Wait()
		f.does(os.Rename(f.Path, f.Path+"~")) // as vi: there is no file for a moment
		wait(quiet / 2)
		f.does(os.WriteFile(f.Path, []byte(first+second), 0o644))
		wait(quiet / 2)
		select {
		case <-changed:
			t.Error("told before it was left alone")
		default:
		}
		for range 20 { // what happens beside it, such as to the file of the states, holds nothing up
			f.does(os.WriteFile(f.Path+".state", nil, 0o644))
			wait(quiet / 20)
		}
		select {
		case <-changed:
		default:
			t.Error("not told")
		}
		wait(5 * look)
		select {
		case <-changed:
			t.Error("told twice")
		default:
		}
		if all, err := f.Load(t.Context()); err != nil || len(all) != 2 {
			t.Errorf("%v, %v", all, err)
		}
	})
}

// write writes to the file, of which there is no event.
func (f *folder) write(text string) {
	f.t.Helper()
	if err := os.WriteFile(f.Path, []byte(text), 0o644); err != nil {
		f.t.Fatal(err)
	}
}

// told is whether the watch has said that something changed.
func told(changed <-chan struct{}) bool {
	select {
	case <-changed:
		return true
	default:
		return false
	}
}

// loads checks how many schedules the file has, as Load gives them.
func (f *folder) loads(want int) {
	f.t.Helper()
	if all, err := f.Load(f.t.Context()); err != nil || len(all) != want {
		f.t.Errorf("loaded %d, %v, want %d", len(all), err, want)
	}
}

func TestTheHalfOfAFileIsNotReadForAnotherSource(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFolder(t, first+second)
		r := set(t)
		r.cfg.Sources = []Source{f, r.source}
		r.open()
		wait(10 * time.Second)
		for range 3 {
			f.does(os.WriteFile(f.Path, []byte(first), 0o644))
			r.source.edit(nil, every("other", time.Minute)) // all sources are read again
			wait(quiet * 9 / 10)
			r.source.edit(nil, every("other", time.Hour))
			synctest.Wait()
			f.does(os.WriteFile(f.Path, []byte(first+second+third), 0o644))
			wait(2 * time.Second)
		}
		r.end()
		if strings.Contains(r.log.String(), "removed=1") {
			t.Errorf("a half was taken:\n%s", &r.log)
		}
		if n := r.counted(); n["a"] != n["b"] || n["c"] < 5 {
			t.Errorf("sent %v", n)
		}
	})
}

func TestWhatIsNotReadWhileItIsWrittenIsToldAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFolder(t, first)
		f.loads(1)
		f.write(first + second) // the first was read as it was, and nobody watches yet
		changed := f.Watch(t.Context())
		f.loads(1)
		wait(quiet)
		if !told(changed) {
			t.Error("not told")
		}
		f.loads(2)
		f.write(first) // nor is there an event
		f.loads(2)
		wait(quiet * 9 / 10)
		f.write(first + second + third)
		f.loads(2)
		wait(quiet * 9 / 10)
		if told(changed) {
			t.Error("told while it is written")
		}
		wait(quiet)
		if !told(changed) {
			t.Error("not told of the whole")
		}
		f.loads(3)
		wait(5 * look)
		if told(changed) {
			t.Error("told twice")
		}
	})
}

func TestAWriteWhoseEventIsLateIsNotOverlooked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFolder(t, first)
		changed := f.Watch(t.Context())
		f.does(os.WriteFile(f.Path, []byte(first+second), 0o644))
		wait(quiet * 9 / 10)
		f.write(first + second + third)
		wait(quiet * 9 / 10)
		if told(changed) {
			t.Error("told while it is written")
		}
		wait(quiet)
		if !told(changed) {
			t.Error("not told")
		}
	})
}

func TestAFileThatWasLeftAloneForLongIsReadAtOnce(t *testing.T) {
	f := newFolder(t, first)
	f.loads(1)
	f.write(first + second)
	past := time.Now().Add(-time.Hour)
	if err := os.Chtimes(f.Path, past, past); err != nil {
		t.Fatal(err)
	}
	f.loads(2)
}
