package worker_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"acklab/broker"
	"acklab/internal/ledger"
	"acklab/worker"
)

// flushes is a consumer whose Flush is the test's.
type flushes struct {
	broker.Consumer
	flush func(context.Context) error
}

func (f *flushes) Flush(ctx context.Context) error { return f.flush(ctx) }

func (b *bench) flushing(flush func(context.Context) error) {
	b.meddled(func(c broker.Consumer) broker.Consumer { return &flushes{c, flush} })
}

func TestAckedIsWrittenAfterAFlushAndNamesWhatItCovers(t *testing.T) {
	inBubble(t, func(b *bench) {
		b.publish("noop")
		b.publish("noop")
		b.start()
		sent := b.lines(ledger.AckSent)
		if n := len(b.lines(ledger.Acked)); len(sent) != 2 || n != 0 {
			t.Fatalf("%d ack-sent, %d acked before the flush", len(sent), n)
		}
		b.sleep(time.Second)
		if l := b.one(ledger.Acked); l.Upto != sent[1].Seq || l.Session != 1 || l.Task != "" {
			t.Errorf("acked: %+v; want it up to line %d", l, sent[1].Seq)
		}
	})
}

func TestAckedWaitsForTheFlush(t *testing.T) {
	inBubble(t, func(b *bench) {
		processed := make(chan struct{})
		b.flushing(func(ctx context.Context) error {
			select {
			case <-processed:
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		})
		b.publish("noop")
		b.start()
		b.sleep(time.Minute)
		if n := len(b.lines(ledger.Acked)); n != 0 {
			t.Fatal("acked was written while the broker had said nothing")
		}
		late := b.publish("noop") // after the flush began: not covered by it
		b.settle()
		close(processed)
		b.sleep(time.Second)
		sent, all := b.lines(ledger.AckSent), b.lines(ledger.Acked)
		if len(sent) != 2 || sent[1].Task != late.TaskID || len(all) != 2 || all[0].Upto != sent[0].Seq || all[1].Upto != sent[1].Seq {
			t.Errorf("acked: %+v; ack-sent: %+v", all, sent)
		}
	})
}

func TestWhatAFlushWasUnsureOfIsNeverAcked(t *testing.T) {
	inBubble(t, func(b *bench) {
		var answer error = fmt.Errorf("the session ended: %w", broker.ErrUnsure)
		b.flushing(func(context.Context) error { return answer })
		b.publish("noop")
		b.start()
		first := b.one(ledger.AckSent)
		b.sleep(time.Second)
		if l := b.one(ledger.AckUnsure); l.Upto != first.Seq || l.Session != 1 || l.Task != "" || !strings.Contains(l.Reason, "the session ended") {
			t.Errorf("ack-unsure: %+v", l)
		}
		answer = nil // the driver tells of a loss once; from here on it has nothing on the way
		b.sleep(time.Minute)
		if n := len(b.lines(ledger.Acked)); n != 0 {
			t.Fatal("a later flush acked what an earlier one was unsure of")
		}
		b.publish("noop")
		b.sleep(time.Second)
		if l := b.one(ledger.Acked); l.Upto != b.lines(ledger.AckSent)[1].Seq {
			t.Errorf("acked: %+v", l)
		}
	})
}

// flushingUntilTheEnd has the first flush last until its context ends, and then say
// what it is told to; those after it go well.
func (b *bench) flushingUntilTheEnd(say func(context.Context) error) {
	said := false
	b.flushing(func(ctx context.Context) error {
		if said {
			return nil
		}
		<-ctx.Done()
		said = true
		return say(ctx)
	})
}

// A driver tells of a failure once, also to a flush whose time is up.
func TestAFailureThatIsToldAsTheWorkerStopsIsNotLost(t *testing.T) {
	inBubble(t, func(b *bench) {
		b.flushingUntilTheEnd(func(context.Context) error { return fmt.Errorf("it found no claim: %w", broker.ErrUnsure) })
		b.publish("noop")
		b.start()
		b.sleep(time.Second)
		b.end()
		if l := b.one(ledger.AckUnsure); l.Upto != b.one(ledger.AckSent).Seq || len(b.lines(ledger.Acked)) != 0 {
			t.Errorf("ack-unsure: %+v; acked: %+v", l, b.lines(ledger.Acked))
		}
	})
}

// What was only cut short is for the last flush.
func TestAFlushThatIsCutShortByTheEndIsMadeUpFor(t *testing.T) {
	inBubble(t, func(b *bench) {
		b.flushingUntilTheEnd(func(ctx context.Context) error {
			return fmt.Errorf("%w: %w", broker.ErrUnsure, context.Cause(ctx))
		})
		b.publish("noop")
		b.start()
		b.sleep(time.Second)
		b.end()
		if l := b.one(ledger.Acked); l.Upto != b.one(ledger.AckSent).Seq || len(b.lines(ledger.AckUnsure)) != 0 {
			t.Errorf("acked: %+v; ack-unsure: %+v", l, b.lines(ledger.AckUnsure))
		}
	})
}

func TestWhatWasOnItsWayWhenTheSessionEndedIsNeverAcked(t *testing.T) {
	inBubble(t, func(b *bench) {
		b.publish("noop")
		b.start()
		sent := b.one(ledger.AckSent)
		b.server.CloseConnections()
		b.sleep(time.Minute)
		if l := b.one(ledger.Lost); l.Session != 1 || l.Reason == "" {
			t.Errorf("lost: %+v", l)
		}
		if l := b.one(ledger.AckUnsure); l.Session != 1 || l.Upto != sent.Seq {
			t.Errorf("ack-unsure: %+v; want it of session 1 up to line %d", l, sent.Seq)
		}
		if n := len(b.lines(ledger.Acked)); n != 0 {
			t.Error("acked was written for a session that had ended before the flush")
		}
		b.publish("noop")
		b.sleep(time.Second)
		if l := b.one(ledger.Acked); l.Session != 2 {
			t.Errorf("acked: %+v", l)
		}
	})
}

// leasing is a broker whose deliveries end with their lease: what is handed over
// in a session that has ended is brought to the server by the next one.
type leasing struct{ broker.Broker }

func (l leasing) Traits() broker.Traits {
	t := l.Broker.Traits()
	t.Returns = broker.OnLease
	return t
}

type outliving struct{ broker.Consumer }

func (c outliving) Receive(ctx context.Context) (*broker.Delivery, error) {
	d, err := c.Consumer.Receive(ctx)
	if err == nil {
		d.Settler = accepting{}
	}
	return d, err
}

type accepting struct{}

func (accepting) Ack(context.Context, *broker.Delivery) error            { return nil }
func (accepting) Requeue(context.Context, *broker.Delivery) error        { return nil }
func (accepting) Reject(context.Context, *broker.Delivery, string) error { return nil }

func (b *bench) leasing() {
	b.meddled(func(c broker.Consumer) broker.Consumer { return outliving{c} })
	open := b.cfg.Open
	b.cfg.Open = func(ctx context.Context, o broker.Options) (broker.Broker, error) {
		inner, err := open(ctx, o)
		return leasing{inner}, err
	}
}

func TestWhereDeliveriesOutliveTheirSessionAReconnectionLeavesNoAckInDoubt(t *testing.T) {
	inBubble(t, func(b *bench) {
		b.leasing()
		b.publish("noop")
		b.start()
		sent := b.one(ledger.AckSent)
		b.server.CloseConnections() // before the first flush
		b.one(ledger.Lost)
		b.sleep(time.Second)
		if l := b.lines(ledger.Acked); len(l) == 0 || l[0].Upto < sent.Seq {
			t.Errorf("acked: %+v; want it up to line %d", l, sent.Seq)
		}
	})
}

func TestAnAckOfAnEarlierSessionIsAckedWhereDeliveriesOutliveTheirSession(t *testing.T) {
	inBubble(t, func(b *bench) {
		b.leasing()
		b.cfg.Ack = worker.Late
		b.publish("sleep", 5)
		b.start()
		b.server.CloseConnections()
		b.sleep(6 * time.Second)
		sent := b.lines(ledger.AckSent)
		if len(sent) == 0 || sent[0].Session != 1 {
			t.Fatalf("ack-sent: %+v; want one of session 1", sent)
		}
		if l := b.lines(ledger.Acked); len(l) == 0 || l[0].Upto < sent[0].Seq {
			t.Errorf("acked: %+v; want it up to line %d", l, sent[0].Seq)
		}
	})
}

func TestASessionThatEndsWhileAFlushIsUnderWayIsNotVouchedFor(t *testing.T) {
	inBubble(t, func(b *bench) {
		b.flushing(func(context.Context) error {
			time.Sleep(time.Second)
			return nil // for the session that stands by then
		})
		b.publish("noop")
		b.start()
		b.sleep(200 * time.Millisecond)
		b.server.CloseConnections()
		b.sleep(time.Minute)
		if n := len(b.lines(ledger.Acked)); n != 0 {
			t.Error("acked was written for a session that had ended before the answer")
		}
	})
}

func TestOnlyOneFlushAtATimeAsksTheDriver(t *testing.T) {
	inBubble(t, func(b *bench) {
		asking, most := 0, 0
		b.flushing(func(context.Context) error {
			asking++
			most = max(most, asking)
			time.Sleep(time.Second)
			asking--
			return nil
		})
		b.publish("noop")
		b.start()
		b.sleep(200 * time.Millisecond)
		b.stop() // its last flush comes while the other is under way, deaf to its context
		b.must("stop", b.wait())
		if most != 1 {
			t.Errorf("%d flushes at once", most)
		}
	})
}

func TestTheLastAcknowledgementsAreMadeSureOfBeforeTheEnd(t *testing.T) {
	inBubble(t, func(b *bench) {
		b.publish("noop")
		b.start()
		b.end()
		if l := b.one(ledger.Acked); l.Upto != b.one(ledger.AckSent).Seq {
			t.Errorf("acked: %+v", l)
		}
	})
}

// overhear tells the test how the broker speaks to the worker.
func (b *bench) overhear(told *func(broker.Event)) {
	open := b.cfg.Open
	b.cfg.Open = func(ctx context.Context, o broker.Options) (broker.Broker, error) {
		*told = o.Observe
		return open(ctx, o)
	}
}

func TestALostPublishingConnectionIsNoLostSession(t *testing.T) {
	inBubble(t, func(b *bench) {
		var tell func(broker.Event)
		b.overhear(&tell)
		b.publish("noop")
		b.start()
		sent := b.one(ledger.AckSent)
		tell(broker.Event{Kind: broker.Lost, Err: errors.New("reset by peer")})
		tell(broker.Event{Kind: broker.Connected})
		b.sleep(time.Second)
		if l := b.one(ledger.Acked); l.Upto != sent.Seq || l.Session != 1 {
			t.Errorf("acked: %+v; want it of session 1 up to line %d", l, sent.Seq)
		}
		if bad := append(b.lines(ledger.AckUnsure), b.lines(ledger.Lost)...); len(bad) != 0 {
			t.Errorf("written of a connection that only publishes: %+v", bad)
		}
		b.one(ledger.Connected)
	})
}
