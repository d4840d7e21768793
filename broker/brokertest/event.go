package brokertest

import (
	"time"

	"acklab/broker"
)

func eventTests() []test {
	return []test{
		{"an observer is told of the session and of each arrival before it is received", nil, observed},
		{"an observer is told of a publish that came back", []need{needRefusal}, observedReturn},
		{"a delivery has a lease only where there are leases", nil, leaseTold},
		{"an observer is told what stop gives back", []need{needView}, observedGiveBack},
	}
}

func observed(p *probe) {
	var r recorder
	b := p.watched(&r)
	q := p.queue(b)
	sent := p.put(b, q, 4)
	c := p.consume(b, q, 2)
	if s := r.sessions(broker.Connected); len(s) != 1 || s[0].Session != 1 {
		p.Errorf("Consume has returned, and the sessions that were reported are %v; want the first", s)
	}
	for range sent {
		d := p.receive(c)
		told := false
		for _, e := range r.of(broker.Arrived) {
			told = told || e.Delivery == d
		}
		if !told {
			p.Errorf("message %s was received before its arrival was reported", d.Message.ID)
		}
		if d.Session < 1 {
			p.Errorf("a delivery of session %d; sessions count from 1", d.Session)
		}
		p.ack(d)
	}
	p.flush(c)
	p.closeConsumer(c)
	if n := r.count(broker.Arrived); n != len(sent) {
		p.Errorf("%d arrivals were reported of %d messages", n, len(sent))
	}
	if lost := r.of(broker.Lost); len(lost) > 0 {
		p.Errorf("a session was reported as lost (%v) and nobody broke it", lost[0].Err)
	}
}

func observedReturn(p *probe) {
	var r recorder
	b := p.watched(&r)
	p.queue(b)
	m := p.messages("never-declared", 1)[0]
	p.wantRefused(b.Publish(p.soon(), m), broker.Unroutable)
	p.until("the return is reported", func() bool {
		all := r.of(broker.Returned)
		return len(all) == 1 && all[0].MessageID == m.ID && all[0].Queue == m.Queue
	})
}

func observedGiveBack(p *probe) {
	var r recorder
	b := p.watched(&r)
	q := p.queue(b)
	p.put(b, q, 4)
	c := p.consume(b, q, 4)
	p.receive(c)
	p.until("everything has arrived", func() bool { return r.count(broker.Arrived) == 4 })
	p.stop(c)
	p.untilView(q, View{Ready: 3, Unacked: 1})
	p.until("three deliveries are reported as given back", func() bool { return r.count(broker.GivenBack) == 3 })
}

func leaseTold(p *probe) {
	b := p.open()
	q := p.queue(b)
	p.put(b, q, 1)
	c := p.consume(b, q, 1)
	d := p.receive(c)
	if p.traits.Returns == broker.OnLease && !d.Lease.After(time.Now()) {
		p.Errorf("a fresh delivery has a lease until %v", d.Lease)
	}
	if p.traits.Returns != broker.OnLease && !d.Lease.IsZero() {
		p.Errorf("a delivery has a lease until %v; traits say Returns=%s", d.Lease, p.traits.Returns)
	}
	p.ack(d)
	p.flush(c)
}
