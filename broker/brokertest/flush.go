package brokertest

import (
	"time"

	"acklab/broker"
)

func flushTests() []test {
	return []test{
		{"after a flush the server has processed every ack, 20 times", []need{needCut, needView}, flushIsFact},
		{"a flush without settlements returns", nil, flushNothing},
		{"a flush that gets no answer is unsure", []need{needProxy}, flushUnanswered},
		{"a flush covers requeues and rejects", []need{needDeadLetters, needView}, flushAll},
	}
}

// flushIsFact breaks the consumer's connection right after Flush: what was
// acked before must not come back. It leaves one delivery unsettled, which
// must, so that the test would notice a server that forgets everything.
func flushIsFact(p *probe) {
	direct := p.open()
	for range 20 {
		q := p.queue(direct)
		p.put(direct, q, 10)
		l := p.link(broker.Options{})
		c := p.consume(l, q, 10)
		ds := p.receiveN(c, 10)
		p.ack(ds[:9]...)
		p.flush(c)
		before := p.view(q)
		l.cut()
		if before != (View{Unacked: 1}) {
			p.Errorf("after Flush the server says %+v; want one unsettled", before)
		}
		if v := p.view(q); v.Ready+v.Unacked != 1 {
			p.Errorf("after Flush and the end of the connection the server says %+v; want one message", v)
		}
		p.spawn(func() { _ = l.Close(p.soon()) }) // it may try for long to give back what it cannot
	}
}

func flushNothing(p *probe) {
	b := p.open()
	q := p.queue(b)
	c := p.consume(b, q, 1)
	p.flush(c)
	p.put(b, q, 1)
	d := p.receive(c)
	p.flush(c) // with one unsettled: there is nothing to wait for
	p.ack(d)
	p.flush(c)
}

func flushAll(p *probe) {
	b := p.open()
	q := p.queue(b)
	p.put(b, q, 3)
	c := p.consume(b, q, 3)
	ds := p.receiveN(c, 3)
	p.stop(c)
	for i, s := range settlements {
		if err := s.do(p.soon(), ds[i]); err != nil {
			p.Fatalf("%s: %v", s.name, err)
		}
	}
	p.flush(c)
	if v := p.view(q); v != (View{Ready: 1}) {
		p.Errorf("after Flush the server says %+v; want one ready", v)
	}
}

// flushUnanswered acks when nothing gets through any more, so that no flush
// can know that the ack was processed.
func flushUnanswered(p *probe) {
	direct := p.open()
	q := p.queue(direct)
	p.put(direct, q, 1)
	l := p.link(broker.Options{})
	c := p.consume(l, q, 1)
	d := p.receive(c)
	l.vanish()
	done := make(chan error, 1)
	p.spawn(func() {
		ctx := p.within(time.Second)
		if err := d.Ack(ctx); err != nil {
			p.wantIs(err, "ack", broker.ErrUnsure)
		}
		done <- c.Flush(ctx)
	})
	err := p.returned("Flush without an answer", done)
	l.cut() // or the close of the consumer would wait for answers too
	p.wantIs(err, "flush", broker.ErrUnsure)
}
