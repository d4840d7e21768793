package worker_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"acklab/broker"
	"acklab/internal/ledger"
	"acklab/worker"
)

// hangsUp is a settler whose session ends between the acknowledgement and the
// return from it.
type hangsUp struct {
	broker.Settler
	hangUp func()
}

func (h hangsUp) Ack(ctx context.Context, d *broker.Delivery) error {
	defer h.hangUp()
	return h.Settler.Ack(ctx, d)
}

type firstHangsUp struct {
	broker.Consumer
	once   sync.Once
	hangUp func()
}

func (c *firstHangsUp) Receive(ctx context.Context) (*broker.Delivery, error) {
	d, err := c.Consumer.Receive(ctx)
	if err == nil {
		c.once.Do(func() { d.Settler = hangsUp{d.Settler, c.hangUp} })
	}
	return d, err
}

func TestAnAckThatReturnsAfterItsSessionEndedIsUnsureAndNoLaterOneVouchesForIt(t *testing.T) {
	inBubble(t, func(b *bench) {
		b.meddled(func(c broker.Consumer) broker.Consumer {
			return &firstHangsUp{Consumer: c, hangUp: b.server.CloseConnections}
		})
		m := b.publish("noop")
		b.start()
		if l := b.one(ledger.AckUnsure); l.Task != m.TaskID || l.Message != m.ID || l.Session != 1 || l.Upto != 0 {
			t.Errorf("ack-unsure: %+v; want it of the delivery in session 1", l)
		}
		b.publish("noop")
		b.sleep(time.Second)
		if sent := b.one(ledger.AckSent); sent.Session != 2 || b.one(ledger.Acked).Upto != sent.Seq {
			t.Errorf("ack-sent: %+v, acked: %+v; want them of session 2 alone", sent, b.one(ledger.Acked))
		}
	})
}

// A driver tells of a failure once, and to a flush that began before the line was
// written.
func TestAFlushThatFailsLeavesNothingThatWasHandedOverMeanwhileToALaterOne(t *testing.T) {
	inBubble(t, func(b *bench) {
		answer := make(chan error)
		b.flushing(func(ctx context.Context) error {
			select {
			case err := <-answer:
				return err
			case <-ctx.Done():
				return nil
			}
		})
		b.publish("noop")
		b.start()
		b.sleep(time.Second)
		b.publish("noop")
		b.settle()
		answer <- fmt.Errorf("one of them found no claim: %w", broker.ErrUnsure)
		b.sleep(time.Second)
		sent := b.lines(ledger.AckSent)
		if l := b.one(ledger.AckUnsure); len(sent) != 2 || l.Upto != sent[1].Seq {
			t.Errorf("ack-unsure: %+v; ack-sent: %+v", l, sent)
		}
	})
}

// lingers is a settler that returns from an acknowledgement when it may.
type lingers struct {
	broker.Settler
	may <-chan struct{}
}

func (l lingers) Ack(ctx context.Context, d *broker.Delivery) error {
	err := l.Settler.Ack(ctx, d)
	<-l.may
	return err
}

// A driver tells of a failure once: it may be to the flush before the line of the very
// acknowledgement that failed.
func TestAnAckThatReturnsAfterAFlushHasFailedIsUnsureAndNoLaterOneVouchesForIt(t *testing.T) {
	inBubble(t, func(b *bench) {
		b.cfg.Concurrency = 2
		answer, may := error(nil), make(chan struct{})
		b.flushing(func(context.Context) error { return answer })
		slow := b.publish("noop")
		b.meddled(func(c broker.Consumer) broker.Consumer {
			return &settled{c, slow.TaskID, func(s broker.Settler) broker.Settler { return lingers{s, may} }}
		})
		b.start()
		b.sleep(time.Second)
		answer = fmt.Errorf("one of them found no claim: %w", broker.ErrUnsure)
		other := b.publish("noop")
		b.sleep(time.Second)
		answer = nil
		close(may)
		last := b.publish("noop")
		b.sleep(time.Second)
		unsure := b.lines(ledger.AckUnsure)
		if len(unsure) != 2 || unsure[0].Upto == 0 || unsure[1].Message != slow.ID {
			t.Errorf("ack-unsure: %+v; want one of a flush, and one of %s", unsure, slow.ID)
		}
		sent := b.lines(ledger.AckSent)
		if len(sent) != 2 || sent[0].Task != other.TaskID || sent[1].Task != last.TaskID || b.one(ledger.Acked).Upto != sent[1].Seq {
			t.Errorf("ack-sent: %+v; acked: %+v", sent, b.one(ledger.Acked))
		}
	})
}

// settled is a consumer that has the deliveries of one task settled in another way.
type settled struct {
	broker.Consumer
	task   string
	change func(broker.Settler) broker.Settler
}

func (s *settled) Receive(ctx context.Context) (*broker.Delivery, error) {
	d, err := s.Consumer.Receive(ctx)
	if err == nil && d.Message.TaskID == s.task {
		d.Settler = s.change(d.Settler)
	}
	return d, err
}

// A driver that honours what it should have refused is to be seen in the ledger, and
// not to be made to look unsure.
func TestAnAckThatABrokerHonoursThoughItsSessionHadEndedIsWrittenDown(t *testing.T) {
	inBubble(t, func(b *bench) {
		b.meddled(func(c broker.Consumer) broker.Consumer { return outliving{c} })
		b.cfg.Ack = worker.Late
		b.publish("sleep", 5)
		b.start()
		b.server.CloseConnections()
		b.sleep(6 * time.Second)
		if sent := b.lines(ledger.AckSent); len(sent) == 0 || sent[0].Session != 1 || sent[0].Seq < b.one(ledger.Lost).Seq {
			t.Errorf("ack-sent: %+v; want one of session 1 after it was lost", sent)
		}
	})
}
