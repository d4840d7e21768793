package redisstore

import (
	"context"
	"log/slog"
	"time"

	"acklab/scheduler"
)

// The pauses of a candidate whose Redis does not answer.
const (
	pauseMin = 100 * time.Millisecond
	pauseMax = time.Second
	// slack is added to what is left of a lease, so that it has ended when the
	// candidate looks again.
	slack = 2 * time.Millisecond
)

// Campaign implements scheduler.Elector. While another one leads it waits for
// that lease to end or to be given back; what it costs meanwhile is a question
// each lease, and a subscription. One campaign at a time: a client takes its own
// lease from itself.
func (s *Store) Campaign(ctx context.Context) (scheduler.Leadership, error) {
	s.mu.Lock()
	least := s.own
	s.mu.Unlock()
	l, err := campaign(ctx, redisLease{s}, s.opts.Lease, least, s.opts.Log)
	if err != nil {
		return nil, err
	}
	if !s.start(func() { l.keep(s.life) }) {
		return nil, s.failed("keep the lease", context.Canceled)
	}
	s.begun(l)
	return l, nil
}

// campaign blocks until it has a lease that can still be trusted.
func campaign(ctx context.Context, on lease, length time.Duration, least scheduler.Term, log *slog.Logger) (*leadership, error) {
	listening, end := context.WithCancel(ctx)
	defer end()
	resigned := on.resignations(listening)
	pause, told := pauseMin, ""
	for {
		asked := time.Now()
		within, cancel := context.WithDeadline(ctx, asked.Add(length))
		b, err := on.elect(within, least)
		cancel()
		wait := min(b.left, length) + slack
		switch {
		case ctx.Err() != nil:
			return nil, context.Cause(ctx)
		case err != nil && hopeless(err):
			return nil, err
		case err != nil:
			if err.Error() != told { // once, however long it lasts
				told = err.Error()
				log.Warn("no leader can be elected; trying again", "err", err)
			}
			wait, pause = pause, min(2*pause, pauseMax)
		case b.term != 0:
			least = b.term
			if l := newLeadership(on, b.term, asked, length, log); time.Now().Before(l.Deadline()) {
				return l, nil
			}
			wait = 0 // the answer came too late to be of use
		default:
			pause = pauseMin
			if b.holder != told {
				told = b.holder
				log.Info("another scheduler leads", "leader", b.holder)
			}
			if b.left < 0 { // no lease of ours: it never ends by itself
				wait = length
			}
		}
		if err := rest(ctx, wait, resigned); err != nil {
			return nil, err
		}
	}
}

// rest waits, or until somebody has resigned.
func rest(ctx context.Context, d time.Duration, resigned <-chan struct{}) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-resigned:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	return nil
}
