package redisbroker

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"acklab/broker"
)

// Consumer receives from one or several queues. Safe for concurrent use.
type Consumer struct {
	broker  *Broker
	inbox   *broker.Inbox
	sources []*source
	nonce   string // of the tags it makes up

	arrivals chan catch
	bell     chan struct{} // a token for the exchange: there is something to do
	asked    chan struct{} // closed at the first reply to a pop
	denied   error         // to be read once asked is closed

	session atomic.Int64
	clock   clock
	doubt   renewal // the last one, when its answer was lost; only the exchange uses it

	life     context.Context // ends when the connections are to be cut
	cut      context.CancelCauseFunc
	stopping chan struct{} // closed by Stop: no more pops
	stopOnce sync.Once
	stopped  chan struct{} // closed when Stop has done what it could
	stopErr  error         // to be read once stopped is closed
	work     sync.WaitGroup

	closeOnce sync.Once
	closed    chan struct{} // closed when Close has finished
	closeErr  error         // to be read once closed is closed

	mu       sync.Mutex
	holds    holds
	desk     desk
	popping  bool          // a pop is on its way
	unread   int           // messages that were popped and are not in the inbox yet
	quiet    chan struct{} // closed when, stopping, there is neither
	askedYet bool
}

// source is one queue of a subscription. The consumer's lock guards what can
// change.
type source struct {
	queue    string
	lists    []string
	ending   string // of its entries in unacked
	prefetch int
	held     int  // unsettled, as far as they count towards the prefetch
	maybe    bool // there may be messages; false: the last pop took all
	waiters  []*waiter
	taken    atomic.Int64
}

// Consume connects and returns when Redis has answered the first pop. The
// prefetch is kept by the consumer's own count, as in kombu. Unknown queues are
// accepted. The error carries a Refusal when Redis could not be reached or
// refused us.
//
// Sessions count the connections. Deliveries do not end with a session here
// but with their lease, so one of an earlier session can be settled.
func (b *Broker) Consume(ctx context.Context, s broker.Subscription) (broker.Consumer, error) {
	if err := s.Check(); err != nil {
		return nil, fmt.Errorf("consume: %w", err)
	}
	for _, source := range s.Sources {
		if err := checkName(source.Queue); err != nil {
			return nil, fmt.Errorf("consume: %w", err)
		}
	}
	if b.isClosed() {
		return nil, fmt.Errorf("consume: %w", broker.ErrClosed)
	}
	c := b.newConsumer(s)
	first, err := c.connect(ctx)
	if err != nil {
		c.cut(err)
		return nil, b.failed("consume", err)
	}
	if !b.adopt(c) {
		c.cut(broker.ErrClosed)
		first.close()
		return nil, fmt.Errorf("consume: %w", broker.ErrClosed)
	}
	c.work.Go(func() { c.run(first) })
	c.work.Go(c.admit)
	if err := c.await(ctx); err != nil {
		ended, cancel := context.WithCancel(context.Background())
		cancel()
		c.Close(ended)
		return nil, b.failed("consume", err)
	}
	return c, nil
}

// await waits for the first reply to a pop.
func (c *Consumer) await(ctx context.Context) error {
	select {
	case <-c.asked:
		return c.denied
	case <-c.stopping:
		return broker.ErrClosed
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (b *Broker) newConsumer(s broker.Subscription) *Consumer {
	c := &Consumer{
		broker:   b,
		inbox:    broker.NewInbox(s),
		nonce:    uuid.NewString(),
		arrivals: make(chan catch, 1),
		bell:     make(chan struct{}, 1),
		asked:    make(chan struct{}),
		stopping: make(chan struct{}),
		stopped:  make(chan struct{}),
		closed:   make(chan struct{}),
		quiet:    make(chan struct{}),
	}
	c.inbox.ExpectRefills(nil) // Redis says what it has not, see admit
	if b.address.priority {
		c.inbox.ServeUrgentFirst()
	}
	c.holds.init()
	c.life, c.cut = context.WithCancelCause(b.life)
	for i, from := range s.Sources {
		src := &source{queue: from.Queue, lists: listKeys(from.Queue), ending: entryEnd(from.Queue), prefetch: s.PrefetchOf(i)}
		for _, list := range src.lists {
			src.waiters = append(src.waiters, &waiter{source: src, list: list, armed: make(chan struct{}, 1)})
		}
		c.sources = append(c.sources, src)
	}
	return c
}

// ring has the exchange look for something to do.
func (c *Consumer) ring() {
	select {
	case c.bell <- struct{}{}:
	default:
	}
}

// Receive returns the next delivery. See broker.Consumer.
func (c *Consumer) Receive(ctx context.Context) (*broker.Delivery, error) {
	return c.inbox.Take(ctx)
}

// isStopping tells whether Stop or Close was called.
func (c *Consumer) isStopping() bool {
	select {
	case <-c.stopping:
		return true
	default:
		return false
	}
}

// Stop ends the pops and gives back what Receive has not handed out, marked and
// where it is taken next. It waits for Redis to have processed that, and wraps
// ErrUnsure when it cannot know: then the leases bring the rest back.
func (c *Consumer) Stop(ctx context.Context) error {
	c.stopOnce.Do(func() {
		c.mu.Lock()
		close(c.stopping)
		c.settleDown()
		c.mu.Unlock()
		left := c.inbox.Close()
		for i := len(left) - 1; i >= 0; i-- { // the first is to be taken first
			c.giveBack(left[i].Settler.(*hold), true)
		}
		c.ring()
		go func() {
			defer close(c.stopped)
			c.stopErr = c.finishStop()
		}()
	})
	select {
	case <-c.stopped:
		return c.stopErr
	case <-ctx.Done():
		return fmt.Errorf("stop: %w: %w", broker.ErrUnsure, context.Cause(ctx))
	}
}

func (c *Consumer) finishStop() error {
	select {
	case <-c.quiet:
	case <-c.life.Done():
	}
	c.mu.Lock()
	upto := c.desk.handed
	c.mu.Unlock()
	return c.gaveBack("stop", c.processed(c.life, upto))
}

// gaveBack is the error of what was to be given back; err is why its fate could
// not be waited for.
func (c *Consumer) gaveBack(what string, err error) error {
	c.mu.Lock()
	errs := append([]error(nil), c.desk.lost...)
	c.desk.lost = nil
	c.mu.Unlock()
	if err != nil {
		errs = append(errs, err)
	}
	return unsure(what, errs)
}

// settleDown closes quiet when nothing more can arrive. The lock is held.
func (c *Consumer) settleDown() {
	if !c.isStopping() || c.popping || c.unread > 0 {
		return
	}
	select {
	case <-c.quiet:
	default:
		close(c.quiet)
	}
}

// giveBack returns a delivery that the consumer's user has not settled. waiting
// says that Receive has not handed it out.
func (c *Consumer) giveBack(h *hold, waiting bool) {
	if !h.delivery.Abandon() {
		return
	}
	h.back()
	h.own = true
	if c.hand(h, requeued, true) && waiting {
		c.tell(broker.GivenBack, h)
	}
}

// cutAfter is how long Close waits for the next answer to a settlement.
const cutAfter = 5 * time.Second

// Close is Stop, gives back every unsettled delivery, and ends the connections.
// It takes as long as Redis needs for that. When Redis has answered nothing for
// five seconds, or ctx ends, it cuts them and wraps ErrUnsure: what was not given
// back returns with its lease.
func (c *Consumer) Close(ctx context.Context) error {
	c.closeOnce.Do(func() {
		go func() {
			defer close(c.closed)
			c.closeErr = c.close(ctx)
		}()
	})
	<-c.closed // soon: close cuts the connections when ctx ends
	return c.closeErr
}

func (c *Consumer) close(ctx context.Context) error {
	patience, cancel := c.whileItAnswers(ctx)
	defer cancel(nil)
	defer context.AfterFunc(patience, func() { c.cut(context.Cause(patience)) })()

	err := c.Stop(patience)
	c.mu.Lock()
	left := c.holds.all()
	c.mu.Unlock()
	for _, h := range left {
		c.giveBack(h, false)
	}
	c.mu.Lock()
	upto := c.desk.handed
	c.mu.Unlock()
	if more := c.gaveBack("give back", c.processed(patience, upto)); err == nil {
		err = more
	}
	c.end()
	c.cut(broker.ErrClosed)
	<-c.stopped
	c.work.Wait() // nothing can block: the connections are gone
	c.broker.disown(c)
	if err != nil {
		return fmt.Errorf("close: %w", err)
	}
	return nil
}

// whileItAnswers is ctx, which also ends when no settlement is answered for
// cutAfter.
func (c *Consumer) whileItAnswers(ctx context.Context) (context.Context, context.CancelCauseFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	last := time.AfterFunc(cutAfter, func() { cancel(errors.New("redis does not answer")) })
	context.AfterFunc(ctx, func() { last.Stop() })
	c.mu.Lock()
	defer c.mu.Unlock()
	c.desk.answered = func() { last.Reset(cutAfter) }
	return ctx, cancel
}

// end refuses further settlements, and lets go who waits for one.
func (c *Consumer) end() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.desk.ended = true
	for _, h := range c.holds.all() {
		c.letGo(h)
	}
	c.advance()
}
