package redisstore

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"acklab/scheduler"
)

// leadership is one term: a lease that keep renews.
type leadership struct {
	on     lease
	term   scheduler.Term
	length time.Duration
	log    *slog.Logger

	mu       sync.Mutex
	deadline time.Time // with its monotonic part
	lost     chan struct{}
	over     bool // lost is closed
}

var _ scheduler.Leadership = (*leadership)(nil)

// newLeadership is a lease that was asked for at a moment.
func newLeadership(on lease, term scheduler.Term, asked time.Time, length time.Duration, log *slog.Logger) *leadership {
	return &leadership{on: on, term: term, length: length, log: log, deadline: asked.Add(length), lost: make(chan struct{})}
}

// Term implements scheduler.Leadership.
func (l *leadership) Term() scheduler.Term { return l.term }

// Deadline implements scheduler.Leadership.
func (l *leadership) Deadline() time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.deadline
}

// Lost implements scheduler.Leadership.
func (l *leadership) Lost() <-chan struct{} { return l.lost }

// Resign implements scheduler.Leadership. The term is over at once, also when the
// store does not hear of it; its lease then runs out.
func (l *leadership) Resign(ctx context.Context) error {
	l.end()
	return l.on.resign(ctx, l.term)
}

// end ends the term here.
func (l *leadership) end() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.over {
		l.over = true
		l.deadline = time.Now()
		close(l.lost)
	}
}

// keep renews a third into the lease, and every tenth of it where that was not
// answered, until the term has ended or life ends.
func (l *leadership) keep(life context.Context) {
	defer l.end()
	next := l.length / 3
	for {
		if !l.wait(life, next) {
			return
		}
		asked := time.Now()
		ctx, cancel := context.WithDeadline(life, l.Deadline())
		stands, err := l.on.renew(ctx, l.term)
		cancel()
		switch {
		case err != nil:
			if life.Err() == nil {
				l.log.Warn("the lease could not be renewed", "term", l.term, "left", time.Until(l.Deadline()).Round(time.Millisecond), "err", err)
			}
			next = l.length / 10
		case !stands:
			l.log.Warn("the lease is gone", "term", l.term)
			return
		default:
			l.extend(asked.Add(l.length))
			next = l.length / 3
		}
	}
}

// extend moves the deadline, unless the term has ended: it has, if the reply came
// after the deadline, and whoever asks for it then is not told another one.
func (l *leadership) extend(deadline time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.over && time.Now().Before(l.deadline) {
		l.deadline = deadline
	}
}

// wait waits, but not beyond the deadline; false: the term has ended.
func (l *leadership) wait(life context.Context, d time.Duration) bool {
	timer := time.NewTimer(min(d, time.Until(l.Deadline())))
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-l.lost:
		return false
	case <-life.Done():
		return false
	}
	return time.Now().Before(l.Deadline())
}
