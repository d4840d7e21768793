package worker

import (
	"context"
	"fmt"
	"sync"

	"acklab/task"
)

// queues are those that this worker has declared. The zero value has none.
type queues struct{ known sync.Map }

// queue is one of them. Who finds it being declared waits for that: before, there
// is nothing to publish to.
type queue struct {
	turn chan struct{} // holds one: whoever declares it
	made bool
}

func newQueue(made bool) *queue { return &queue{turn: make(chan struct{}, 1), made: made} }

// add notes a queue that exists.
func (q *queues) add(name string) { q.known.Store(name, newQueue(true)) }

// drop forgets a queue that turned out not to exist.
func (q *queues) drop(name string) { q.known.Delete(name) }

// ensure runs declare for a queue that is not known to exist; it is once that has
// succeeded. Callers with the same queue take turns; who has had none when ctx ends
// goes without.
func (q *queues) ensure(ctx context.Context, name string, declare func() error) error {
	found, ok := q.known.Load(name)
	if !ok {
		found, _ = q.known.LoadOrStore(name, newQueue(false))
	}
	one := found.(*queue)
	select {
	case one.turn <- struct{}{}:
		defer func() { <-one.turn }()
	case <-ctx.Done():
		return fmt.Errorf("it is still being declared for another task: %w", ctx.Err())
	}
	if one.made {
		return nil
	}
	err := declare()
	one.made = err == nil
	return err
}

// declare makes the queues of messages exist, those that this worker has not seen
// yet: a workflow may go on in a queue that nobody has consumed from. What comes of
// a queue that cannot be declared, its publish tells.
func (w *Worker) declare(ctx context.Context, ms []*task.Message) {
	tried := map[string]bool{}
	for _, m := range ms {
		if tried[m.Queue] {
			continue
		}
		tried[m.Queue] = true
		within, cancel := context.WithTimeout(ctx, publishWithin)
		err := w.declared.ensure(within, m.Queue, func() error { return w.broker.Declare(within, m.Queue) })
		cancel()
		if err != nil {
			w.log.Warn("cannot declare the queue of what follows a task", "queue", m.Queue, "err", err)
		}
	}
}
