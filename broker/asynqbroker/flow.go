package asynqbroker

import (
	"sync"
	"time"
)

// handover is how long a task may take from asynq's dequeue to the inbox. asynq
// keeps some for itself, those that it cannot decode or whose deadline has passed:
// nothing more is heard of them.
const handover = 100 * time.Millisecond

// flow follows the tasks of a feed from asynq's dequeue to the inbox: what was
// dequeued goes through goroutines of asynq, so a later dequeue may find the
// queue empty before the task of an earlier one is here.
type flow struct {
	dry func() // told when nothing is left at the broker, and nothing on its way

	mu     sync.Mutex
	coming int       // dequeued and not in the inbox
	last   time.Time // when the latest of these was dequeued
	empty  bool      // nothing was found, after all those
}

// took: a task was dequeued.
func (f *flow) took() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.coming++
	f.last = time.Now()
	f.empty = false
}

// none: a dequeue found nothing.
func (f *flow) none() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.empty = true
	if time.Since(f.last) > handover {
		f.coming = 0
	}
	f.tell()
}

// came: a dequeued task is in the inbox, or will never be.
func (f *flow) came() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.coming = max(f.coming-1, 0)
	f.tell()
}

func (f *flow) tell() {
	if f.empty && f.coming <= 0 {
		f.dry()
	}
}
