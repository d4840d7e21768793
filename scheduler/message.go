package scheduler

import (
	"encoding/binary"
	"time"

	"github.com/google/uuid"

	"acklab/task"
)

// DefaultQueue is where a task goes that neither its schedule nor a route names a
// queue for.
const DefaultQueue = "celery"

// address is the queue and the priority of a schedule's messages: its own, else
// those of the route for its task.
func (s Schedule) address(routes task.Routes) task.Options {
	to := routes.Apply(s.Task, task.Options{Queue: s.Queue, Priority: s.Priority, PriorityGiven: s.PriorityGiven})
	if to.Queue == "" {
		to.Queue = DefaultQueue
	}
	return to
}

// message is a tick as it is published to an address. It is the same whoever makes
// it, apart from origin.
func (s Schedule) message(t Tick, to task.Options, origin string) *task.Message {
	id := t.ID()
	m := &task.Message{ID: id, TaskID: id, Name: s.Task, Args: s.Args, Kwargs: s.Kwargs,
		Options: task.Options{Queue: to.Queue, Priority: to.Priority, Expires: s.expiry(t), Once: true, Origin: origin}}
	return m
}

// expiry is when the task of a tick expires, zero for never.
func (s Schedule) expiry(t Tick) time.Time {
	if s.Expires == 0 {
		return time.Time{}
	}
	return s.firing(t).Add(s.Expires).UTC()
}

// firing is when a tick is to be sent: its due time and its share of the jitter.
func (s Schedule) firing(t Tick) time.Time {
	if s.Jitter == 0 || t.ByHand {
		return t.Due
	}
	return t.Due.Add(share(t.ID(), s.Jitter))
}

// share is a part of d, from zero to less than d, that follows from an id alone.
func share(id string, d time.Duration) time.Duration {
	u := uuid.MustParse(id)
	// The last six bytes of a UUIDv5 are hash and nothing else.
	hash := uint64(binary.BigEndian.Uint16(u[10:12]))<<32 | uint64(binary.BigEndian.Uint32(u[12:16]))
	return time.Duration(float64(hash) / (1 << 48) * float64(d))
}
