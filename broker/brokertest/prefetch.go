package brokertest

import (
	"acklab/broker"
)

func prefetchTests() []test {
	return []test{
		{"the broker keeps the prefetch", []need{needView}, prefetchKept},
		{"the broker keeps the prefetch of each queue", []need{needView}, prefetchPerQueue},
		{"an unlimited prefetch takes all there is", []need{needView}, prefetchUnlimited},
		{"two consumers each have their own prefetch", []need{needView}, prefetchPerConsumer},
	}
}

func prefetchKept(p *probe) {
	b := p.open()
	q := p.queue(b)
	p.put(b, q, 12)
	c := p.consume(b, q, 4)
	p.untilView(q, View{Ready: 8, Unacked: 4})
	ds := p.receiveN(c, 4)
	p.untilView(q, View{Ready: 8, Unacked: 4}) // handed out is still unsettled
	p.ack(ds[0])
	p.flush(c)
	p.untilView(q, View{Ready: 7, Unacked: 4})
	if err := ds[1].Reject(p.soon(), "room for another"); err != nil {
		p.Fatalf("reject: %v", err)
	}
	p.flush(c)
	p.untilView(q, View{Ready: 6, Unacked: 4})
	for left := 6; left > 0; left-- {
		p.ack(p.receive(c))
		p.flush(c)
		if v := p.view(q); v.Unacked > 4 {
			p.Fatalf("the server says that %d are unsettled with a prefetch of 4", v.Unacked)
		}
	}
}

func prefetchPerQueue(p *probe) {
	b := p.open()
	one, two := p.queue(b), p.queue(b)
	p.put(b, one, 9)
	p.put(b, two, 9)
	p.subscribe(b, broker.Subscription{Sources: []broker.Source{{Queue: one, Prefetch: 2}, {Queue: two}}, Prefetch: 5})
	p.untilView(one, View{Ready: 7, Unacked: 2})
	p.untilView(two, View{Ready: 4, Unacked: 5})
}

func prefetchUnlimited(p *probe) {
	b := p.open()
	q := p.queue(b)
	const n = 120
	p.put(b, q, n)
	p.consume(b, q, broker.Unlimited)
	most := n
	if p.traits.MaxPrefetch > 0 {
		most = min(n, p.traits.MaxPrefetch)
	}
	p.untilView(q, View{Ready: n - most, Unacked: most})
}

func prefetchPerConsumer(p *probe) {
	b := p.open()
	q := p.queue(b)
	p.put(b, q, 10)
	p.consume(b, q, 2)
	p.consume(b, q, 3)
	p.untilView(q, View{Ready: 5, Unacked: 5})
}
