package brokertest

import (
	"errors"
	"sync"
	"time"

	"acklab/broker"
)

// flood publishes to one queue from many goroutines, as fast as the broker
// confirms, and notes the fate of each message.
type flood struct {
	probe  *probe
	client broker.Broker
	queue  string
	fates  *fates
	goal   int
	enough chan struct{} // closed when goal messages are confirmed
	once   sync.Once
	done   chan struct{}
	ended  sync.WaitGroup
}

// flood starts, and returns when so many more messages are confirmed.
func (p *probe) flood(b broker.Broker, all *fates, queue string, confirmed int) *flood {
	p.Helper()
	f := &flood{probe: p, client: b, queue: queue, fates: all, goal: all.count() + confirmed,
		enough: make(chan struct{}), done: make(chan struct{})}
	for range 8 {
		f.ended.Add(1)
		p.spawn(func() { defer f.ended.Done(); f.publish() })
	}
	select {
	case <-f.enough:
	case <-p.soon().Done():
		p.Errorf("of %d messages none more than %d were confirmed", confirmed, all.count())
	}
	return f
}

// end waits for the publishes under way.
func (f *flood) end() {
	close(f.done)
	f.ended.Wait()
}

func (f *flood) publish() {
	pause := time.NewTicker(5 * time.Millisecond)
	defer pause.Stop()
	for f.probe.ctx.Err() == nil {
		select {
		case <-f.done:
			return
		default:
		}
		msgs := f.probe.messages(f.queue, 4)
		errs := f.client.Publish(f.probe.soon(), msgs...)
		if f.fates.add(msgs, errs) >= f.goal {
			f.once.Do(func() { close(f.enough) })
		}
		switch last := errs[len(errs)-1]; {
		case errors.Is(last, broker.ErrClosed):
			return
		case last != nil:
			<-pause.C // it comes back at once and would come by the thousand
		}
	}
}
