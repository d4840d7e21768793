package brokertest

import (
	"errors"
	"sync"

	"acklab/broker"
	"acklab/task"
)

// fates is what Publish said about each message of a load.
type fates struct {
	mu        sync.Mutex
	msgs      []*task.Message
	errs      []error
	confirmed int
}

func (f *fates) add(msgs []*task.Message, errs []error) (confirmed int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.msgs = append(f.msgs, msgs...)
	f.errs = append(f.errs, errs...)
	for _, err := range errs {
		if err == nil {
			f.confirmed++
		}
	}
	return f.confirmed
}

// check compares all fates with the census of the queue.
func (f *fates) check(p *probe, b broker.Broker, queue string) {
	p.Helper()
	f.mu.Lock()
	defer f.mu.Unlock()
	p.quiet(queue)
	held := p.census(b, queue)
	known := map[string]bool{}
	unsure := 0
	for i, m := range f.msgs {
		p.checkFate(f.errs[i], m, held)
		known[m.ID] = true
		if errors.Is(f.errs[i], broker.ErrUnsure) {
			unsure++
		}
	}
	for id := range held {
		if !known[id] {
			p.Errorf("message %s is held and nobody published it: unexpected", id)
		}
	}
	p.Logf("%d messages: %d confirmed, %d unsure, %d refused, %d held", len(f.msgs), f.confirmed, unsure, len(f.msgs)-f.confirmed-unsure, len(held))
}

// quiet waits until the server's account of a queue stands still: what a
// broken connection had sent may lie in the server's socket, and still come.
func (p *probe) quiet(queue string) {
	p.Helper()
	if p.server.View == nil {
		return
	}
	last, same := p.view(queue), 0
	p.until("the server's account of the queue stands still", func() bool {
		now := p.view(queue)
		if now == last {
			same++
		} else {
			last, same = now, 0
		}
		return same >= 20 // 20 ms each
	})
}

// checkFate compares what Publish said about a message with the census.
func (p *probe) checkFate(err error, m *task.Message, held map[string]broker.Held) {
	p.Helper()
	_, there := held[m.ID]
	switch {
	case err == nil && !there:
		p.Errorf("message %s was confirmed and is not held: lost", m.ID)
	case errors.Is(err, broker.ErrRefused) && there:
		p.Errorf("message %s was refused (%v) and is held: phantom", m.ID, err)
	case errors.Is(err, broker.ErrRefused) && errors.Is(err, broker.ErrUnsure):
		p.Errorf("message %s: %v is both refused and unsure", m.ID, err)
	case err != nil && !errors.Is(err, broker.ErrRefused) && !errors.Is(err, broker.ErrUnsure):
		p.Errorf("message %s: %v wraps neither ErrRefused nor ErrUnsure", m.ID, err)
	}
}
