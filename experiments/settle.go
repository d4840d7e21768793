package experiments

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"time"

	"acklab/broker"
	"acklab/internal/ledger"
	"acklab/internal/server"
)

// settleEvery is how often the broker is asked whether it still has work.
const settleEvery = 10 * time.Millisecond

// load is what a queue holds, as the server itself says.
type load struct{ ready, unacked, delayed, dead int }

// String says it in words.
func (l load) String() string {
	return fmt.Sprintf("%d ready, %d unacknowledged, %d delayed, %d dead", l.ready, l.unacked, l.delayed, l.dead)
}

// view asks the server what the queue holds.
func (t *Trial) view(ctx context.Context, queue string) (load, error) {
	if rabbit, ok := t.server.(*server.Rabbit); ok {
		waiting, err := rabbit.QueuesUnder(ctx, queue+".delay.") // first: what is due meanwhile is ready then
		if err != nil {
			return load{}, err
		}
		q, err := rabbit.Queue(ctx, queue)
		return load{ready: q.Ready, unacked: q.Unacked, delayed: waiting.Ready}, err
	}
	depth, err := t.client.Depth(ctx, queue)
	if errors.Is(err, broker.ErrUnknownQueue) {
		return load{}, nil
	}
	number := func(n *int) int {
		if n == nil {
			return 0
		}
		return *n
	}
	return load{number(depth.Ready), number(depth.Unacked), number(depth.Delayed), number(depth.Dead)}, err
}

// settle waits until the broker has nothing left to deliver or to have
// settled, and no living worker has anything to do. Where a trial leaves tasks
// stranded, what a dead worker holds is not waited for. Without a living
// worker there is nothing to wait for.
func (t *Trial) settle(ctx context.Context) error {
	if t.server == nil || !t.anyAlive() {
		return nil
	}
	if t.cell.Pace == Waiting {
		return t.aside(ctx, func() error { return t.awaitSettled(ctx) })
	}
	return t.awaitSettled(ctx)
}

func (t *Trial) awaitSettled(ctx context.Context) error {
	within, cancel := context.WithTimeout(ctx, t.run.patience.settle+t.cell.Settle)
	defer cancel()
	tick := time.NewTicker(settleEvery)
	defer tick.Stop()
	var last load
	var trouble error
	var still stillness
	// A look asks the server twice, for what waits for its time and for what is
	// ready. A task that goes from the one to a worker and back meanwhile would be
	// seen in neither: so nobody may have written a line during the look.
	for {
		if t.membersIdle() { // else there is no need to bother the server
			before := t.lines()
			held, err := t.heldBy(within)
			if err == nil && t.settled(held, &still) && t.lines() == before {
				return nil
			}
			if within.Err() == nil {
				last, trouble = held, err
			}
		}
		select {
		case <-tick.C:
		case <-within.Done():
			return fmt.Errorf("the broker still has %s: %w", last, errors.Join(within.Err(), trouble))
		}
	}
}

// settled: nothing is left to deliver, and nothing is with a living worker.
// Where a trial leaves tasks stranded, the unacknowledged ones must be those
// of the dead: every confirmed task was received by somebody, or, because a
// worker may die before it has written what it received, nothing has moved for
// a second.
func (t *Trial) settled(held load, still *stillness) bool {
	if held.ready > 0 || held.delayed > 0 || !t.membersIdle() {
		return false
	}
	return held.unacked == 0 || t.cell.Stranding && (t.allReceived() || still.since(held, t.lines()) >= standstill)
}

// allReceived: every confirmed message stands in somebody's ledger as
// received.
func (t *Trial) allReceived() bool {
	confirmed, received := 0, map[string]bool{}
	for _, m := range t.members {
		confirmed += m.tail.counts[ledger.Confirmed]
		maps.Copy(received, m.tail.seen)
	}
	return confirmed > 0 && len(received) >= confirmed
}

// lines is how many lines the members have written.
func (t *Trial) lines() (n int64) {
	for _, m := range t.members {
		n += m.tail.last.Seq
	}
	return n
}

// standstill is how long nothing must have moved; a delivery on its way to a
// worker takes milliseconds.
const standstill = time.Second

// stillness knows since when what it was shown is the same.
type stillness struct {
	held  load
	lines int64
	begun time.Time
}

func (s *stillness) since(held load, lines int64) time.Duration {
	if s.begun.IsZero() || s.held != held || s.lines != lines {
		*s = stillness{held, lines, time.Now()}
	}
	return time.Since(s.begun)
}

// membersIdle: no living member has anything to do, by its own ledger.
func (t *Trial) membersIdle() bool {
	for _, m := range t.members {
		if err := m.tail.read(); err != nil || m.Alive() && !m.tail.idle() {
			return false
		}
	}
	return true
}

func (t *Trial) anyAlive() bool {
	for _, m := range t.members {
		if m.Alive() {
			return true
		}
	}
	return false
}

// idle: nothing that this worker received is unsettled or running, and every
// failure that is to be tried again has its next try published.
func (f *tail) idle() bool {
	ended := f.counts[ledger.Finished] + f.counts[ledger.Failed] + f.counts[ledger.Interrupted] + f.counts[ledger.Expired] + f.counts[ledger.Postponed] +
		f.counts[ledger.Rejected] + f.counts[ledger.Requeued] + f.counts[ledger.StaleAck] + f.counts[ledger.Collapsed]
	published := f.counts[ledger.Confirmed] + f.counts[ledger.Unsure] + f.counts[ledger.Refused]
	return len(f.open) == 0 && f.running() <= 0 && f.counts[ledger.Accepted] <= ended && f.counts[ledger.Failed]-f.final <= published
}
