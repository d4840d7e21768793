package brokertest

import (
	"acklab/broker"
)

func stopTests() []test {
	return []test{
		{"stop gives back what was not handed out and lets the rest be settled", nil, stopGivesBack},
		{"a stopped consumer receives nothing", nil, stoppedReceives},
		{"stop ends a receive under way", nil, stopEndsReceive},
		{"close of a consumer gives back what is unsettled", nil, closeConsumerGivesBack},
		{"a settlement after close changes nothing", nil, settleAfterClose},
	}
}

func stopGivesBack(p *probe) {
	b := p.open()
	q := p.queue(b)
	sent := p.put(b, q, 6)
	c := p.consume(b, q, 4)
	ds := p.receiveN(c, 2)
	p.stop(c)
	p.stop(c)
	if p.server.View != nil {
		p.untilView(q, View{Ready: 4, Unacked: 2})
	}
	p.ack(ds...)
	p.flush(c)
	p.closeConsumer(c)
	left := map[string]bool{ds[0].Message.ID: true, ds[1].Message.ID: true}
	held := p.census(b, q)
	for _, m := range sent {
		if _, there := held[m.ID]; there == left[m.ID] {
			p.Errorf("message %s: acked after Stop %t, held %t", m.ID, left[m.ID], there)
		}
	}
}

func stoppedReceives(p *probe) {
	b := p.open()
	q := p.queue(b)
	p.put(b, q, 3)
	c := p.consume(b, q, 3)
	p.ack(p.receive(c))
	p.stop(c)
	for range 3 {
		_, err := c.Receive(p.soon())
		p.wantIs(err, "receive after Stop", broker.ErrClosed)
	}
	p.closeConsumer(c)
	p.closeConsumer(c)
	_, err := c.Receive(p.soon())
	p.wantIs(err, "receive after Close", broker.ErrClosed)
}

func stopEndsReceive(p *probe) {
	b := p.open()
	c := p.consume(b, p.queue(b), 1)
	done := make(chan error, 1)
	p.spawn(func() {
		_, err := c.Receive(p.ctx)
		done <- err
	})
	p.stop(c)
	p.wantIs(p.returned("Receive", done), "receive", broker.ErrClosed)
}

func closeConsumerGivesBack(p *probe) {
	b := p.open()
	q := p.queue(b)
	sent := p.put(b, q, 5)
	c := p.consume(b, q, 4)
	p.ack(p.receive(c))
	p.receiveN(c, 2)
	p.closeConsumer(c)
	if n := len(p.census(b, q)); n != len(sent)-1 {
		p.Errorf("%d messages are held after Close; want %d", n, len(sent)-1)
	}
	c2 := p.consume(b, q, 5)
	p.ack(p.receiveN(c2, 4)...)
	p.flush(c2)
	p.closeConsumer(c2)
	p.wantEmpty(b, q)
}

func settleAfterClose(p *probe) {
	b := p.open()
	q := p.queue(b)
	sent := p.put(b, q, 1)
	c := p.consume(b, q, 1)
	d := p.receive(c)
	p.closeConsumer(c)
	p.wantIs(d.Ack(p.soon()), "ack after Close", broker.ErrStale, broker.ErrSettled)
	p.wantHeld(b, q, broker.Queued, sent...)
}
