package brokertest

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"acklab/broker"
	"acklab/task"
)

// probe is what one test works with.
type probe struct {
	*testing.T
	h      Harness
	server *Server
	traits broker.Traits
	ctx    context.Context // ends when the test has lost all patience
	spawns sync.WaitGroup
}

func newProbe(t *testing.T, h Harness, s *Server, traits broker.Traits) *probe {
	ctx, cancel := context.WithTimeout(context.Background(), h.LeaseWait+10*h.Patience+time.Duration(h.Kills)*10*time.Second)
	p := &probe{T: t, h: h, server: s, traits: traits, ctx: ctx}
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

// returnWait is how long a message of a dead consumer may take to come back.
func (p *probe) returnWait() time.Duration {
	if p.traits.Returns == broker.OnLease {
		return p.h.LeaseWait
	}
	return p.h.Patience
}

func (p *probe) open() broker.Broker { return p.server.Open(p.T, broker.Options{}) }

func (p *probe) watched(r *recorder) broker.Broker {
	return p.server.Open(p.T, broker.Options{Observe: r.observe})
}

var queueNumber atomic.Int64

// queue declares a queue that nobody else uses.
func (p *probe) queue(b broker.Broker) string {
	p.Helper()
	name := fmt.Sprintf("q%d-%s", queueNumber.Add(1), uuid.NewString()[:8])
	if err := b.Declare(p.soon(), name); err != nil {
		p.Fatalf("declare: %v", err)
	}
	return name
}

// messages makes n messages for the queue, numbered from 0 by their argument.
func (p *probe) messages(queue string, n int) []*task.Message {
	p.Helper()
	msgs := make([]*task.Message, n)
	for i := range msgs {
		m, err := task.New("count", task.Options{Queue: queue, Origin: "brokertest"}, i)
		if err != nil {
			p.Fatal(err)
		}
		msgs[i] = m
	}
	return msgs
}

// number is the argument that messages gave.
func number(m *task.Message) int {
	n := -1
	if len(m.Args) == 1 {
		if json.Unmarshal(m.Args[0], &n) != nil {
			return -1
		}
	}
	return n
}

// put publishes n messages and requires a confirm for each.
func (p *probe) put(b broker.Broker, queue string, n int) []*task.Message {
	p.Helper()
	msgs := p.messages(queue, n)
	p.publish(b, msgs...)
	return msgs
}

func (p *probe) publish(b broker.Broker, msgs ...*task.Message) {
	p.Helper()
	errs := b.Publish(p.soon(), msgs...)
	if len(errs) != len(msgs) {
		p.Fatalf("publish of %d messages returned %d errors", len(msgs), len(errs))
	}
	for i, err := range errs {
		if err != nil {
			p.Fatalf("publish of message %d of %d: %v", i, len(msgs), err)
		}
	}
}

// consume subscribes to one queue and has the test close the consumer.
func (p *probe) consume(b broker.Broker, queue string, prefetch int) broker.Consumer {
	p.Helper()
	return p.subscribe(b, broker.Subscription{Sources: []broker.Source{{Queue: queue}}, Prefetch: prefetch})
}

func (p *probe) subscribe(b broker.Broker, s broker.Subscription) broker.Consumer {
	p.Helper()
	c, err := b.Consume(p.soon(), s)
	if err != nil {
		p.Fatalf("consume: %v", err)
	}
	p.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), p.h.Patience)
		defer cancel()
		_ = c.Close(ctx) // the test may have broken its server
	})
	return c
}

func (p *probe) receive(c broker.Consumer) *broker.Delivery {
	p.Helper()
	return p.receiveWithin(c, p.h.Patience)
}

func (p *probe) receiveWithin(c broker.Consumer, d time.Duration) *broker.Delivery {
	p.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, d)
	defer cancel()
	got, err := c.Receive(ctx)
	if err != nil {
		p.Fatalf("receive, within %v: %v", d, err)
	}
	if got.Message == nil {
		p.Fatal("a delivery without a message")
	}
	return got
}

func (p *probe) receiveN(c broker.Consumer, n int) []*broker.Delivery {
	p.Helper()
	var all []*broker.Delivery
	for range n {
		all = append(all, p.receive(c))
	}
	return all
}

func (p *probe) ack(ds ...*broker.Delivery) {
	p.Helper()
	for _, d := range ds {
		if err := d.Ack(p.soon()); err != nil {
			p.Fatalf("ack: %v", err)
		}
	}
}

func (p *probe) flush(c broker.Consumer) {
	p.Helper()
	if err := c.Flush(p.soon()); err != nil {
		p.Fatalf("flush: %v", err)
	}
}

func (p *probe) closeConsumer(c broker.Consumer) {
	p.Helper()
	if err := c.Close(p.soon()); err != nil {
		p.Fatalf("close the consumer: %v", err)
	}
}

func (p *probe) closeBroker(b broker.Broker) {
	p.Helper()
	if err := b.Close(p.soon()); err != nil {
		p.Fatalf("close the client: %v", err)
	}
}

func (p *probe) stop(c broker.Consumer) {
	p.Helper()
	if err := c.Stop(p.soon()); err != nil {
		p.Fatalf("stop: %v", err)
	}
}
