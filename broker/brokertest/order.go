package brokertest

import (
	"time"

	"acklab/broker"
)

func orderTests() []test {
	return []test{
		{"messages come in the order they were confirmed", []need{needFIFO}, firstInFirstOut},
		{"strict order serves the first queue first", []need{needView, needPrefetch(20)}, strictOrder},
		{"weighted order serves each queue by its weight", []need{needView, needPrefetch(40)}, weightedOrder},
		{"strict order holds with a prefetch of one", nil, strictOne},
		{"weighted order holds with a prefetch of one", nil, weightedOne},
		{"a queue that is served first is served at once when it has something again", nil, strictAgain},
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

// stood is a delivery for which a machine or a server stood still: a refill is not
// waited for any longer than a second, so that the order is not owed then.
const stood = 900 * time.Millisecond

// oneByOne receives n messages, with a prefetch of one, from two queues of
// weights 3 and 1 that hold n each, and returns the number of the queue of each. It
// begins again where one was waited for too long.
func (p *probe) oneByOne(o broker.Order, n int) []int {
	p.Helper()
	for range 5 {
		order, longest := p.oneByOneOnce(o, n)
		if longest < stood {
			return order
		}
		p.Logf("a delivery was waited for %s: once more", longest)
	}
	p.Fatalf("five times a delivery was waited for longer than %s", stood)
	return nil
}

func (p *probe) oneByOneOnce(o broker.Order, n int) (order []int, longest time.Duration) {
	p.Helper()
	b := p.open()
	queues := []string{p.queue(b), p.queue(b)}
	p.put(b, queues[1], n)
	p.put(b, queues[0], n)
	c := p.subscribe(b, broker.Subscription{Order: o, Prefetch: 1,
		Sources: []broker.Source{{Queue: queues[0], Weight: 3}, {Queue: queues[1], Weight: 1}}})
	for range n {
		asked := time.Now()
		d := p.receive(c)
		longest = max(longest, time.Since(asked))
		p.ack(d)
		if d.Queue == queues[0] {
			order = append(order, 0)
		} else {
			order = append(order, 1)
		}
	}
	p.flush(c)
	return order, longest
}

func strictOne(p *probe) {
	for i, queue := range p.oneByOne(broker.Strict, 24) {
		if queue != 0 {
			p.Fatalf("delivery %d came from the second queue while the first had more", i)
		}
	}
}

func weightedOne(p *probe) {
	order := p.oneByOne(broker.Weighted, 24)
	for i := 0; i < len(order); i += 4 {
		if low := order[i] + order[i+1] + order[i+2] + order[i+3]; low != 1 {
			p.Fatalf("of deliveries %d to %d the queue of weight 1 gave %d; want 1 while both are busy: %v", i, i+3, low, order)
		}
	}
}

// strictAgain fills the first queue anew while the second is served.
func strictAgain(p *probe) {
	for _, prefetch := range []int{1, 10} {
		var r recorder
		b := p.watched(&r)
		first, second := p.queue(b), p.queue(b)
		p.put(b, second, 20)
		c := p.subscribe(b, broker.Subscription{Order: broker.Strict, Prefetch: prefetch, Sources: []broker.Source{{Queue: first}, {Queue: second}}})
		for range 3 {
			p.ack(p.receive(c))
		}
		held := p.receive(c) // the worker is busy with one of the second queue
		const again = 15
		p.put(b, first, again)
		p.until("one of the first queue has arrived", func() bool {
			for _, e := range r.of(broker.Arrived) {
				if e.Queue == first {
					return true
				}
			}
			return false
		})
		p.ack(held)
		for i := range again {
			d := p.receive(c)
			p.ack(d)
			// Arrived is told a moment before a delivery can be received: the
			// first one may be of the second queue still.
			if d.Queue != first && i > 0 {
				p.Fatalf("prefetch %d: delivery %d came from the second queue, while the first had %d more", prefetch, i, again-i)
			}
		}
		p.flush(c)
	}
}
