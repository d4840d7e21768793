package resulttest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"acklab/result"
	"acklab/task"
)

// probe is what one test works with.
type probe struct {
	*testing.T
	h      Harness
	server *Server
	traits result.Traits
	ctx    context.Context // ends when the test has lost all patience
	spawns sync.WaitGroup
}

func newProbe(t *testing.T, h Harness, s *Server) *probe {
	ctx, cancel := context.WithTimeout(context.Background(), 10*h.Patience)
	p := &probe{T: t, h: h, server: s, ctx: ctx}
	t.Cleanup(p.join) // the last, after the clients were closed
	t.Cleanup(cancel)
	return p
}

// spawn runs f beside the test, which does not end before f.
func (p *probe) spawn(f func()) { p.spawns.Go(f) }

func (p *probe) join() {
	done := make(chan struct{})
	go func() { p.spawns.Wait(); close(done) }()
	select {
	case <-done:
	case <-time.After(2 * p.h.Patience):
		p.Errorf("a call of this test has not returned %v after its context ended and its client was closed", 2*p.h.Patience)
	}
}

// soon is a context for one call that should succeed at once.
func (p *probe) soon() context.Context { return p.within(p.h.Patience) }

func (p *probe) within(d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(p.ctx, d)
	p.Cleanup(cancel)
	return ctx
}

func (p *probe) open(o result.Options) result.Store { return p.server.Open(p.T, o) }

func (p *probe) client() result.Store { return p.open(result.Options{}) }

// id is one that nobody else uses.
func (p *probe) id() string { return uuid.NewString() }

// done is a moment as Python holds it.
var done = time.Date(2026, 11, 21, 7, 31, 43, 594084000, time.UTC)

// of is a plain result of a task in a state.
func of(id string, s task.State) result.Result {
	r := result.Result{TaskID: id, State: s}
	if s.Finished() {
		r.Done = done
	}
	switch s {
	case task.Success:
		r.Value = json.RawMessage("8")
	case task.Failure:
		r.Error = result.NewFailure("ValueError", "boom")
	case task.Revoked:
		r.Error = result.NewFailure("TaskRevokedError", "terminated")
	case task.Retry:
		r.Error = result.NewFailure("Retry", "in 3s")
	}
	return r
}

// try is of a later try.
func try(r result.Result, retries int) result.Result { r.Retries = retries; return r }

// store requires that the result is stored.
func (p *probe) store(s result.Store, rs ...result.Result) {
	p.Helper()
	for _, r := range rs {
		if err := s.Store(p.soon(), r); err != nil {
			p.Fatalf("store %s: %v", r.State, err)
		}
	}
}

func (p *probe) get(s result.Store, id string) result.Result {
	p.Helper()
	r, err := s.Get(p.soon(), id)
	if err != nil {
		p.Fatalf("get: %v", err)
	}
	return r
}

// wantGet requires that the store holds exactly r of its task.
func (p *probe) wantGet(s result.Store, r result.Result) {
	p.Helper()
	same(p, p.get(s, r.TaskID), r)
}

func same(p *probe, got, want result.Result) {
	p.Helper()
	if !reflect.DeepEqual(got, want) {
		p.Errorf("got  %s\nwant %s", shown(got), shown(want))
	}
}

func shown(r result.Result) string {
	text := fmt.Sprintf("%+v value %.200s", r, r.Value)
	if r.Error != nil {
		text += fmt.Sprintf(" error %.200s %q", r.Error, r.Error.Traceback)
	}
	return text[:min(len(text), 600)]
}

// wantIs requires that err wraps one of the targets.
func (p *probe) wantIs(err error, what string, targets ...error) {
	p.Helper()
	for _, t := range targets {
		if errors.Is(err, t) {
			return
		}
	}
	p.Errorf("%s: got %v; want an error that wraps %v", what, err, targets)
}

// waited is what a Wait returned.
type waited struct {
	result.Result
	err error
}

// wait begins a Wait.
func (p *probe) wait(s result.Store, id string, within time.Duration) <-chan waited {
	back := make(chan waited, 1)
	ctx := p.within(within)
	p.spawn(func() {
		r, err := s.Wait(ctx, id)
		back <- waited{r, err}
	})
	return back
}

// wantWaited requires that a Wait returns r.
func (p *probe) wantWaited(back <-chan waited, r result.Result) {
	p.Helper()
	got := p.returned("Wait", back)
	if got.err != nil {
		p.Fatalf("wait: %v", got.err)
	}
	same(p, got.Result, r)
}

// returned waits for a call that must return, whatever it returns.
func (p *probe) returned(what string, back <-chan waited) waited {
	p.Helper()
	select {
	case got := <-back:
		return got
	case <-time.After(3 * p.h.Patience):
		p.Fatalf("%s has not returned after %v", what, 3*p.h.Patience)
		return waited{}
	}
}

// until tries until there is no error.
func (p *probe) until(what string, try func() error) {
	p.Helper()
	ctx := p.soon()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		err := try()
		if err == nil {
			return
		}
		select {
		case <-ctx.Done():
			p.Fatalf("within %v it did not come true that %s: %v", p.h.Patience, what, err)
		case <-tick.C:
		}
	}
}

func (p *probe) do(what string, f func(context.Context) error) {
	p.Helper()
	if err := f(p.within(3 * p.h.Patience)); err != nil {
		p.Fatalf("%s: %v", what, err)
	}
}
