package brokertest

import (
	"sync"

	"acklab/broker"
)

func crowdTests() []test {
	return []test{
		{"eight producers and eight consumers run every task once", nil, crowd},
	}
}

// crowd has no fault in it, so at least once is exactly once.
func crowd(p *probe) {
	b := p.open()
	q := p.queue(b)
	const each = 60
	runs := newTally()
	var consumers []broker.Consumer
	var work sync.WaitGroup
	for range 8 {
		c := p.consume(p.open(), q, 5)
		consumers = append(consumers, c)
		work.Add(1)
		p.spawn(func() {
			defer work.Done()
			for {
				d, err := c.Receive(p.ctx)
				if p.ctx.Err() != nil {
					return
				}
				if err != nil {
					p.wantIs(err, "receive", broker.ErrClosed)
					return
				}
				runs.add(d.Message.ID)
				if err := d.Ack(p.ctx); err != nil {
					p.Errorf("ack: %v", err)
				}
			}
		})
	}
	var sent sync.WaitGroup
	for range 8 {
		producer := p.open()
		sent.Go(func() {
			for _, m := range p.messages(q, each) {
				runs.expect(m.ID)
				if err := producer.Publish(p.ctx, m)[0]; err != nil {
					p.Errorf("publish: %v", err)
				}
			}
		})
	}
	sent.Wait()
	p.until("every task has run", func() bool { return runs.distinct() == 8*each })
	for _, c := range consumers {
		p.flush(c)
		p.closeConsumer(c)
	}
	work.Wait()
	for id, n := range runs.counts() {
		if n != 1 {
			p.Errorf("task %s ran %d times; want once", id, n)
		}
	}
	p.wantEmpty(b, q)
}

// tally counts how often each message was received.
type tally struct {
	mu   sync.Mutex
	runs map[string]int
}

func newTally() *tally { return &tally{runs: map[string]int{}} }

// expect names a message before it is published.
func (t *tally) expect(id string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.runs[id] += 0
}

func (t *tally) add(id string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.runs[id]++
}

// distinct is how many messages were received at least once.
func (t *tally) distinct() int {
	n := 0
	for _, c := range t.counts() {
		if c > 0 {
			n++
		}
	}
	return n
}

func (t *tally) counts() map[string]int {
	t.mu.Lock()
	defer t.mu.Unlock()
	all := make(map[string]int, len(t.runs))
	for id, n := range t.runs {
		all[id] = n
	}
	return all
}
