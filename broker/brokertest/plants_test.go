package brokertest_test

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"sync/atomic"
	"time"

	"acklab/broker"
	"acklab/task"
)

// plant is one fault in an otherwise right broker: hooks that stand between
// the suite and a memorybroker. A nil hook changes nothing.
type plant struct {
	name   string
	caught []string // tests that must fail

	open     func() // at Open
	traits   func(*broker.Traits)
	publish  func(next publishFunc, ctx context.Context, msgs []*task.Message) []error
	source   func(*broker.Subscription)
	observe  func(broker.Event) bool // false: swallow the event
	depth    func(*broker.Depth)
	census   func(*broker.Held) bool // false: leave it out
	receive  func(c *consumer, ctx context.Context) (*broker.Delivery, error)
	delivery func(*broker.Delivery)
	settle   func(c *consumer, s settlement) error
	stop     func(c *consumer, ctx context.Context) error
	close    func(c *consumer, ctx context.Context) error

	wire    *habits // not nil: over a network, without the hooks
	forgets bool    // the server loses the newest messages when it is killed
	// forgetsDelays: it loses what waits for its ETA.
	forgetsDelays bool
}

type publishFunc func(context.Context, ...*task.Message) []error

// settlement is one call of Ack, Requeue or Reject on its way to the broker.
type settlement struct {
	what   string
	reason string
	ctx    context.Context
	d      *broker.Delivery // the memorybroker's own
}

func (s settlement) apply() error {
	switch s.what {
	case "ack":
		return s.d.Ack(s.ctx)
	case "requeue":
		return s.d.Requeue(s.ctx)
	default:
		return s.d.Reject(s.ctx, s.reason)
	}
}

// every reports true at each nth call.
func every(n int64) func() bool {
	var calls atomic.Int64
	return func() bool { return calls.Add(1)%n == 0 }
}

func plants() []plant {
	seventh, fifth, third := every(7), every(5), every(3)
	return append(delayPlants(), []plant{
		{name: "drops after confirm", caught: []string{"publish confirms each of many messages", "closing a client under load leaves no false word",
			"producers and consumers carry on by themselves over closed connections"},
			publish: func(next publishFunc, ctx context.Context, msgs []*task.Message) []error {
				errs := make([]error, len(msgs))
				for i, m := range msgs {
					if !seventh() {
						errs[i] = next(ctx, m)[0]
					}
				}
				return errs
			}},
		{name: "stores twice", caught: []string{"publish confirms each of many messages", "eight producers and eight consumers run every task once"},
			publish: func(next publishFunc, ctx context.Context, msgs []*task.Message) []error {
				next(ctx, msgs...)
				return next(ctx, msgs...)
			}},
		{name: "stores and says refused", caught: []string{"closing a client under load leaves no false word"},
			publish: func(next publishFunc, ctx context.Context, msgs []*task.Message) []error {
				errs := next(ctx, msgs...)
				if len(errs) > 2 && fifth() {
					errs[2] = &broker.Refusal{Reason: broker.Full}
				}
				return errs
			}},
		{name: "returns errors in another order", caught: []string{"publish returns one error per message in order"},
			publish: func(next publishFunc, ctx context.Context, msgs []*task.Message) []error {
				errs := next(ctx, msgs...)
				slices.Reverse(errs)
				return errs
			}},
		{name: "confirms what has no queue", caught: []string{"a publish to an unknown queue is refused as unroutable"},
			publish: func(next publishFunc, ctx context.Context, msgs []*task.Message) []error {
				errs := next(ctx, msgs...)
				for i, err := range errs {
					if errors.Is(err, broker.ErrUnknownQueue) {
						errs[i] = nil
					}
				}
				return errs
			}},
		{name: "says unsure for refused", caught: []string{"a publish to an unknown queue is refused as unroutable", "a closed client refuses every call as closed"},
			publish: func(next publishFunc, ctx context.Context, msgs []*task.Message) []error {
				errs := next(ctx, msgs...)
				for i, err := range errs {
					if err != nil {
						errs[i] = broker.ErrUnsure
					}
				}
				return errs
			}},
		{name: "sends after the context has ended", caught: []string{"a publish after its context has ended is not confirmed"},
			publish: func(next publishFunc, ctx context.Context, msgs []*task.Message) []error {
				return next(context.WithoutCancel(ctx), msgs...)
			}},
		{name: "loses the keyword arguments", caught: []string{"publish then receive equals what was sent"},
			delivery: func(d *broker.Delivery) { m := *d.Message; m.Kwargs = nil; d.Message = &m }},
		{name: "cuts large arguments", caught: []string{"a message of one megabyte arrives byte for byte"},
			delivery: func(d *broker.Delivery) {
				if m := *d.Message; len(m.Args) == 1 && len(m.Args[0]) > 1<<19 {
					m.Args = []json.RawMessage{m.Args[0][:1<<19]}
					d.Message = &m
				}
			}},
		{name: "delivers twice", caught: []string{"eight producers and eight consumers run every task once"},
			receive: func(c *consumer, ctx context.Context) (*broker.Delivery, error) {
				if last := c.last.Load(); last != nil && third() {
					return &broker.Delivery{Message: last.Message, Queue: last.Queue, Session: last.Session, Seen: last.Seen, Count: last.Count, Settler: deaf{}}, nil
				}
				d, err := c.next(ctx)
				c.last.Store(d)
				return d, err
			}},
		{name: "takes more than the prefetch", caught: []string{"the broker keeps the prefetch", "the broker keeps the prefetch of each queue"},
			source: func(s *broker.Subscription) {
				for i := range s.Sources {
					s.Sources[i].Prefetch = s.PrefetchOf(i)
					if s.Sources[i].Prefetch > 0 {
						s.Sources[i].Prefetch++
					}
				}
			}},
		{name: "serves weighted as strict", caught: []string{"weighted order serves each queue by its weight", "weighted order holds with a prefetch of one"},
			source: func(s *broker.Subscription) {
				if s.Order == broker.Weighted {
					s.Order = broker.Strict
				}
			}},
		{name: "serves strict as weighted", caught: []string{"strict order serves the first queue first", "strict order holds with a prefetch of one", "a queue that is served first is served at once when it has something again"},
			source: func(s *broker.Subscription) {
				if s.Order == broker.Strict {
					s.Order = broker.Weighted
				}
			}},
		{name: "accepts any subscription", caught: []string{"an invalid subscription is refused"},
			source: func(s *broker.Subscription) {
				if s.Prefetch == 0 {
					s.Prefetch = 1
				}
			}},
		{name: "forgets a requeue", caught: []string{"a requeued message comes again with its mark", "after Requeue a second Ack changes nothing"},
			settle: func(_ *consumer, s settlement) error {
				if s.what == "requeue" {
					s.what = "ack"
				}
				return s.apply()
			}},
		{name: "requeues instead of acking", caught: []string{"an acked message is gone"},
			settle: func(_ *consumer, s settlement) error {
				if s.what == "ack" {
					s.what = "requeue"
				}
				return s.apply()
			}},
		{name: "drops what is rejected", caught: []string{"a rejected message is parked with its reason", "after Reject a second Ack changes nothing"},
			settle: func(_ *consumer, s settlement) error {
				if s.what == "reject" {
					s.what = "ack"
				}
				return s.apply()
			}},
		{name: "forgets the reason", caught: []string{"a rejected message is parked with its reason"},
			settle: func(_ *consumer, s settlement) error { s.reason = ""; return s.apply() }},
		{name: "says nothing of a stale ack", caught: []string{"a late ack of a dead session is stale and changes nothing", "a consumer goes on after the server closed its connection"},
			settle: func(_ *consumer, s settlement) error {
				if err := s.apply(); !errors.Is(err, broker.ErrStale) {
					return err
				}
				return nil
			}},
		{name: "lets a stale ack settle the new delivery", caught: []string{"a late ack of a dead session is stale and changes nothing", "a late ack settles no delivery of the next session"},
			settle: func(c *consumer, s settlement) error {
				err := s.apply()
				if errors.Is(err, broker.ErrStale) {
					if now := c.newest(s.d.Message.ID); now != s.d {
						s.d = now
						_ = s.apply()
					}
				}
				return err
			}},
		{name: "acks the neighbour", caught: []string{"an ack settles its own delivery and no other"},
			settle: func(c *consumer, s settlement) error {
				if other := c.neighbour(s.d); s.what == "ack" && other != nil {
					s.d = other
				}
				return s.apply()
			}},
		{name: "acks after the flush", caught: []string{"after a flush the server has processed every ack, 20 times", "a flush covers requeues and rejects"},
			settle: func(_ *consumer, s settlement) error {
				s.ctx = context.WithoutCancel(s.ctx)
				time.AfterFunc(20*time.Millisecond, func() { _ = s.apply() })
				return nil
			}},
		{name: "marks nothing", caught: []string{"a requeued message comes again with its mark", "an unfinished task of a dead consumer comes back with its mark"},
			delivery: func(d *broker.Delivery) { d.Seen = broker.SeenFirst }},
		{name: "marks everything", caught: []string{"a requeued message comes again with its mark"},
			delivery: func(d *broker.Delivery) { d.Seen = broker.SeenAgain }},
		{name: "does not count", caught: []string{"a requeued message comes again with its mark"},
			delivery: func(d *broker.Delivery) { d.Count = 1 }},
		{name: "keeps one session number", caught: []string{"a late ack of a dead session is stale and changes nothing", "a consumer goes on after the server closed its connection"},
			delivery: func(d *broker.Delivery) { d.Session = 1 }},
		{name: "makes up a lease", caught: []string{"a delivery has a lease only where there are leases"},
			delivery: func(d *broker.Delivery) { d.Lease = time.Now().Add(time.Minute) }},
		{name: "takes foreign bytes for a task", caught: []string{"foreign bytes arrive as a malformed delivery"},
			delivery: func(d *broker.Delivery) { d.Malformed = nil }},
		{name: "names the wrong queue", caught: []string{"publish then receive equals what was sent", "queues do not mix"},
			delivery: func(d *broker.Delivery) { d.Queue = "other" }},
		{name: "census omits the unacked", caught: []string{"the census and the depth see what is with a consumer"},
			census: func(h *broker.Held) bool { return h.State != broker.Unacked }},
		{name: "census omits the dead", caught: []string{"a rejected message is parked with its reason", "the census names what was put in every state"},
			census: func(h *broker.Held) bool { return h.State != broker.Dead }},
		{name: "census calls all queued", caught: []string{"the census names what was put in every state"},
			census: func(h *broker.Held) bool { h.State = broker.Queued; return true }},
		{name: "depth counts the dead as ready", caught: []string{"the census names what was put in every state"},
			depth: func(d *broker.Depth) { *d.Ready += *d.Dead }},
		{name: "depth tells nothing", caught: []string{"the census names what was put in every state"},
			depth: func(d *broker.Depth) { *d = broker.Depth{} }},
		{name: "receive ignores its context", caught: []string{"receive returns when its context ends"},
			receive: func(c *consumer, ctx context.Context) (*broker.Delivery, error) {
				return c.next(context.WithoutCancel(ctx))
			}},
		{name: "stop keeps what was not handed out", caught: []string{"stop gives back what was not handed out and lets the rest be settled", "an observer is told what stop gives back"},
			stop: func(c *consumer, _ context.Context) error { c.halted.Store(true); c.wake(); return nil }},
		{name: "stop gives back all", caught: []string{"stop gives back what was not handed out and lets the rest be settled"},
			stop: func(c *consumer, ctx context.Context) error { return c.Consumer.Close(ctx) }},
		{name: "close keeps what is unsettled", caught: []string{"close of a consumer gives back what is unsettled", "a settlement after close changes nothing"},
			close: func(c *consumer, ctx context.Context) error { return c.Consumer.Stop(ctx) }},
		{name: "reports no arrivals", caught: []string{"an observer is told of the session and of each arrival before it is received"},
			observe: func(e broker.Event) bool { return e.Kind != broker.Arrived }},
		{name: "reports no sessions", caught: []string{"an observer is told of the session and of each arrival before it is received"},
			observe: func(e broker.Event) bool { return e.Kind != broker.Connected }},
		{name: "claims an order it does not keep", caught: []string{"messages come in the order they were confirmed"},
			publish: func(next publishFunc, ctx context.Context, msgs []*task.Message) []error {
				back := slices.Clone(msgs)
				slices.Reverse(back)
				errs := next(ctx, back...)
				slices.Reverse(errs)
				return errs
			}},
		{name: "claims to see nothing unacked", caught: []string{"a census that cannot see what a consumer holds is an error"},
			traits: func(t *broker.Traits) { t.SeesUnacked = false },
			census: func(h *broker.Held) bool { return h.State != broker.Unacked }},
		{name: "serves the smaller priority first", caught: []string{"with priorities the larger is served first", "a message that comes later passes the less urgent that wait at the consumer"},
			publish: prioritized(func(p int) int { return 9 - p })},
		{name: "forgets priorities", caught: []string{"with priorities the larger is served first", "a message keeps its priority on every way back"},
			publish: prioritized(func(int) int { return 0 })},
		{name: "claims more priorities than it tells apart", caught: []string{"with priorities the larger is served first"},
			publish: prioritized(func(p int) int { return (p + 2) / 3 * 3 })},
		{name: "has priorities unasked", caught: []string{"a client that has priorities says how many it tells apart"},
			traits: func(t *broker.Traits) { t.Priority, t.PriorityLevels = broker.Native, 10 }},
		{name: "claims a size limit", caught: []string{"a message above the size limit is refused as too large"},
			traits: func(t *broker.Traits) { t.MaxPayload = 4096 }},
		{name: "leaves a goroutine behind", caught: []string{""},
			open: func() { go func() { select {} }() }},
	}...)
}

// prioritized publishes with another priority.
func prioritized(change func(int) int) func(publishFunc, context.Context, []*task.Message) []error {
	return func(next publishFunc, ctx context.Context, msgs []*task.Message) []error {
		changed := make([]*task.Message, len(msgs))
		for i, m := range msgs {
			other := *m
			other.Priority = change(m.Priority)
			changed[i] = &other
		}
		return next(ctx, changed...)
	}
}
