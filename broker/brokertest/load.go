package brokertest

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"acklab/broker"
)

// load runs a producer and a consumer on one queue until end.
type load struct {
	p        *probe
	all      fates
	runs     *tally
	events   recorder
	producer broker.Broker
	consumer broker.Consumer
	done     chan struct{}
	ended    sync.WaitGroup
	late     atomic.Int64 // acks that came too late, or may have
}

// startLoad publishes without a pause, pausing only for refusals.
func (p *probe) startLoad(queue string) *load {
	p.Helper()
	l := &load{p: p, runs: newTally(), producer: p.open(), done: make(chan struct{})}
	l.consumer = p.consume(p.watched(&l.events), queue, 10)
	l.ended.Add(2)
	p.spawn(func() { defer l.ended.Done(); l.produce(queue) })
	p.spawn(func() { defer l.ended.Done(); l.work() })
	return l
}

func (l *load) produce(queue string) {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-l.done:
			return
		case <-l.p.ctx.Done():
			return
		case <-tick.C:
		}
		ctx, cancel := context.WithTimeout(l.p.ctx, 2*time.Second)
		msgs := l.p.messages(queue, 3)
		l.all.add(msgs, l.producer.Publish(ctx, msgs...))
		cancel()
	}
}

func (l *load) work() {
	for {
		d, err := l.consumer.Receive(l.p.ctx)
		if l.p.ctx.Err() != nil {
			return
		}
		if err != nil {
			l.p.wantIs(err, "receive", broker.ErrClosed)
			return
		}
		l.runs.add(d.Message.ID)
		if err := d.Ack(l.p.ctx); err != nil {
			l.p.wantIs(err, "ack", broker.ErrStale, broker.ErrUnsure)
			l.late.Add(1)
		}
	}
}

func (l *load) confirmed() int { return l.all.count() }

// flows waits until more was confirmed and more was received than now.
func (l *load) flows(when string) {
	l.p.Helper()
	confirmed, received := l.confirmed(), l.runs.distinct()
	l.p.untilWithin(2*l.p.h.Patience, "producer and consumer work "+when, func() bool {
		return l.confirmed() > confirmed+20 && l.runs.distinct() > received+20
	})
}

// end stops the producer, waits until every confirmed message was received,
// and stops the consumer.
func (l *load) end() {
	p := l.p
	p.Helper()
	close(l.done)
	missing := func() (n int) {
		seen := l.runs.counts()
		l.all.mu.Lock()
		defer l.all.mu.Unlock()
		for i, m := range l.all.msgs {
			if l.all.errs[i] == nil && seen[m.ID] == 0 {
				n++
			}
		}
		return n
	}
	p.untilWithin(p.returnWait()+p.h.Patience, "every confirmed message was received", func() bool { return missing() == 0 })
	ctx := p.soon()
	if err := l.consumer.Close(ctx); err != nil {
		p.Errorf("close the consumer: %v", err)
	}
	l.ended.Wait()
	seen := l.runs.counts()
	refused := 0
	for i, m := range l.all.msgs {
		if errors.Is(l.all.errs[i], broker.ErrRefused) {
			refused++
			if seen[m.ID] > 0 {
				p.Errorf("message %s was refused (%v) and received: phantom", m.ID, l.all.errs[i])
			}
		}
	}
	repeated := 0
	for _, n := range seen {
		repeated += max(n-1, 0)
	}
	p.Logf("%d messages: %d confirmed, %d refused; %d runs more than once, %d acks late or unsure",
		len(l.all.msgs), l.confirmed(), refused, repeated, l.late.Load())
}
