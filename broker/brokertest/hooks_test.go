package brokertest_test

import (
	"context"
	"iter"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"acklab/broker"
	"acklab/broker/brokertest"
	"acklab/broker/memorybroker"
	"acklab/task"
)

func (p plant) start(t testing.TB) *brokertest.Server {
	if p.wire != nil {
		return p.startWire(t)
	}
	s := memorybroker.NewServer()
	through := func(open func(broker.Options) *memorybroker.Broker) func(testing.TB, broker.Options) broker.Broker {
		return func(t testing.TB, opts broker.Options) broker.Broker {
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
			c.Broker = open(opts)
			t.Cleanup(func() { _ = c.Close(context.Background()) })
			return c
		}
	}
	return &brokertest.Server{
		Open:           through(s.Open),
		OpenPriorities: through(s.OpenWithPriorities),
		Cut:            func(b broker.Broker) { b.(*client).Broker.Sever() },
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

func (deaf) Ack(context.Context, *broker.Delivery) error { return nil }

func (deaf) Requeue(context.Context, *broker.Delivery) error { return nil }

func (deaf) Reject(context.Context, *broker.Delivery, string) error { return nil }
