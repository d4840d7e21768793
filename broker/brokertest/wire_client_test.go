package brokertest_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"net"
	"sync"
	"time"

	"acklab/broker"
	"acklab/broker/memorybroker"
	"acklab/task"
)

// habits are what a driver may do wrong on a network.
type habits struct {
	resends      bool // publishes again when the reply is lost
	sureOfLoss   bool // calls a lost reply a refusal
	sureOfStore  bool // calls a lost reply a confirm
	impatient    bool // publishes again when there is no reply within a moment
	noDeadline   bool // waits for a reply for ever
	noReconnect  bool
	oldTags      bool // sends settlements of a dead session on the new one
	flushesLocal bool // does not ask the server
	parksLate    bool // rejects by an ack and then a publish of its own
	keepsBuffer  bool // hands out what a dead session had sent
	leaks        bool // leaves its connections open
}

// wireBroker is a client of a wireServer: a right driver, unless it has
// habits. What is not about the network goes to the memorybroker directly.
type wireBroker struct {
	*memorybroker.Broker
	addr   string
	opts   broker.Options
	habits habits

	turn chan struct{} // holds a token while nobody publishes
	conn net.Conn
	in   *json.Decoder

	mu        sync.Mutex
	consumers map[*wireConsumer]struct{}
	ctx       context.Context
	end       context.CancelFunc
}

func newWireBroker(s *wireServer, addr string, opts broker.Options, h habits) *wireBroker {
	b := &wireBroker{Broker: s.mem.Open(broker.Options{}), addr: addr, opts: opts, habits: h,
		turn: make(chan struct{}, 1), consumers: map[*wireConsumer]struct{}{}}
	b.ctx, b.end = context.WithCancel(context.Background())
	b.turn <- struct{}{}
	return b
}

func (b *wireBroker) Publish(ctx context.Context, msgs ...*task.Message) []error {
	errs := make([]error, len(msgs))
	select {
	case <-b.turn:
	case <-ctx.Done():
		return fillErrs(errs, &broker.Refusal{Reason: broker.Cancelled, Err: ctx.Err()})
	}
	defer func() { b.turn <- struct{}{} }()
	for i, m := range msgs {
		if b.habits.impatient {
			moment, end := context.WithTimeout(ctx, 300*time.Millisecond)
			_ = b.publish(moment, m)
			end()
			b.hangUp()
		}
		if errs[i] = b.publish(ctx, m); errors.Is(errs[i], broker.ErrUnsure) {
			b.hangUp()
			if b.habits.resends {
				errs[i] = b.publish(ctx, m)
			}
		}
	}
	return errs
}

func fillErrs(errs []error, err error) []error {
	for i := range errs {
		errs[i] = err
	}
	return errs
}

func (b *wireBroker) publish(ctx context.Context, m *task.Message) error {
	switch {
	case b.ctx.Err() != nil:
		return &broker.Refusal{Reason: broker.Closed}
	case ctx.Err() != nil:
		return &broker.Refusal{Reason: broker.Cancelled, Err: ctx.Err()}
	}
	if b.conn == nil {
		conn, err := new(net.Dialer).DialContext(ctx, "tcp", b.addr)
		if err != nil {
			return &broker.Refusal{Reason: broker.Unreachable, Err: err}
		}
		b.conn, b.in = conn, json.NewDecoder(conn)
	}
	if !b.habits.noDeadline {
		conn := b.conn
		defer context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })()
	}
	var r reply
	err := json.NewEncoder(b.conn).Encode(request{Op: "publish", Message: m})
	if err == nil {
		err = b.in.Decode(&r)
	}
	switch {
	case err != nil && b.habits.sureOfLoss:
		b.hangUp()
		return &broker.Refusal{Reason: broker.Unreachable, Err: err}
	case err != nil && b.habits.sureOfStore:
		b.hangUp()
		return nil
	case err != nil:
		return fmt.Errorf("%w: %w", broker.ErrUnsure, err)
	case r.Reason != "":
		b.opts.Tell(broker.Event{Kind: broker.Returned, Queue: m.Queue, MessageID: m.ID})
		return &broker.Refusal{Reason: r.Reason}
	}
	return nil
}

func (b *wireBroker) hangUp() {
	if b.conn != nil && !b.habits.leaks {
		_ = b.conn.Close()
	}
	b.conn = nil
}

// use is the error of a call that cannot begin.
func (b *wireBroker) use() error {
	if b.ctx.Err() != nil {
		return broker.ErrClosed
	}
	return nil
}

func (b *wireBroker) Census(ctx context.Context, queue string) iter.Seq2[broker.Held, error] {
	if err := b.use(); err != nil {
		return func(yield func(broker.Held, error) bool) { yield(broker.Held{}, err) }
	}
	return b.Broker.Census(ctx, queue)
}

func (b *wireBroker) Traits() broker.Traits {
	t := b.Broker.Traits()
	t.System, t.Server, t.SurvivesKill = "wire", "wire", true
	return t
}

func (b *wireBroker) Close(ctx context.Context) error {
	b.end()
	b.mu.Lock()
	var all []*wireConsumer
	for c := range b.consumers {
		all = append(all, c)
	}
	b.mu.Unlock()
	var errs []error
	for _, c := range all {
		errs = append(errs, c.Close(ctx))
	}
	select {
	case <-b.turn:
		b.hangUp()
		b.turn <- struct{}{}
	case <-ctx.Done():
	}
	return errors.Join(append(errs, b.Broker.Close(ctx))...)
}

func (b *wireBroker) Consume(ctx context.Context, s broker.Subscription) (broker.Consumer, error) {
	if err := errors.Join(b.use(), s.Check()); err != nil {
		return nil, err
	}
	c := &wireConsumer{broker: b, sub: s, inbox: broker.NewInbox(s), out: map[*broker.Delivery]int{}}
	c.inbox.ExpectRefills(afterAWhile)
	c.ctx, c.end = context.WithCancel(context.Background())
	in, err := c.connect(ctx)
	if err != nil {
		return nil, err
	}
	b.mu.Lock()
	b.consumers[c] = struct{}{}
	b.mu.Unlock()
	c.wait.Go(func() { c.run(in) })
	return c, nil
}

// afterAWhile takes it that a refill has come in a fifth of a second, if there is
// one: the server is in this process.
func afterAWhile(_ string, nothing func()) { time.AfterFunc(200*time.Millisecond, nothing) }

// wireConsumer is a consumer with a connection of its own per session.
type wireConsumer struct {
	broker *wireBroker
	sub    broker.Subscription
	inbox  *broker.Inbox
	wait   sync.WaitGroup
	ctx    context.Context
	end    context.CancelFunc

	mu      sync.Mutex
	conn    net.Conn // nil: no session
	session int
	out     map[*broker.Delivery]int // unsettled, of this session: their tags
	replies chan reply               // of this session
	stopped bool
}

func (c *wireConsumer) connect(ctx context.Context) (*json.Decoder, error) {
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", c.broker.addr)
	if err != nil {
		return nil, err
	}
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	defer stop()
	in := json.NewDecoder(conn)
	var r reply
	if err = json.NewEncoder(conn).Encode(request{Op: "consume", Sub: c.sub}); err == nil {
		err = in.Decode(&r)
	}
	if err == nil && r.Tag == 0 {
		err = errors.New("the subscription is refused")
	}
	if r.Unknown {
		err = broker.ErrUnknownQueue
	}
	if err != nil {
		_ = conn.Close()
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.conn, c.replies = conn, make(chan reply, 64)
	c.session++
	c.broker.opts.Tell(broker.Event{Kind: broker.Connected, Session: c.session})
	return in, nil
}

func (c *wireConsumer) run(in *json.Decoder) {
	for in != nil {
		err := c.read(in)
		c.lost(err)
		in = nil
		for in == nil && c.ctx.Err() == nil && !c.broker.habits.noReconnect && !c.isStopped() {
			if in, err = c.connect(c.ctx); err != nil {
				select {
				case <-time.After(20 * time.Millisecond):
				case <-c.ctx.Done():
				}
			}
		}
	}
}

func (c *wireConsumer) isStopped() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.stopped
}

func (c *wireConsumer) read(in *json.Decoder) error {
	for {
		var r reply
		if err := in.Decode(&r); err != nil {
			return err
		}
		if r.Op == "done" {
			c.replies <- r
			continue
		}
		c.mu.Lock()
		d := &broker.Delivery{Message: r.Message, Queue: r.Queue, Session: c.session, Seen: r.Seen, Count: r.Count, Settler: c}
		if r.Malformed != "" {
			d.Malformed = errors.New(r.Malformed)
		}
		c.out[d] = r.Tag
		c.broker.opts.Tell(c.event(broker.Arrived, d))
		if !c.inbox.Put(d) && d.Abandon() {
			c.send(request{Op: "settle", Tag: r.Tag, How: "requeue"})
			delete(c.out, d)
		}
		c.mu.Unlock()
	}
}

func (c *wireConsumer) lost(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ctx.Err() == nil {
		c.broker.opts.Tell(broker.Event{Kind: broker.Lost, Session: c.session, Err: err})
	}
	if !c.broker.habits.keepsBuffer {
		for _, d := range c.inbox.Drop() {
			c.broker.opts.Tell(c.event(broker.Dropped, d))
		}
	}
	if !c.broker.habits.oldTags {
		clear(c.out)
	}
	_ = c.conn.Close()
	c.conn = nil
	close(c.replies)
}

func (c *wireConsumer) event(kind broker.EventKind, d *broker.Delivery) broker.Event {
	return broker.Event{Kind: kind, Session: d.Session, Queue: d.Queue, MessageID: d.Message.ID, Delivery: d}
}

// send writes a request. The caller holds mu.
func (c *wireConsumer) send(r request) {
	if c.conn != nil {
		_ = json.NewEncoder(c.conn).Encode(r)
	}
}

// ask sends a request and waits for its reply.
func (c *wireConsumer) ask(ctx context.Context, op string) error {
	c.mu.Lock()
	replies := c.replies
	if c.conn == nil {
		c.mu.Unlock()
		return fmt.Errorf("%s: no session: %w", op, broker.ErrUnsure)
	}
	c.send(request{Op: op})
	c.mu.Unlock()
	select {
	case _, ok := <-replies:
		if !ok {
			return fmt.Errorf("%s: the session ended: %w", op, broker.ErrUnsure)
		}
		return nil
	case <-ctx.Done():
		return fmt.Errorf("%s: %w: %w", op, broker.ErrUnsure, ctx.Err())
	}
}

func (c *wireConsumer) Receive(ctx context.Context) (*broker.Delivery, error) {
	return c.inbox.Take(ctx)
}

func (c *wireConsumer) Flush(ctx context.Context) error {
	if c.broker.habits.flushesLocal {
		return nil
	}
	return c.ask(ctx, "flush")
}

func (c *wireConsumer) Stop(ctx context.Context) error {
	c.mu.Lock()
	if c.stopped {
		c.mu.Unlock()
		return nil
	}
	c.stopped = true
	for _, d := range c.inbox.Close() {
		if d.Abandon() {
			c.broker.opts.Tell(c.event(broker.GivenBack, d))
			c.giveBack(d)
		}
	}
	c.mu.Unlock()
	return c.ask(ctx, "stop")
}

// giveBack requeues an abandoned delivery. The caller holds mu.
func (c *wireConsumer) giveBack(d *broker.Delivery) {
	c.send(request{Op: "settle", Tag: c.out[d], How: "requeue"})
	delete(c.out, d)
}

func (c *wireConsumer) Close(ctx context.Context) error {
	err := c.Stop(ctx)
	c.mu.Lock()
	for d := range c.out {
		if d.Abandon() {
			c.giveBack(d)
		}
	}
	standing := c.conn != nil
	c.mu.Unlock()
	if standing && err == nil {
		err = c.ask(ctx, "flush")
	}
	c.end()
	c.mu.Lock()
	if c.conn != nil && !c.broker.habits.leaks {
		_ = c.conn.Close()
	}
	c.mu.Unlock()
	if !c.broker.habits.leaks {
		c.wait.Wait()
	}
	c.broker.mu.Lock()
	delete(c.broker.consumers, c)
	c.broker.mu.Unlock()
	return err
}

func (c *wireConsumer) settle(d *broker.Delivery, how, reason string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	tag, mine := c.out[d]
	if !mine {
		c.broker.opts.Tell(c.event(broker.Stale, d))
		return broker.ErrStale
	}
	delete(c.out, d)
	c.send(request{Op: "settle", Tag: tag, How: how, Reason: reason})
	c.inbox.Settled(d.Queue)
	return nil
}

func (c *wireConsumer) Ack(_ context.Context, d *broker.Delivery) error {
	return c.settle(d, "ack", "")
}

func (c *wireConsumer) Requeue(_ context.Context, d *broker.Delivery) error {
	return c.settle(d, "requeue", "")
}

func (c *wireConsumer) Reject(_ context.Context, d *broker.Delivery, reason string) error {
	if c.broker.habits.parksLate {
		return errors.Join(c.settle(d, "ack", ""), c.ask(context.Background(), "flush"), c.settle(d, "reject", reason))
	}
	return c.settle(d, "reject", reason)
}
