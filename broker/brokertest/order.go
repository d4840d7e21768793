package brokertest

import (
	"acklab/broker"
	"acklab/task"
)

func orderTests() []test {
	return []test{
		{"messages come in the order they were confirmed", []need{needFIFO}, firstInFirstOut},
		{"strict order serves the first queue first", []need{needView, needPrefetch(20)}, strictOrder},
		{"weighted order serves each queue by its weight", []need{needView, needPrefetch(40)}, weightedOrder},
		{"a high priority is served as the traits say", []need{needPriority}, priorityOrder},
	}
}

func firstInFirstOut(p *probe) {
	b := p.open()
	q := p.queue(b)
	const n = 60
	for range 3 {
		p.put(b, q, n/3) // three publishes, one after the other
	}
	c := p.consume(b, q, 1)
	for i := range n {
		d := p.receive(c)
		if got := number(d.Message); got != i%(n/3) {
			p.Fatalf("delivery %d is message number %d; want %d", i, got, i%(n/3))
		}
		p.ack(d)
	}
	p.flush(c)
}

func strictOrder(p *probe) {
	order := p.mixed(broker.Strict, 20)
	for i, queue := range order {
		if want := i / 20; queue != want {
			p.Fatalf("delivery %d came from queue %d; want %d: %v", i, queue, want, order)
		}
	}
}

func weightedOrder(p *probe) {
	order := p.mixed(broker.Weighted, 40)
	const rounds = 10
	for i := 0; i < rounds*4; i += 4 {
		high := 0
		for _, queue := range order[i : i+4] {
			if queue == 0 {
				high++
			}
		}
		if high != 3 {
			p.Fatalf("of deliveries %d to %d the queue of weight 3 gave %d; want 3 while both are busy: %v", i, i+3, high, order)
		}
	}
}

// mixed receives n messages from each of two queues, of weights 3 and 1,
// after all have arrived, and returns the number of the queue of each.
func (p *probe) mixed(o broker.Order, n int) []int {
	p.Helper()
	var r recorder
	b := p.watched(&r)
	queues := []string{p.queue(b), p.queue(b)}
	p.put(b, queues[1], n)
	p.put(b, queues[0], n)
	c := p.subscribe(b, broker.Subscription{Order: o, Prefetch: n,
		Sources: []broker.Source{{Queue: queues[0], Weight: 3}, {Queue: queues[1], Weight: 1}}})
	p.until("everything has arrived at the consumer", func() bool { return r.count(broker.Arrived) == 2*n })
	// Arrived is told before the delivery can be received, so the last one
	// may be a moment away; one delivery more or less ready changes nothing
	// before the queues run dry.
	var order []int
	for range 2 * n {
		d := p.receive(c)
		p.ack(d)
		if d.Queue == queues[0] {
			order = append(order, 0)
		} else {
			order = append(order, 1)
		}
	}
	p.flush(c)
	return order
}

func priorityOrder(p *probe) {
	b := p.open()
	q := p.queue(b)
	var msgs []*task.Message
	for _, m := range p.messages(q, 10) {
		m.Priority = 9 * (number(m) % 2)
		msgs = append(msgs, m)
	}
	p.publish(b, msgs...)
	c := p.consume(b, q, 1)
	for i := range 10 {
		d := p.receive(c)
		if high := d.Message.Priority == 9; high != (i < 5 == p.traits.HighFirst) {
			p.Errorf("delivery %d has priority %d; traits say HighFirst=%t", i, d.Message.Priority, p.traits.HighFirst)
		}
		p.ack(d)
	}
	p.flush(c)
}
