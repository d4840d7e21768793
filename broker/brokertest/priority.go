package brokertest

import (
	"slices"
	"time"

	"acklab/broker"
	"acklab/task"
)

// priorityTests are about clients whose URL asks for priorities, and the one
// sentence about those whose URL does not.
func priorityTests() []test {
	with := []need{needPriorities}
	return []test{
		{"without priorities a queue is served in order", []need{needFIFO}, prioritiesIgnored},
		{"with priorities the larger is served first", with, prioritiesServed},
		{"a message that comes later passes the less urgent that wait at the consumer", with, priorityPasses},
		{"a message keeps its priority on every way back", with, priorityKept},
		{"all priorities of a queue are one queue to depth and census", with, prioritiesCounted},
		{"a client that has priorities says how many it tells apart", with, prioritiesSaid},
	}
}

func needPriorities(p *probe) string {
	if p.server.OpenPriorities == nil {
		return "this server has no priorities"
	}
	return ""
}

// urgent makes messages with the priorities, numbered in their order.
func (p *probe) urgent(queue string, priorities ...int) []*task.Message {
	p.Helper()
	msgs := p.messages(queue, len(priorities))
	for i, m := range msgs {
		m.Priority = priorities[i]
	}
	return msgs
}

// mixture has every priority twice, and neighbours far apart.
var mixture = []int{0, 7, 3, 9, 1, 5, 8, 2, 6, 4, 4, 9, 0, 6, 2, 8, 5, 1, 7, 3}

// byLevel are the positions of the priorities in the order in which they are to
// be served.
func byLevel(t broker.Traits, priorities []int) []int {
	order := make([]int, len(priorities))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int {
		return t.PriorityLevel(priorities[b]) - t.PriorityLevel(priorities[a])
	})
	return order
}

func prioritiesIgnored(p *probe) {
	b := p.open()
	q := p.queue(b)
	sent := []int{0, 9, 0, 9, 9, 0} // what is in between has steps of its own in kombu
	p.publish(b, p.urgent(q, sent...)...)
	c := p.consume(b, q, 1)
	for i := range sent {
		d := p.receive(c)
		if number(d.Message) != i || d.Message.Priority%9 != 0 {
			p.Fatalf("delivery %d is message %d with priority %d; want them as they were sent", i, number(d.Message), d.Message.Priority)
		}
		p.ack(d)
	}
	p.flush(c)
}

func prioritiesServed(p *probe) {
	b := p.server.OpenPriorities(p.T, broker.Options{})
	q := p.queue(b)
	p.publish(b, p.urgent(q, mixture...)...)
	c := p.consume(b, q, 1)
	want := byLevel(b.Traits(), mixture)
	for i := range want {
		d := p.receive(c)
		if got := number(d.Message); got != want[i] {
			p.Fatalf("delivery %d has priority %d; want %d", i, mixture[got], mixture[want[i]])
		}
		if got := d.Message.Priority; got != mixture[want[i]] {
			p.Errorf("a message of priority %d arrives with %d", mixture[want[i]], got)
		}
		p.ack(d)
	}
	p.flush(c)
}

func priorityPasses(p *probe) {
	var r recorder
	b := p.server.OpenPriorities(p.T, broker.Options{Observe: r.observe})
	q := p.queue(b)
	c := p.consume(b, q, 10)
	for i, priority := range []int{0, 0, 5, 4, 9} { // each has arrived before the next is sent
		p.publish(b, p.urgent(q, priority)...)
		p.until("the message has arrived", func() bool { return r.count(broker.Arrived) == i+1 })
	}
	var got []int
	for range 5 {
		d := p.receive(c)
		got = append(got, d.Message.Priority)
		p.ack(d)
	}
	// Arrived is told a moment before a delivery can be received: one may be
	// received in the place of the last.
	want, moment := []int{9, 5, 4, 0, 0}, []int{5, 9, 4, 0, 0}
	if !slices.Equal(got, want) && !slices.Equal(got, moment) {
		p.Errorf("received priorities %v; want %v", got, want)
	}
	p.flush(c)
}

// priorityKept sends messages of every priority through what brings them back:
// given back, published again with what was received, parked.
func priorityKept(p *probe) {
	b := p.server.OpenPriorities(p.T, broker.Options{})
	q := p.queue(b)
	p.publish(b, p.urgent(q, mixture[:10]...)...)
	c := p.consume(b, q, 10)
	all := p.receiveN(c, 10)
	p.stop(c) // what comes back is for the next consumer
	for _, d := range all {
		if number(d.Message)%2 == 0 {
			if err := d.Requeue(p.soon()); err != nil {
				p.Fatalf("requeue: %v", err)
			}
			continue
		}
		p.publish(b, d.Message.Again())
		p.ack(d)
	}
	p.flush(c)
	p.closeConsumer(c)
	c = p.consume(b, q, 1)
	last := 9
	for range 10 {
		d := p.receive(c)
		if want := mixture[number(d.Message)]; d.Message.Priority != want {
			p.Errorf("message %d comes back with priority %d; want %d", number(d.Message), d.Message.Priority, want)
		}
		// What was given back may take its time to the queue (asynq's retry set).
		if d.Message.Retries == 0 {
		} else if level := b.Traits().PriorityLevel(d.Message.Priority); level > last {
			p.Errorf("a message of level %d comes back behind one of level %d", level, last)
		} else {
			last = level
		}
		if b.Traits().DeadLetters == broker.Absent {
			p.ack(d)
		} else if err := d.Reject(p.soon(), "to see its priority"); err != nil {
			p.Fatalf("reject: %v", err)
		}
	}
	p.flush(c)
	p.closeConsumer(c)
	for _, h := range p.census(b, q) {
		if want := mixture[number(h.Message)]; h.Message.Priority != want || h.State != broker.Dead {
			p.Errorf("message %d is held as %s with priority %d; want %d", number(h.Message), h.State, h.Message.Priority, want)
		}
	}
}

func prioritiesCounted(p *probe) {
	b := p.server.OpenPriorities(p.T, broker.Options{})
	q := p.queue(b)
	sent := p.urgent(q, mixture...)
	p.publish(b, sent...)
	p.wantDepth(b, q, func(d broker.Depth) map[string]countWant {
		return map[string]countWant{"Ready": {d.Ready, len(sent)}, "Dead": {d.Dead, 0}, "Delayed": {d.Delayed, 0}}
	})
	p.wantHeld(b, q, broker.Queued, sent...)
	if how := b.Traits().Delay; how != broker.Native && how != broker.Emulated {
		return
	}
	q = p.queue(b)
	var later []*task.Message
	for _, priority := range []int{0, 2, 5, 9} {
		m := p.later(q, time.Hour)
		m.Priority = priority
		later = append(later, m)
	}
	p.publish(b, later...)
	p.wantDepth(b, q, func(d broker.Depth) map[string]countWant {
		return map[string]countWant{"Ready": {d.Ready, 0}, "Delayed": {d.Delayed, len(later)}}
	})
	p.wantHeld(b, q, broker.Delayed, later...)
}

func prioritiesSaid(p *probe) {
	b := p.server.OpenPriorities(p.T, broker.Options{})
	p.queue(b) // a connection
	t := b.Traits()
	if t.Priority == broker.Absent || t.PriorityLevels != 4 && t.PriorityLevels != 10 {
		p.Errorf("traits say Priority=%s, PriorityLevels=%d", t.Priority, t.PriorityLevels)
	}
	if p.traits.Priority != broker.Absent || p.traits.PriorityLevels != 0 {
		p.Errorf("without priorities traits say Priority=%s, PriorityLevels=%d", p.traits.Priority, p.traits.PriorityLevels)
	}
}
