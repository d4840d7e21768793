package memorybroker

import (
	"cmp"
	"slices"

	"github.com/google/uuid"

	"acklab/broker"
	"acklab/task"
)

// item is one message that the server holds.
type item struct {
	seq       uint64 // its place in the order of arrival
	msg       *task.Message
	malformed error
	delivered int    // how often
	reason    string // why it is dead
}

// place is where among the items this one belongs: in the order of arrival.
func (it *item) place(o *item) int { return cmp.Compare(it.seq, o.seq) }

// urgency is where it belongs in a queue with priorities.
func (it *item) urgency(o *item) int {
	return cmp.Or(cmp.Compare(o.msg.Priority, it.msg.Priority), it.place(o))
}

// queue holds the items of one queue, each in one of four places. Its fields
// are guarded by Server.mu.
type queue struct {
	name      string
	urgent    bool    // it has priorities
	ready     []*item // in the order in which they are to be delivered
	unacked   map[*item]struct{}
	delayed   map[*item]struct{} // in Server.delays too
	dead      []*item
	consumers []*consumer // the next one to serve first
}

func newQueue(name string, urgent bool) *queue {
	return &queue{name: name, urgent: urgent, unacked: map[*item]struct{}{}, delayed: map[*item]struct{}{}}
}

// add puts an item among the ready ones, at its place.
func (q *queue) add(it *item) {
	order := (*item).place
	if q.urgent {
		order = (*item).urgency
	}
	i, _ := slices.BinarySearchFunc(q.ready, it, order)
	q.ready = slices.Insert(q.ready, i, it)
}

// dispatch delivers ready items, the first first, to consumers in turn, until
// there are none or no consumer has room.
func (q *queue) dispatch() {
	for len(q.ready) > 0 {
		i := slices.IndexFunc(q.consumers, func(c *consumer) bool { return c.hasRoom(q.name) })
		if i < 0 {
			return
		}
		it, c := q.ready[0], q.consumers[i]
		q.ready = slices.Delete(q.ready, 0, 1)
		q.consumers = append(slices.Delete(q.consumers, i, i+1), c)
		q.unacked[it] = struct{}{}
		it.delivered++
		c.deliver(q, it)
	}
}

// giveBack makes an unacked item ready again, at the place it had.
func (q *queue) giveBack(it *item) {
	delete(q.unacked, it)
	q.add(it)
}

// forget ends an unacked item.
func (q *queue) forget(it *item) { delete(q.unacked, it) }

// park moves an unacked item to the dead letters.
func (q *queue) park(it *item, reason string) {
	delete(q.unacked, it)
	it.reason = reason
	q.dead = append(q.dead, it)
}

// held is everything the queue holds: the ready, the unacked, the delayed, the
// dead.
func (q *queue) held() []broker.Held {
	var all []broker.Held
	add := func(it *item, state broker.State) {
		all = append(all, broker.Held{Message: it.msg, Queue: q.name, State: state, Reason: it.reason, Count: it.delivered})
	}
	for _, it := range q.ready {
		add(it, broker.Queued)
	}
	for it := range q.unacked {
		add(it, broker.Unacked)
	}
	for it := range q.delayed {
		add(it, broker.Delayed)
	}
	for _, it := range q.dead {
		add(it, broker.Dead)
	}
	return all
}

func (q *queue) remove(c *consumer) {
	q.consumers = slices.DeleteFunc(q.consumers, func(o *consumer) bool { return o == c })
}

// foreign is the message of a body that could not be read.
func foreign(queue string) *task.Message {
	return &task.Message{ID: "made-up-" + uuid.NewString(), Options: task.Options{Queue: queue}}
}
