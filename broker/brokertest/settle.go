package brokertest

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"acklab/broker"
)

func settlementTests() []test {
	all := []test{
		{"an acked message is gone", nil, ackForgets},
		{"a requeued message comes again with its mark", nil, requeueReturns},
		{"a requeued message can go to another consumer", nil, requeueToAnybody},
		{"an ack settles its own delivery and no other", nil, ackItsOwn},
		{"of sixteen settlements at once exactly one wins", []need{needDeadLetters}, oneWins},
	}
	for _, first := range settlements {
		for _, second := range settlements {
			t := test{name: fmt.Sprintf("after %s a second %s changes nothing", first.name, second.name), run: func(p *probe) { settleTwice(p, first, second) }}
			if first.name == "Reject" || second.name == "Reject" {
				t.needs = []need{needDeadLetters}
			}
			all = append(all, t)
		}
	}
	return all
}

// settlement is one way to settle, and where the message is afterwards.
type settlement struct {
	name  string
	do    func(context.Context, *broker.Delivery) error
	state broker.State // empty: gone
}

var settlements = []settlement{
	{"Ack", func(ctx context.Context, d *broker.Delivery) error { return d.Ack(ctx) }, ""},
	{"Requeue", func(ctx context.Context, d *broker.Delivery) error { return d.Requeue(ctx) }, broker.Queued},
	{"Reject", func(ctx context.Context, d *broker.Delivery) error { return d.Reject(ctx, "because") }, broker.Dead},
}

// settledBy requires that the one message of the queue is where the
// settlement puts it. The consumer must be stopped.
func (p *probe) settledBy(s settlement, b broker.Broker, queue string, d *broker.Delivery) {
	p.Helper()
	if s.state == "" {
		p.wantEmpty(b, queue)
	} else {
		p.wantHeld(b, queue, s.state, d.Message)
	}
}

// settleTwice settles twice, from other goroutines than the one that
// received. The consumer is stopped first so that nothing comes again.
func settleTwice(p *probe, first, second settlement) {
	b := p.open()
	q := p.queue(b)
	p.put(b, q, 1)
	c := p.consume(b, q, 1)
	d := p.receive(c)
	p.stop(c)
	if d.Settled() {
		p.Error("a delivery that nobody settled says it is settled")
	}
	results := make(chan error)
	p.spawn(func() { results <- first.do(p.soon(), d) })
	if err := <-results; err != nil {
		p.Fatalf("%s: %v", first.name, err)
	}
	p.spawn(func() { results <- second.do(p.soon(), d) })
	p.wantIs(<-results, "second settlement", broker.ErrSettled)
	if !d.Settled() {
		p.Error("a settled delivery says it is not")
	}
	p.flush(c)
	p.closeConsumer(c)
	p.settledBy(first, b, q, d)
}

func oneWins(p *probe) {
	b := p.open()
	for range 5 {
		q := p.queue(b)
		p.put(b, q, 1)
		c := p.consume(b, q, 1)
		d := p.receive(c)
		p.stop(c)
		errs := make([]error, 16)
		start := make(chan struct{})
		var wait sync.WaitGroup
		for i := range errs {
			wait.Go(func() {
				<-start
				errs[i] = settlements[i%len(settlements)].do(p.ctx, d)
			})
		}
		close(start)
		wait.Wait()
		winner := -1
		for i, err := range errs {
			switch {
			case err == nil && winner >= 0:
				p.Errorf("settlements %d and %d both won", winner, i)
			case err == nil:
				winner = i
			case !errors.Is(err, broker.ErrSettled):
				p.Errorf("settlement %d: %v", i, err)
			}
		}
		if winner < 0 {
			p.Fatal("no settlement won")
		}
		p.flush(c)
		p.closeConsumer(c)
		p.settledBy(settlements[winner%len(settlements)], b, q, d)
	}
}

func ackForgets(p *probe) {
	b := p.open()
	q := p.queue(b)
	p.put(b, q, 20)
	c := p.consume(b, q, 20)
	p.ack(p.receiveN(c, 20)...)
	p.flush(c)
	p.closeConsumer(c)
	p.wantEmpty(b, q)
}

func requeueReturns(p *probe) {
	b := p.open()
	q := p.queue(b)
	sent := p.put(b, q, 1)[0]
	c := p.consume(b, q, 1)
	for turn := range 3 {
		d := p.receive(c)
		if d.Message.ID != sent.ID {
			p.Fatalf("received message %s; want %s", d.Message.ID, sent.ID)
		}
		p.wantMark(d, turn+1)
		if turn == 2 {
			p.ack(d)
		} else if err := d.Requeue(p.soon()); err != nil {
			p.Fatalf("requeue: %v", err)
		}
	}
	p.flush(c)
	p.closeConsumer(c)
	p.wantEmpty(b, q)
}

// wantMark requires what the traits promise of the nth delivery of a message.
func (p *probe) wantMark(d *broker.Delivery, nth int) {
	p.Helper()
	first, last := broker.SeenFirst, broker.SeenAgain
	switch p.traits.Marks {
	case broker.MarksAlways:
		if nth == 1 && d.Seen != first || nth > 1 && d.Seen != last {
			p.Errorf("delivery %d of a message is marked %q; traits say Marks=%s", nth, d.Seen, p.traits.Marks)
		}
	case broker.MarksSome, broker.MarksWhileUp:
		if nth == 1 && d.Seen == last {
			p.Errorf("the first delivery of a message is marked %q", d.Seen)
		}
	case broker.MarksNone:
		if d.Seen != broker.SeenUnknown {
			p.Errorf("a delivery is marked %q; traits say Marks=%s", d.Seen, p.traits.Marks)
		}
	default:
		p.Errorf("traits say Marks=%q", p.traits.Marks)
	}
	want := 0
	if p.traits.Counts {
		want = nth
	}
	if d.Count != want {
		p.Errorf("delivery %d of a message has count %d; want %d (traits say Counts=%t)", nth, d.Count, want, p.traits.Counts)
	}
}

func requeueToAnybody(p *probe) {
	b := p.open()
	q := p.queue(b)
	sent := p.put(b, q, 1)[0]
	c := p.consume(b, q, 1)
	d := p.receive(c)
	p.stop(c)
	if err := d.Requeue(p.soon()); err != nil {
		p.Fatalf("requeue: %v", err)
	}
	other := p.open()
	c2 := p.consume(other, q, 1)
	again := p.receive(c2)
	if again.Message.ID != sent.ID {
		p.Errorf("received message %s; want %s", again.Message.ID, sent.ID)
	}
	p.ack(again)
	p.flush(c2)
}

// ackItsOwn acks every other delivery, in reverse, and requires that exactly
// the rest is held.
func ackItsOwn(p *probe) {
	b := p.open()
	q := p.queue(b)
	sent := p.put(b, q, 10)
	c := p.consume(b, q, 10)
	ds := p.receiveN(c, 10)
	left := map[string]bool{}
	for _, m := range sent {
		left[m.ID] = true
	}
	for i := len(ds) - 1; i >= 0; i -= 2 {
		p.ack(ds[i])
		delete(left, ds[i].Message.ID)
	}
	p.flush(c)
	p.closeConsumer(c)
	held := p.census(b, q)
	for id := range left {
		if _, ok := held[id]; !ok {
			p.Errorf("message %s was not acked and is not held", id)
		}
	}
	for id := range held {
		if !left[id] {
			p.Errorf("message %s was acked and is held", id)
		}
	}
}
