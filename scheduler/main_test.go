package scheduler

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"acklab/broker"
	"acklab/internal/ledger"
	"acklab/internal/server/servertest"
	"acklab/task"
)

func TestMain(m *testing.M) {
	servertest.BeMinder()
	goleak.VerifyTestMain(m)
}

var errAway = fmt.Errorf("publish: %w", &broker.Refusal{Reason: broker.Unreachable})

// desk is a broker that takes what it is given, unless fate says otherwise. A queue
// of which stuck says so gives no answer before the deadline, and what is behind
// its first message in the same call is not sent, as with RabbitMQ.
type desk struct {
	broker.Broker
	mu    sync.Mutex
	fate  func(*task.Message) error
	stuck func(queue string) bool
	sent  []sentAt
}

type sentAt struct {
	*task.Message
	at  time.Time
	err error
}

func (d *desk) Publish(ctx context.Context, msgs ...*task.Message) []error {
	d.mu.Lock()
	defer d.mu.Unlock()
	errs := make([]error, len(msgs))
	late := false
	for i, m := range msgs {
		switch {
		case late:
			errs[i] = &broker.Refusal{Reason: broker.Cancelled, Err: ctx.Err()}
		case d.stuck != nil && d.stuck(m.Queue):
			late, errs[i] = true, broker.ErrUnsure
			d.mu.Unlock()
			<-ctx.Done()
			d.mu.Lock()
		case d.fate != nil:
			errs[i] = d.fate(m)
		}
		d.sent = append(d.sent, sentAt{m, time.Now(), errs[i]})
	}
	return errs
}

func (d *desk) setFate(fate func(*task.Message) error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.fate = fate
}

func (d *desk) setStuck(stuck func(queue string) bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.stuck = stuck
}

// taken are the messages that the desk has confirmed.
func (d *desk) taken() []sentAt {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(d.sent), func(s sentAt) bool { return s.err != nil })
}

// attempts are the publishes to a queue.
func (d *desk) attempts(queue string) []sentAt {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(d.sent), func(s sentAt) bool { return s.Queue != queue })
}

// list is a source that the test edits.
type list struct {
	mu      sync.Mutex
	all     []Schedule
	err     error
	hints   chan struct{}
	removed []string
}

func newList(all ...Schedule) *list { return &list{all: all, hints: make(chan struct{}, 1)} }

func (l *list) Load(context.Context) ([]Schedule, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.all), l.err
}

func (l *list) Watch(ctx context.Context) <-chan struct{} {
	hints := make(chan struct{}, 1)
	go func() {
		defer close(hints)
		for {
			select {
			case <-ctx.Done():
				return
			case <-l.hints:
				hints <- struct{}{}
			}
		}
	}()
	return hints
}

func (l *list) Remove(_ context.Context, s Schedule) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.removed = append(l.removed, s.Name)
	l.all = slices.DeleteFunc(l.all, func(o Schedule) bool { return o.Name == s.Name })
	return nil
}

// edit replaces the schedules and tells so.
func (l *list) edit(err error, all ...Schedule) {
	l.mu.Lock()
	l.all, l.err = all, err
	l.mu.Unlock()
	l.hints <- struct{}{}
}

// room is a scheduler in a bubble.
type room struct {
	t      *testing.T
	cfg    Config
	desk   *desk
	source *list
	log    bytes.Buffer
	path   string
	end    func()
}

// set makes a room; it must be in a bubble.
func set(t *testing.T, all ...Schedule) *room {
	r := &room{t: t, desk: &desk{}, source: newList(all...)}
	r.cfg = Config{Broker: r.desk, Sources: []Source{r.source}, Keeper: NewMemory(), Origin: "test"}
	return r
}

// open begins a process: a ledger of its own, and Run.
func (r *room) open() {
	r.t.Helper()
	r.path = filepath.Join(r.t.TempDir(), "scheduler.jsonl")
	w, err := ledger.Create(r.path, nil)
	if err != nil {
		r.t.Fatal(err)
	}
	cfg := r.cfg
	cfg.Ledger, cfg.Log = w, slog.New(slog.NewTextHandler(&r.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- New(cfg).Run(ctx) }()
	r.end = func() {
		r.t.Helper()
		cancel()
		if err := errors.Join(<-done, w.Close()); err != nil {
			r.t.Error(err)
		}
	}
	synctest.Wait()
}

// wrote counts the lines of the last process.
func (r *room) wrote(event ledger.Event) []ledger.Line {
	r.t.Helper()
	f, err := ledger.Read(r.path)
	if err != nil || f.Damage != "" {
		r.t.Fatalf("%v %s", err, f.Damage)
	}
	return slices.DeleteFunc(f.Lines, func(l ledger.Line) bool { return l.Event != event })
}

// sent checks what was confirmed: schedule names by the offset from begin of the
// moment when it was sent.
func (r *room) sent(begin time.Time, want string) {
	r.t.Helper()
	var got []string
	for _, s := range r.desk.taken() {
		got = append(got, fmt.Sprintf("%s@%s", s.Name, s.at.Sub(begin).Round(time.Millisecond)))
	}
	if text := strings.Join(got, " "); text != want {
		r.t.Errorf("sent %s\nwant %s\n%s", text, want, &r.log)
	}
}

// wait lets time pass, and everything happen that is due by then.
func wait(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// every is a schedule whose task has its name.
func every(name string, d time.Duration) Schedule {
	s := NewSchedule()
	s.Name, s.Task, s.Every = name, name, d
	return s
}
