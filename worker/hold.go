package worker

import (
	"container/heap"
	"context"
	"sync"
	"time"

	"acklab/broker"
)

// waiting holds deliveries until their ETA, unacknowledged, where the broker
// leaves delays to its workers, as Celery does with all brokers: none of them
// takes a slot, and all of them go back when the worker stops. Safe for
// concurrent use.
type waiting struct {
	mu      sync.Mutex
	held    byETA
	stopped bool
	turn    context.Context // ends when the first of held is due
	ended   context.CancelFunc
	timer   *time.Timer
}

// hold keeps d until its ETA.
func (w *waiting) hold(d *broker.Delivery) {
	w.mu.Lock()
	defer w.mu.Unlock()
	heap.Push(&w.held, d)
	w.wind()
}

// due takes out a delivery whose time has come, or nothing.
func (w *waiting) due(now time.Time) *broker.Delivery {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.stopped || len(w.held) == 0 || w.held[0].Message.ETA.After(now) {
		return nil
	}
	d := heap.Pop(&w.held).(*broker.Delivery)
	w.wind()
	return d
}

// stop has nothing handed out any more, whatever is due: it is to go back.
func (w *waiting) stop() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.stopped = true
	w.wind()
}

// all takes out everything.
func (w *waiting) all() []*broker.Delivery {
	w.mu.Lock()
	defer w.mu.Unlock()
	held := w.held
	w.held = nil
	w.wind()
	return held
}

// until is ctx, the same at each call, that ends also when something is due.
func (w *waiting) until(ctx context.Context) context.Context {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.turn == nil || w.turn.Err() != nil {
		w.turn, w.ended = context.WithCancel(ctx)
		w.wind()
	}
	return w.turn
}

// wind sets the timer to the first of those that are held.
func (w *waiting) wind() {
	if w.timer != nil {
		w.timer.Stop()
		w.timer = nil
	}
	if len(w.held) > 0 && w.turn != nil && !w.stopped {
		w.timer = time.AfterFunc(time.Until(w.held[0].Message.ETA), w.ended)
	}
}

// byETA is a heap, the first to be due on top.
type byETA []*broker.Delivery

// Len, Less, Swap, Push and Pop implement heap.Interface.
func (h byETA) Len() int           { return len(h) }
func (h byETA) Less(i, j int) bool { return h[i].Message.ETA.Before(h[j].Message.ETA) }
func (h byETA) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *byETA) Push(x any)        { *h = append(*h, x.(*broker.Delivery)) }
func (h *byETA) Pop() any {
	last := len(*h) - 1
	d := (*h)[last]
	(*h)[last] = nil
	*h = (*h)[:last]
	return d
}
