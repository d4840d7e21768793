package brokertest

import (
	"errors"
	"math/rand/v2"
	"time"

	"acklab/broker"
)

func unsureTests() []test {
	return []test{
		{"a publish whose reply is swallowed is unsure and makes one copy", []need{needProxy, needConfirms}, replySwallowed},
		{"a publish whose reply is lost with its connection is unsure and makes one copy", []need{needProxy, needConfirms, needView}, replyLost},
	}
}

// replySwallowed lets the message through and drops the answer until the
// deadline of the publish has passed.
func replySwallowed(p *probe) {
	l, direct, q := p.warm()
	l.swallow()
	m := p.messages(q, 1)[0]
	done := make(chan error, 1)
	p.spawn(func() { done <- l.Publish(p.within(2*time.Second), m)[0] })
	err := p.returned("Publish, two seconds its deadline, without a reply", done)
	l.cut()
	p.wantUnsure([]error{err})
	p.wantHeld(direct, q, broker.Queued, m)
}

// replyLost lets the message through, drops the answer, and breaks the
// connection once the server has the message.
func replyLost(p *probe) {
	l, direct, q := p.warm()
	l.swallow()
	m := p.messages(q, 1)[0]
	done := make(chan []error, 1)
	p.spawn(func() { done <- l.Publish(p.soon(), m) })
	p.untilView(q, View{Ready: 1})
	l.cut()
	p.wantUnsure(<-done)
	l.mend()
	p.wantHeld(direct, q, broker.Queued, m)
}

// warm makes a client behind a proxy whose connections stand, a direct one,
// and an empty queue.
func (p *probe) warm() (*link, broker.Broker, string) {
	p.Helper()
	direct := p.open()
	l := p.link(broker.Options{})
	p.put(l, p.queue(direct), 1)
	return l, direct, p.queue(direct)
}

func (p *probe) wantUnsure(errs []error) {
	p.Helper()
	if len(errs) != 1 {
		p.Fatalf("publish of one message returned %d errors", len(errs))
	}
	if !errors.Is(errs[0], broker.ErrUnsure) || errors.Is(errs[0], broker.ErrRefused) {
		p.Errorf("got %v; want an error that wraps ErrUnsure and not ErrRefused", errs[0])
	}
}

func cutTests() []test {
	return []test{
		{"a connection that breaks while publishing leaves no false word, 50 times", []need{needProxy, needConfirms}, cutWhilePublishing},
	}
}

// cutWhilePublishing breaks the connection of a publisher, a new one each
// time, somewhere in the middle of a load.
func cutWhilePublishing(p *probe) {
	direct := p.open()
	q := p.queue(direct)
	var all fates
	for range 50 {
		p.cutOnce(&all, q)
	}
	if all.count() == 0 {
		p.Error("nothing was confirmed; the test has tested nothing")
	}
	all.check(p, direct, q)
}

func (p *probe) cutOnce(all *fates, queue string) {
	p.Helper()
	l := p.link(broker.Options{})
	f := p.flood(l, all, queue, 1+rand.IntN(40))
	l.cut()
	f.end()
	p.spawn(func() { _ = l.Close(p.soon()) })
}
