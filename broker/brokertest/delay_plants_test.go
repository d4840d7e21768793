package brokertest_test

import (
	"context"
	"errors"
	"sync"
	"time"

	"acklab/broker"
	"acklab/task"
)

// delayPlants are what can be wrong with messages that have an ETA.
func delayPlants() []plant {
	held := "a message with an ETA is held until then and never comes before"
	thousand := "a thousand delayed messages come once each and none early"
	blocked := "a long delay does not hold up a short one"
	counted := "what waits for its ETA is in the census and in the depth"
	named := "a delayed message goes to the queue it names"
	closed := "a client that closes leaves its delayed messages where they are"
	behind := newLatest()
	return []plant{
		{name: "delivers before the ETA", caught: []string{held, thousand},
			publish: delaying(func(m *task.Message) { m.ETA = m.ETA.Add(-50 * time.Millisecond) })},
		{name: "holds no delays", caught: []string{held, thousand, blocked, counted},
			publish: delaying(func(m *task.Message) { m.ETA = time.Time{} })},
		{name: "is late", caught: []string{held, blocked},
			publish: delaying(func(m *task.Message) { m.ETA = m.ETA.Add(600 * time.Millisecond) })},
		{name: "holds short delays behind long ones", caught: []string{blocked},
			publish: delaying(behind.raise)},
		{name: "drops what is delayed", caught: []string{held, thousand, counted, named, closed},
			publish: delayed(func(publishFunc, context.Context, *task.Message) error { return nil })},
		{name: "stores what is delayed twice", caught: []string{held, thousand},
			publish: delayed(func(next publishFunc, ctx context.Context, m *task.Message) error {
				_ = next(ctx, m)[0]
				return next(ctx, m)[0]
			})},
		{name: "holds delays in the client", caught: []string{closed, counted, "a delayed publish to an unknown queue is refused as unroutable"},
			publish: delayed(func(next publishFunc, ctx context.Context, m *task.Message) error {
				time.AfterFunc(time.Until(m.ETA), func() { next(context.WithoutCancel(ctx), m) })
				return nil
			})},
		{name: "holds each delay with a goroutine", caught: []string{""},
			publish: delayed(func(next publishFunc, ctx context.Context, m *task.Message) error {
				go func() { <-time.After(time.Until(m.ETA)) }()
				return next(ctx, m)[0]
			})},
		{name: "delays into the next queue", caught: []string{named},
			publish: func(next publishFunc, ctx context.Context, msgs []*task.Message) []error {
				turned := make([]*task.Message, len(msgs))
				for i, m := range msgs {
					turned[i] = m
					if m.ETA.After(time.Now()) {
						other := *m
						other.Queue = msgs[(i+1)%len(msgs)].Queue
						turned[i] = &other
					}
				}
				return next(ctx, turned...)
			}},
		{name: "confirms a delay for no queue", caught: []string{"a delayed publish to an unknown queue is refused as unroutable"},
			publish: delayed(func(next publishFunc, ctx context.Context, m *task.Message) error {
				if err := next(ctx, m)[0]; !errors.Is(err, broker.ErrUnknownQueue) {
					return err
				}
				return nil
			})},
		{name: "delays for a year", caught: []string{"a delay of a year is refused"},
			publish: delaying(func(m *task.Message) {
				if most := time.Now().Add(task.MaxDelay - time.Minute); m.ETA.After(most) {
					m.ETA = most
				}
			})},
		{name: "holds what is overdue", caught: []string{"a message whose ETA has passed is not held"},
			publish: func(next publishFunc, ctx context.Context, msgs []*task.Message) []error {
				var all []*task.Message
				for _, m := range msgs {
					if now := time.Now(); !m.ETA.IsZero() && m.ETA.Before(now) {
						late := *m
						late.ETA = now.Add(time.Second)
						m = &late
					}
					all = append(all, m)
				}
				return next(ctx, all...)
			}},
		{name: "drops what expires while it waits", caught: []string{"a message with an ETA and an expiry is held for the one and keeps the other"},
			publish: delayed(func(next publishFunc, ctx context.Context, m *task.Message) error {
				if !m.Expires.IsZero() && m.Expires.Before(m.ETA.Add(time.Minute)) {
					return nil
				}
				return next(ctx, m)[0]
			})},
		{name: "census omits the delayed", caught: []string{counted, closed, "the census names what was put in every state"},
			census: func(h *broker.Held) bool { return h.State != broker.Delayed }},
		{name: "depth omits the delayed", caught: []string{counted, "the census names what was put in every state"},
			depth: func(d *broker.Depth) { *d.Delayed = 0 }},
		{name: "leaves the delays to the worker and holds them", caught: []string{"a message with an ETA is delivered at once for the worker to hold"},
			traits: func(t *broker.Traits) { t.Delay, t.DelayLate = broker.ByWorker, 0 }},
		{name: "claims to store what has no queue", caught: []string{"a publish to an unknown queue is stored", "a delayed publish to an unknown queue is stored"},
			traits: func(t *broker.Traits) { t.RefusesUnknownQueue = false }},
		{name: "claims to be never late", caught: []string{""},
			traits: func(t *broker.Traits) { t.DelayLate = 0 }},
	}
}

// delayed does something else with each message whose ETA is ahead.
func delayed(with func(publishFunc, context.Context, *task.Message) error) func(publishFunc, context.Context, []*task.Message) []error {
	return func(next publishFunc, ctx context.Context, msgs []*task.Message) []error {
		errs := make([]error, len(msgs))
		for i, m := range msgs {
			if m.ETA.After(time.Now()) {
				errs[i] = with(next, ctx, m)
			} else {
				errs[i] = next(ctx, m)[0]
			}
		}
		return errs
	}
}

// delaying publishes a changed copy of each message whose ETA is ahead.
func delaying(change func(*task.Message)) func(publishFunc, context.Context, []*task.Message) []error {
	return delayed(func(next publishFunc, ctx context.Context, m *task.Message) error {
		other := *m
		change(&other)
		return next(ctx, &other)[0]
	})
}

// latest is the last ETA of each queue.
type latest struct {
	mu  sync.Mutex
	eta map[string]time.Time
}

func newLatest() *latest { return &latest{eta: map[string]time.Time{}} }

// raise has a message wait behind those that came before it.
func (l *latest) raise(m *task.Message) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if last := l.eta[m.Queue]; last.After(m.ETA) {
		m.ETA = last
	}
	l.eta[m.Queue] = m.ETA
}
