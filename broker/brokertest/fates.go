package brokertest

import (
	"errors"
	"fmt"
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

// count is how many messages are confirmed.
func (f *fates) count() int { return f.add(nil, nil) }

// check compares all fates with the census of the queue.
func (f *fates) check(p *probe, b broker.Broker, queue string) {
	p.Helper()
	f.mu.Lock()
	defer f.mu.Unlock()
	p.quiet(queue)
	held := p.census(b, queue)
	known := map[string]bool{}
	unsure, wrong := 0, 0
	for i, m := range f.msgs {
		known[m.ID] = true
		if errors.Is(f.errs[i], broker.ErrUnsure) {
			unsure++
		}
		if what := judge(f.errs[i], m, held); what != "" {
			if wrong++; wrong <= 3 {
				p.Error(what)
			}
		}
	}
	if wrong > 3 {
		p.Errorf("and so on: %d of %d messages have another fate than Publish said", wrong, len(f.msgs))
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

// judge compares what Publish said about a message with the census, and says
// what is wrong.
func judge(err error, m *task.Message, held map[string]broker.Held) string {
	_, there := held[m.ID]
	refused, unsure := errors.Is(err, broker.ErrRefused), errors.Is(err, broker.ErrUnsure)
	switch {
	case err == nil && !there:
		return fmt.Sprintf("message %s was confirmed and is not held: lost", m.ID)
	case refused && there:
		return fmt.Sprintf("message %s was refused (%v) and is held: phantom", m.ID, err)
	case refused && unsure:
		return fmt.Sprintf("message %s: %v is both refused and unsure", m.ID, err)
	case err != nil && !refused && !unsure:
		return fmt.Sprintf("message %s: %v wraps neither ErrRefused nor ErrUnsure", m.ID, err)
	}
	return ""
}
