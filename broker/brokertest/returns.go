package brokertest

import (
	"time"

	"acklab/broker"
)

// returns are the tests that wait for a message of a dead consumer to come
// back: at once, or for as long as a lease lasts.
func returns() []test {
	return []test{
		{"an unfinished task of a dead consumer comes back with its mark", []need{needReturn, needCut}, comesBack},
		{"what a dead consumer had not handed out comes back", []need{needReturn, needCut}, bufferComesBack},
		{"what a dead session had sent and nobody received is dropped", []need{needSessions, needCut}, bufferDropped},
		{"a late ack of a dead session is stale and changes nothing", []need{needSessions, needCut}, staleBySession},
		{"a late ack settles no delivery of the next session", []need{needSessions, needCut}, staleBySameTag},
		{"a late ack of an expired lease is stale and changes nothing", []need{needOnLease, needProxy}, staleByLease},
	}
}

// comesBack breaks a consumer's connection for good while it holds a task,
// and lets another consumer take it.
func comesBack(p *probe) {
	direct := p.open()
	q := p.queue(direct)
	sent := p.put(direct, q, 1)[0]
	l := p.link(broker.Options{})
	d := p.receive(p.consume(l, q, 1))
	c := p.consume(direct, q, 1)
	died := time.Now()
	l.cut()
	if l.proxy == nil {
		p.leave(l.Broker) // a cut alone does not keep it from coming back
	}
	again := p.receiveWithin(c, p.returnWait())
	took := time.Since(died)
	if again.Message.ID != sent.ID || again == d {
		p.Errorf("received message %s; want %s again", again.Message.ID, sent.ID)
	}
	p.wantMark(again, 2)
	if p.traits.Returns == broker.OnLease && took < p.traits.ReturnMin-time.Second {
		p.Errorf("it came back after %v; traits say %v at the least", took, p.traits.ReturnMin)
	}
	p.Logf("came back after %v (traits: %v to %v)", took, p.traits.ReturnMin, p.traits.ReturnMax)
	p.ack(again)
	p.flush(c)
	p.closeConsumer(c)
	p.wantEmpty(direct, q)
}

func bufferComesBack(p *probe) {
	direct := p.open()
	q := p.queue(direct)
	sent := p.put(direct, q, 5)
	var r recorder
	l := p.link(broker.Options{Observe: r.observe})
	p.consume(l, q, 5)
	p.until("everything has arrived at the consumer", func() bool { return r.count(broker.Arrived) == 5 })
	c := p.consume(direct, q, 5)
	l.cut()
	if l.proxy == nil {
		p.leave(l.Broker)
	}
	runs := newTally()
	for range sent {
		d := p.receiveWithin(c, p.returnWait())
		runs.add(d.Message.ID)
		p.ack(d)
	}
	if n := runs.distinct(); n != len(sent) {
		p.Errorf("%d of %d messages came back", n, len(sent))
	}
	p.flush(c)
	p.closeConsumer(c)
	p.wantEmpty(direct, q)
}

// bufferDropped has five deliveries wait in the consumer when its connection
// breaks, and the same five arrive in the next session.
func bufferDropped(p *probe) {
	direct := p.open()
	q := p.queue(direct)
	sent := p.put(direct, q, 5)
	var r recorder
	l := p.link(broker.Options{Observe: r.observe})
	c := p.consume(l, q, 5)
	p.until("everything has arrived", func() bool { return r.count(broker.Arrived) == 5 })
	l.cut()
	l.mend()
	p.until("everything has arrived again", func() bool { return r.count(broker.Arrived) == 10 })
	if n := r.count(broker.Dropped); n != 5 {
		p.Errorf("%d deliveries were reported as dropped; want 5", n)
	}
	runs := newTally()
	for range sent {
		d := p.receive(c)
		if d.Session < 2 {
			p.Errorf("received a delivery of session %d after its end", d.Session)
		}
		p.wantMark(d, 2)
		runs.add(d.Message.ID)
		p.ack(d)
	}
	if n := runs.distinct(); n != len(sent) {
		p.Errorf("%d of %d messages came back", n, len(sent))
	}
	p.flush(c)
	p.closeConsumer(c)
	p.wantEmpty(direct, q)
}

// staleBySession lets the same consumer connect again and receive the same
// message in a new session, then settles the old delivery.
func staleBySession(p *probe) {
	for _, s := range settlements {
		if s.state == broker.Dead && p.traits.DeadLetters == broker.Absent {
			continue
		}
		var r recorder
		direct := p.open()
		q := p.queue(direct)
		sent := p.put(direct, q, 1)[0]
		l := p.link(broker.Options{Observe: r.observe})
		c := p.consume(l, q, 1)
		old := p.receive(c)
		l.cut()
		l.mend()
		again := p.receive(c)
		if again.Message.ID != sent.ID {
			p.Fatalf("received message %s; want %s again", again.Message.ID, sent.ID)
		}
		if again.Session <= old.Session {
			p.Errorf("the delivery of the next session has session %d, the old one %d", again.Session, old.Session)
		}
		p.wantMark(again, 2)
		p.wantIs(s.do(p.soon(), old), s.name+" of the old delivery", broker.ErrStale)
		if len(r.sessions(broker.Lost)) == 0 || r.count(broker.Stale) != 1 {
			p.Errorf("an observer was told of %d lost sessions and %d stale settlements; want 1 and 1", len(r.sessions(broker.Lost)), r.count(broker.Stale))
		}
		p.flush(c)
		if p.server.View != nil {
			if v := p.view(q); v != (View{Unacked: 1}) {
				p.Errorf("after a stale %s the server says %+v; want the one message with its consumer", s.name, v)
			}
		}
		p.closeConsumer(c)
		p.wantHeld(direct, q, broker.Queued, sent)
	}
}

// staleBySameTag has several deliveries in both sessions, so that a driver
// which sends old tags would settle a neighbour.
func staleBySameTag(p *probe) {
	direct := p.open()
	q := p.queue(direct)
	sent := p.put(direct, q, 5)
	l := p.link(broker.Options{})
	c := p.consume(l, q, 5)
	old := p.receiveN(c, 5)
	l.cut()
	l.mend()
	p.receiveN(c, 5)
	for _, d := range old {
		p.wantIs(d.Ack(p.soon()), "ack of an old delivery", broker.ErrStale)
	}
	p.flush(c)
	p.closeConsumer(c)
	p.wantHeld(direct, q, broker.Queued, sent...)
}

// staleByLease hides a consumer from its server until another one was given
// its task, then lets it come back and ack.
func staleByLease(p *probe) {
	direct := p.open()
	q := p.queue(direct)
	sent := p.put(direct, q, 1)[0]
	l := p.link(broker.Options{})
	old := p.receive(p.consume(l, q, 1))
	l.vanish()
	c := p.consume(direct, q, 1)
	again := p.receiveWithin(c, p.returnWait())
	if again.Message.ID != sent.ID {
		p.Fatalf("received message %s; want %s again", again.Message.ID, sent.ID)
	}
	p.wantMark(again, 2)
	l.reappear()
	p.wantIs(old.Ack(p.soon()), "ack after the lease has expired", broker.ErrStale)
	held := p.census(direct, q)
	if h, ok := held[sent.ID]; !ok || h.State != broker.Unacked {
		p.Errorf("after a stale ack the message is held as %q; want it with the other consumer", h.State)
	}
	p.ack(again)
	p.flush(c)
	p.leave(l.Broker)
	p.closeConsumer(c)
	p.wantEmpty(direct, q)
}
