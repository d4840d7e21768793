package scheduler

import (
	"context"
	"errors"
	"fmt"
	"time"

	"acklab/internal/ledger"
)

const (
	// margin is how long before its deadline a leader sends nothing more.
	margin = 500 * time.Millisecond
	// askRequests is how often the keeper is asked for requests without being told.
	askRequests = 5 * time.Second
	// firstPause and longPause bound the pauses after a failure, which double.
	firstPause = 500 * time.Millisecond
	longPause  = 5 * time.Second
)

// errExpired: the lease was not renewed in time.
var errExpired = errors.New("the lease could not be renewed in time")

// term is the work of a leader. It runs in one goroutine; what it reads again is read in
// another, which touches nothing of it.
type term struct {
	Config
	lead Leadership

	entries map[string]*entry
	agenda  agenda
	loaded  []loaded        // by source
	said    map[string]bool // what was wrong with schedules at the last reload

	// What the keeper has not been told yet, in this order.
	begun map[string]Beginning
	ended []Outcome

	pause     time.Duration   // after a failure of the keeper; 0: none
	notBefore time.Time       // on the scheduler's clock
	asked     time.Time       // when requests were asked for, on the machine's clock
	changed   bool            // something may have changed
	reading   <-chan reading  // what is being read; nil: nothing
	fresh     *reading        // what was read, and is not in force yet
	tidied    map[string]bool // the one-offs that were taken out since the reading began
	unknown   map[string]bool // ids of the ticks by hand whose schedule nobody knew when they were last asked for
	setback   time.Duration   // how long the broker is to be left alone

	away   *outage            // of the whole broker; nil: it is there
	closed map[string]*outage // of single queues, by name
	turns  int                // counts the tries
	turnOf map[string]int     // when the broker was last asked to take something of a queue, in turns
}

func newTerm(b *Beat, lead Leadership) *term {
	return &term{Config: b.cfg, lead: lead, loaded: b.loaded,
		entries: map[string]*entry{}, begun: map[string]Beginning{}, closed: map[string]*outage{}, turnOf: map[string]int{}}
}

// run works until the term or ctx ends. It returns why, never nil.
func (t *term) run(ctx context.Context) error {
	ctx, end := context.WithCancel(ctx)
	defer func() {
		end()
		if t.reading != nil {
			<-t.reading
		}
	}()
	hints := t.watch(ctx) // before anything is read
	states, err := t.states(ctx)
	if err != nil {
		return err
	}
	if _, err := t.load(ctx, t.loaded); err != nil {
		return err
	}
	t.merge(ctx, states)
	for {
		if err := t.step(ctx); err != nil {
			return err
		}
		if err := t.sleep(ctx, hints); err != nil {
			return err
		}
	}
}

// watch joins the notifications of all sources.
func (t *term) watch(ctx context.Context) <-chan struct{} {
	hints := make(chan struct{}, 1)
	for _, s := range t.Sources {
		watched := s.Watch(ctx)
		go func() {
			for range watched {
				select {
				case hints <- struct{}{}:
				default:
				}
			}
		}()
	}
	return hints
}

// states waits until the keeper has told them.
func (t *term) states(ctx context.Context) (map[string]State, error) {
	for pause := firstPause; ; pause = min(2*pause, longPause) {
		states, err := t.Keeper.States(ctx)
		if err == nil {
			return states, nil
		}
		t.Log.Error("the states of the schedules cannot be read", "err", err)
		if err := t.rest(ctx, pause); err != nil {
			return nil, err
		}
	}
}

// step does everything that is to be done now.
func (t *term) step(ctx context.Context) error {
	now := t.Clock.Now()
	if now.Before(t.notBefore) {
		return nil
	}
	t.setback = 0
	err := t.work(ctx, now)
	switch {
	case err == nil && t.reading == nil:
		t.pause = 0
	case err == nil: // whether the keeper is back is not known yet
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.Is(err, ErrDeposed), errors.Is(err, errExpired), t.Ledger.Err() != nil:
		return err
	default:
		t.pause = min(max(2*t.pause, firstPause), longPause)
		t.notBefore = now.Add(t.pause)
		t.Log.Error("nothing is sent while the states cannot be read and written", "err", err, "again in", t.pause)
	}
	if _, simulated := t.Clock.(*SimulatedClock); simulated && max(t.pause, t.setback) > 0 {
		return t.rest(ctx, max(t.pause, t.setback)) // a server needs real time to come back
	}
	return nil
}

// work is a step that ends with the first failure of keeper, lease or ledger.
func (t *term) work(ctx context.Context, now time.Time) error {
	renewed, err := t.renew(ctx)
	if err != nil {
		return err
	}
	if t.reading == nil && (renewed || !t.changed) { // else what was added is read before
		if err := t.requests(ctx, renewed && !t.changed); err != nil {
			return err
		}
	}
	if err := t.flush(ctx); err != nil {
		return err
	}
	if t.changed && t.reading == nil {
		t.read(ctx)
	}
	for t.anyDue(now) {
		if err := t.round(ctx, now); err != nil {
			return err
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
	return nil
}

// rest waits on the machine's clock.
func (t *term) rest(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.lead.Lost():
		return errExpired
	case <-timer.C:
		return nil
	}
}

// sleep waits until there is something to do.
func (t *term) sleep(ctx context.Context, hints <-chan struct{}) error {
	wake := time.Time{}
	if len(t.agenda) > 0 {
		wake = t.agenda[0].wake
	}
	if t.pause > 0 && wake.Before(t.notBefore) {
		wake = t.notBefore
	}
	if !t.Until.IsZero() && t.pause == 0 && len(t.agenda) == 0 && t.reading == nil {
		return errDone
	}
	var rings <-chan time.Time
	stop := func() {}
	if !wake.IsZero() {
		rings, stop = t.Clock.Alarm(wake)
	}
	defer stop()
	ask := time.NewTimer(max(time.Until(t.asked.Add(askRequests)), t.pause))
	defer ask.Stop()
	if t.reading != nil {
		ask.Stop() // what is read comes first
	}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.lead.Lost():
		return errExpired
	case <-t.Ledger.Broken():
		return t.Ledger.Err()
	case <-hints:
		t.changed = true
	case r := <-t.reading:
		t.reading, t.fresh = nil, &r
	case <-rings:
	case <-ask.C:
		t.changed = t.changed || t.broken()
	}
	select { // one that came at the same moment: what was added is read before requests are
	case <-hints:
		t.changed = true
	default:
	}
	return nil
}

// flush tells the keeper what it does not know yet.
func (t *term) flush(ctx context.Context) error {
	if len(t.begun) > 0 {
		if err := t.Keeper.Begin(ctx, t.lead.Term(), t.begun); err != nil {
			return fmt.Errorf("write down since when schedules are in force: %w", err)
		}
		t.begun = map[string]Beginning{}
	}
	for len(t.ended) > 0 {
		some := t.ended[:min(len(t.ended), settleAtOnce)]
		if err := t.Keeper.Settle(ctx, t.lead.Term(), some); err != nil {
			return fmt.Errorf("write down what came of ticks: %w", err)
		}
		t.ended = t.ended[len(some):]
		for _, o := range some {
			if e := t.entries[o.Tick.Schedule]; e != nil {
				t.tidy(ctx, e)
			}
		}
	}
	t.ended = nil
	return nil
}

// tidy takes a one-off that is over out of its source.
func (t *term) tidy(ctx context.Context, e *entry) {
	remover, ok := e.source.(Remover)
	if !ok || e.At.IsZero() || !e.Enabled || !e.over() {
		return
	}
	if t.reading != nil {
		t.tidied[e.Name] = true // it may have been read before, and its state is gone after
	}
	if err := remover.Remove(ctx, e.Schedule); err != nil {
		t.Log.Warn("a one-off that is over could not be removed; the next leader tries again", "schedule", e.Name, "err", err)
	}
}

// end notes how a tick ended, for the keeper, the books and the metrics.
func (t *term) end(o Outcome) {
	t.ended = append(t.ended, o)
	if e := t.entries[o.Tick.Schedule]; e != nil {
		e.state, _ = e.state.Settle(o)
	}
	t.Metrics.Ticked(string(o.Kind), o.N)
	if o.Kind == Sent {
		return
	}
	line := ledger.Line{Event: ledger.Missed, Task: o.Task, Reason: o.Reason}
	if o.Kind == Skipped {
		line.Event = ledger.Skipped
	}
	t.Ledger.Write(line)
	t.Log.Debug("not sent", "schedule", o.Tick.Schedule, "due", o.Tick.Due, "outcome", o.Kind, "reason", o.Reason)
}
