package brokertest_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"iter"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"acklab/broker"
	"acklab/broker/brokertest"
	"acklab/broker/memorybroker"
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
	return []plant{
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
				if len(errs) == 5 && fifth() {
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
		{name: "serves weighted as strict", caught: []string{"weighted order serves each queue by its weight"},
			source: func(s *broker.Subscription) {
				if s.Order == broker.Weighted {
					s.Order = broker.Strict
				}
			}},
		{name: "serves strict as weighted", caught: []string{"strict order serves the first queue first"},
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
		{name: "claims to hold delays", caught: []string{"a message with an ETA is held until then"},
			traits: func(t *broker.Traits) { t.Delay = broker.Native }},
		{name: "claims priorities", caught: []string{"a high priority is served as the traits say"},
			traits: func(t *broker.Traits) { t.Priority, t.HighFirst = broker.Native, true }},
		{name: "claims a size limit", caught: []string{"a message above the size limit is refused as too large"},
			traits: func(t *broker.Traits) { t.MaxPayload = 4096 }},
		{name: "leaves a goroutine behind", caught: []string{""},
			open: func() { go func() { select {} }() }},
	}
}

const plantVariable = "ACKLAB_BROKERTEST_PLANT"

// TestPlantedFaultsAreCaught runs the suite in a child process for each
// fault, and wants the tests that are named to fail.
func TestPlantedFaultsAreCaught(t *testing.T) {
	t.Parallel()
	for _, p := range append(plants(), wirePlants()...) {
		if len(p.caught) == 0 {
			continue // nothing is wrong with it
		}
		t.Run(p.name, func(t *testing.T) {
			t.Parallel()
			out, err := runPlanted(t, p.name)
			if err == nil {
				t.Fatalf("the suite passes with this fault:\n%s", out)
			}
			for _, name := range p.caught {
				if !failed(out, name) {
					t.Errorf("test %q does not fail with this fault:\n%s", name, tail(out))
				}
			}
		})
	}
}

// failed tells whether the output says so of the test; of the whole suite if
// the name is empty.
func failed(out []byte, name string) bool {
	for line := range strings.Lines(string(out)) {
		if rest, ok := strings.CutPrefix(strings.TrimSpace(line), "--- FAIL: TestSuite"); ok {
			whole, _, _ := strings.Cut(rest, " (")
			if name == "" && whole == "" || name != "" && strings.HasSuffix(whole, "/"+strings.ReplaceAll(name, " ", "_")) {
				return true
			}
		}
	}
	return false
}

func tail(out []byte) []byte { return out[max(0, len(out)-6000):] }

func runPlanted(t *testing.T, name string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, os.Args[0], "-test.run=^TestSuite$", "-test.v", "-test.timeout=2m")
	cmd.Env = append(os.Environ(), plantVariable+"="+name)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && (!errors.As(err, &exit) || exit.ExitCode() != 1) {
		t.Fatalf("run the suite in a child: %v\n%s", err, tail(out.Bytes()))
	}
	if bytes.Contains(out.Bytes(), []byte("panic:")) {
		t.Fatalf("the suite panics:\n%s", tail(out.Bytes()))
	}
	return out.Bytes(), err
}

// TestSuite runs the suite over the hooks: of the fault that the environment
// names, or of none, which must pass.
func TestSuite(t *testing.T) {
	name := os.Getenv(plantVariable)
	all := append(append(plants(), wirePlants()...), plant{})
	i := slices.IndexFunc(all, func(p plant) bool { return p.name == name })
	if i < 0 {
		t.Fatalf("no plant %q", name)
	}
	h := brokertest.Harness{Start: all[i].start}
	if name != "" {
		h.Patience = 400 * time.Millisecond // something will not come
	}
	brokertest.Run(t, h)
}

// TestSuiteOverANetwork is TestSuite with nothing wrong, over TCP, where
// servers can be killed and frozen.
func TestSuiteOverANetwork(t *testing.T) {
	if os.Getenv(plantVariable) != "" {
		t.Skip("a child runs TestSuite")
	}
	brokertest.Run(t, brokertest.Harness{Start: plant{wire: &habits{}}.start})
}

func (p plant) start(t testing.TB) *brokertest.Server {
	if p.wire != nil {
		return p.startWire(t)
	}
	s := memorybroker.NewServer()
	return &brokertest.Server{
		Open: func(t testing.TB, opts broker.Options) broker.Broker {
			if p.open != nil {
				p.open()
			}
			if p.observe != nil {
				tell := opts
				opts.Observe = func(e broker.Event) {
					if p.observe(e) {
						tell.Tell(e)
					}
				}
			}
			c := &client{plant: p, twins: newTwins()}
			if opts.Observe != nil {
				tell := opts.Observe
				opts.Observe = func(e broker.Event) { c.twins.rename(&e); tell(e) }
			}
			c.Broker = s.Open(opts)
			t.Cleanup(func() { _ = c.Close(context.Background()) })
			return c
		},
		Cut: func(b broker.Broker) { b.(*client).Broker.Sever() },
		View: func(_ context.Context, queue string) (brokertest.View, error) {
			ready, unacked := s.View(queue)
			return brokertest.View{Ready: ready, Unacked: unacked}, nil
		},
		PutRaw:           func(_ context.Context, queue string, body []byte) error { return s.PutRaw(queue, body) },
		CloseConnections: func(context.Context) error { s.CloseConnections(); return nil },
	}
}

// client is a memorybroker behind the hooks of a plant.
type client struct {
	*memorybroker.Broker
	plant plant
	twins *twins
}

func (b *client) Traits() broker.Traits {
	t := b.Broker.Traits()
	if b.plant.traits != nil {
		b.plant.traits(&t)
	}
	return t
}

func (b *client) Publish(ctx context.Context, msgs ...*task.Message) []error {
	if b.plant.publish != nil {
		return b.plant.publish(b.Broker.Publish, ctx, msgs)
	}
	return b.Broker.Publish(ctx, msgs...)
}

func (b *client) Depth(ctx context.Context, queue string) (broker.Depth, error) {
	d, err := b.Broker.Depth(ctx, queue)
	if err == nil && b.plant.depth != nil {
		b.plant.depth(&d)
	}
	return d, err
}

func (b *client) Census(ctx context.Context, queue string) iter.Seq2[broker.Held, error] {
	return func(yield func(broker.Held, error) bool) {
		for h, err := range b.Broker.Census(ctx, queue) {
			if err == nil && b.plant.census != nil && !b.plant.census(&h) {
				continue
			}
			if !yield(h, err) {
				return
			}
		}
	}
}

func (b *client) Consume(ctx context.Context, s broker.Subscription) (broker.Consumer, error) {
	if b.plant.source != nil {
		s.Sources = slices.Clone(s.Sources)
		b.plant.source(&s)
	}
	inner, err := b.Broker.Consume(ctx, s)
	if err != nil {
		return nil, err
	}
	return &consumer{Consumer: inner, client: b, woken: make(chan struct{})}, nil
}

// consumer is a memorybroker's behind the hooks of a plant.
type consumer struct {
	broker.Consumer
	client *client
	last   atomic.Pointer[broker.Delivery]
	halted atomic.Bool
	woken  chan struct{}
	once   sync.Once
}

func (c *consumer) wake() { c.once.Do(func() { close(c.woken) }) }

func (c *consumer) Receive(ctx context.Context) (*broker.Delivery, error) {
	if c.client.plant.receive != nil {
		return c.client.plant.receive(c, ctx)
	}
	return c.next(ctx)
}

// next receives from the memorybroker and hands out the twin.
func (c *consumer) next(ctx context.Context) (*broker.Delivery, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		select {
		case <-c.woken:
			cancel()
		case <-ctx.Done():
		}
	}()
	if c.halted.Load() {
		return nil, broker.ErrClosed
	}
	d, err := c.Consumer.Receive(ctx)
	if c.halted.Load() && err != nil {
		return nil, broker.ErrClosed
	}
	if err != nil {
		return nil, err
	}
	return c.client.twins.of(c, d), nil
}

func (c *consumer) Stop(ctx context.Context) error {
	if c.client.plant.stop != nil {
		return c.client.plant.stop(c, ctx)
	}
	return c.Consumer.Stop(ctx)
}

func (c *consumer) Close(ctx context.Context) error {
	if c.client.plant.close != nil {
		return c.client.plant.close(c, ctx)
	}
	return c.Consumer.Close(ctx)
}

// newest is the latest delivery of a message.
func (c *consumer) newest(id string) *broker.Delivery {
	t := c.client.twins
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, d := range slices.Backward(t.order) {
		if d.Message.ID == id {
			return d
		}
	}
	return nil
}

// neighbour is an unsettled delivery of another message.
func (c *consumer) neighbour(of *broker.Delivery) *broker.Delivery {
	t := c.client.twins
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, d := range t.order {
		if d != of && d.Queue == of.Queue && !d.Settled() {
			return d
		}
	}
	return nil
}

// twins pairs each delivery of the memorybroker with the one that the suite
// sees, whose settlements go through the hooks.
type twins struct {
	mu    sync.Mutex
	outer map[*broker.Delivery]*broker.Delivery
	order []*broker.Delivery // the memorybroker's own, as handed out
}

func newTwins() *twins { return &twins{outer: map[*broker.Delivery]*broker.Delivery{}} }

// of makes or finds the twin of d; c is nil while it has only arrived.
func (t *twins) of(c *consumer, d *broker.Delivery) *broker.Delivery {
	t.mu.Lock()
	defer t.mu.Unlock()
	twin := t.outer[d]
	if twin == nil {
		twin = &broker.Delivery{Message: d.Message, Malformed: d.Malformed, Queue: d.Queue, Session: d.Session, Seen: d.Seen, Count: d.Count}
		t.outer[d] = twin
	}
	if c != nil && twin.Settler == nil {
		twin.Settler = hooked{c, d}
		t.order = append(t.order, d)
		if c.client.plant.delivery != nil {
			c.client.plant.delivery(twin)
		}
	}
	return twin
}

func (t *twins) rename(e *broker.Event) {
	if e.Delivery != nil {
		e.Delivery = t.of(nil, e.Delivery)
	}
}

// hooked is the settler of a twin.
type hooked struct {
	c *consumer
	d *broker.Delivery
}

func (h hooked) settle(s settlement) error {
	if h.c.client.plant.settle != nil {
		return h.c.client.plant.settle(h.c, s)
	}
	return s.apply()
}

func (h hooked) Ack(ctx context.Context, _ *broker.Delivery) error {
	return h.settle(settlement{"ack", "", ctx, h.d})
}

func (h hooked) Requeue(ctx context.Context, _ *broker.Delivery) error {
	return h.settle(settlement{"requeue", "", ctx, h.d})
}

func (h hooked) Reject(ctx context.Context, _ *broker.Delivery, reason string) error {
	return h.settle(settlement{"reject", reason, ctx, h.d})
}

// deaf is the settler of a delivery that the broker knows nothing of.
type deaf struct{}

func (deaf) Ack(context.Context, *broker.Delivery) error            { return nil }
func (deaf) Requeue(context.Context, *broker.Delivery) error        { return nil }
func (deaf) Reject(context.Context, *broker.Delivery, string) error { return nil }
