package worker_test

import (
	"context"
	"testing"
	"time"

	"acklab/broker"
	"acklab/internal/ledger"
	"acklab/task"
	"acklab/worker"
)

// early makes every delivery of the task that came without an ETA one that came
// before it: as from a producer that leaves delays to the worker.
func (b *bench) early(m *task.Message, eta time.Time) {
	b.meddled(func(c broker.Consumer) broker.Consumer { return &early{c, m.TaskID, eta} })
}

type early struct {
	broker.Consumer
	task string
	eta  time.Time
}

func (e *early) Receive(ctx context.Context) (*broker.Delivery, error) {
	d, err := e.Consumer.Receive(ctx)
	if err == nil && d.Message.TaskID == e.task && d.Message.ETA.IsZero() && time.Now().Before(e.eta) {
		m := *d.Message
		m.ETA = e.eta
		d.Message = &m
	}
	return d, err
}

// delays makes the worker's broker say so of itself.
func (b *bench) delays(how broker.Ability) {
	open := b.cfg.Open
	b.cfg.Open = func(ctx context.Context, o broker.Options) (broker.Broker, error) {
		inner, err := open(ctx, o)
		return &delaying{inner, how}, err
	}
}

type delaying struct {
	broker.Broker
	how broker.Ability
}

func (d *delaying) Traits() broker.Traits {
	traits := d.Broker.Traits()
	traits.Delay = d.how
	return traits
}

func TestATaskThatComesBeforeItsTimeIsHandedToTheBrokersDelay(t *testing.T) {
	bothModes(t, func(b *bench) {
		m := b.publishWith(task.Options{Queue: queue, Extra: map[string]any{"theirs": "x"}}, "noop")
		b.early(m, time.Now().Add(time.Minute).UTC())
		b.start()
		b.lived(m, ledger.Received, ledger.Accepted, ledger.Attempted, ledger.Confirmed, ledger.Postponed, ledger.AckSending, ledger.AckSent)
		l := b.one(ledger.Attempted)
		if l.Message == m.ID || l.Retries != 0 || l.ETA == 0 || len(m.Extra) != 1 {
			b.t.Errorf("attempted: %+v", l)
		}
		b.holds(0, 0, 0)
		b.delayed(1)
		b.sleep(time.Minute - time.Millisecond)
		if n := len(b.lines(ledger.Started)); n != 0 {
			b.t.Fatal("it began before its time")
		}
		b.sleep(2 * time.Millisecond)
		if f := b.one(ledger.Finished); f.Message != l.Message {
			b.t.Errorf("finished: %+v", f)
		}
		b.holds(0, 0, 0)
	})
}

func TestABrokerThatHoldsNothingBackIsNotAskedInABusyLoop(t *testing.T) {
	inBubble(t, func(b *bench) {
		b.early(b.publish("noop"), time.Now().Add(10500*time.Millisecond))
		b.publishes(func(ctx context.Context, inner broker.Broker, m *task.Message) error {
			at := *m
			at.ETA = time.Time{}
			return inner.Publish(ctx, &at)[0]
		})
		b.start()
		b.sleep(10 * time.Second)
		if n := len(b.lines(ledger.Postponed)); n < 5 || n > 12 {
			t.Errorf("it was postponed %d times in ten seconds", n)
		}
		b.sleep(time.Second)
		b.one(ledger.Finished)
	})
}

func TestWhatCannotBePostponedGoesBackOrToTheDeadLetters(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		err      error
		requeues bool
		dead     int
	}{
		"unsure":  {err: broker.ErrUnsure, requeues: true},
		"full":    {err: &broker.Refusal{Reason: broker.Full}, requeues: true},
		"invalid": {err: &broker.Refusal{Reason: broker.Invalid}, dead: 1},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(b *bench) {
				b.cfg.Ack = worker.Early
				b.early(b.publish("noop"), time.Now().Add(time.Hour))
				b.publishes(func(context.Context, broker.Broker, *task.Message) error { return c.err })
				b.start()
				b.sleep(2500 * time.Millisecond)
				if n := len(b.lines(ledger.Requeued)); (n == 2) != c.requeues {
					t.Errorf("it was requeued %d times in 2.5 s", n)
				}
				if n := len(b.lines(ledger.Started, ledger.Postponed, ledger.AckSending)); n != 0 {
					t.Errorf("it was run, postponed or acknowledged")
				}
				b.holds(0, 1-c.dead, c.dead)
			})
		})
	}
}

func TestATaskThatExpiredWhileItWaitedIsNotPostponed(t *testing.T) {
	inBubble(t, func(b *bench) {
		m := b.publishWith(task.Options{Queue: queue, Expires: time.Now().Add(time.Second)}, "noop")
		b.early(m, time.Now().Add(time.Hour))
		b.sleep(2 * time.Second)
		b.start()
		b.lived(m, ledger.Received, ledger.Accepted, ledger.Expired, ledger.AckSending, ledger.AckSent)
	})
}
