package brokertest

import (
	"acklab/broker"
)

func closeTests() []test {
	return []test{
		{"a closed client refuses every call as closed", nil, closedRefuses},
		{"closing a client ends a receive under way", nil, closeEndsReceive},
		{"closing a client gives back what its consumers hold", nil, closeGivesBack},
		{"closing a client under load leaves no false word", nil, closeUnderLoad},
	}
}

func closedRefuses(p *probe) {
	b := p.open()
	q := p.queue(b)
	m := p.messages(q, 1)[0]
	for range 3 {
		p.closeBroker(b)
	}
	p.wantRefused(b.Publish(p.soon(), m), broker.Closed)
	p.wantIs(b.Publish(p.soon(), m)[0], "publish", broker.ErrClosed)
	p.wantIs(b.Declare(p.soon(), q), "declare", broker.ErrClosed)
	_, err := b.Consume(p.soon(), broker.Subscription{Sources: []broker.Source{{Queue: q}}, Prefetch: 1})
	p.wantIs(err, "consume", broker.ErrClosed)
	_, err = b.Depth(p.soon(), q)
	p.wantIs(err, "depth", broker.ErrClosed)
	_, err = p.tryCensus(b, q)
	p.wantIs(err, "census", broker.ErrClosed)
	p.wantEmpty(p.open(), q)
}

func closeEndsReceive(p *probe) {
	b := p.open()
	c := p.consume(b, p.queue(b), 1)
	done := make(chan error, 1)
	p.spawn(func() {
		_, err := c.Receive(p.ctx)
		done <- err
	})
	p.closeBroker(b)
	p.wantIs(p.returned("Receive", done), "receive", broker.ErrClosed)
	p.closeConsumer(c)
}

func closeGivesBack(p *probe) {
	b := p.open()
	q := p.queue(b)
	sent := p.put(b, q, 5)
	c := p.consume(b, q, 4)
	p.receiveN(c, 2)
	p.closeBroker(b)
	p.wantHeld(p.open(), q, broker.Queued, sent...)
}

func closeUnderLoad(p *probe) {
	direct := p.open()
	q := p.queue(direct)
	b := p.open()
	var all fates
	f := p.flood(b, &all, q, 100)
	p.closeBroker(b)
	f.end()
	all.check(p, direct, q)
}
