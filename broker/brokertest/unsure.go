package brokertest

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
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
	if all.confirmed == 0 {
		p.Error("nothing was confirmed; the test has tested nothing")
	}
	all.check(p, direct, q)
}

func (p *probe) cutOnce(all *fates, queue string) {
	p.Helper()
	l := p.link(broker.Options{})
	ctx, cancel := context.WithTimeout(p.ctx, p.h.Patience)
	defer cancel()
	cutAfter := 1 + rand.IntN(40)
	enough := make(chan struct{})
	var once sync.Once
	var wait sync.WaitGroup
	done := make(chan struct{})
	for range 4 {
		wait.Go(func() {
			mine := 0
			for ctx.Err() == nil {
				msgs := p.messages(queue, 5)
				errs := l.Publish(ctx, msgs...)
				all.add(msgs, errs)
				for _, err := range errs {
					if err == nil {
						mine++
					}
				}
				if mine >= cutAfter/4 {
					once.Do(func() { close(enough) })
				}
				select {
				case <-done:
					return
				default:
				}
			}
		})
	}
	select {
	case <-enough:
	case <-ctx.Done():
		p.Error("the load confirmed nothing")
	}
	l.cut()
	close(done)
	wait.Wait()
	p.leave(l.Broker)
}
