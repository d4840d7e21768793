package asynqbroker

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"

	"acklab/broker"
	"acklab/broker/redisclient"
)

// handlerPatience is how long asynq's Shutdown would wait for handlers before
// it pushes their tasks back uncounted. Close releases them first, so it never
// does.
const handlerPatience = time.Hour

// Consumer receives from one or several queues through one asynq server each.
// Safe for concurrent use.
type Consumer struct {
	broker *Broker
	client *redis.Client // of the servers
	inbox  *broker.Inbox
	feeds  []*feed
	lanes  map[string]*feed // by asynq queue
	desk   desk

	arrivals chan arrival

	session atomic.Int64

	life     context.Context // ends when the connections are to be cut
	cut      context.CancelCauseFunc
	stopping chan struct{} // closed by Stop: no more dequeues
	stopOnce sync.Once
	stopped  chan struct{} // closed when no server dequeues
	stopErr  error         // to be read once stopped is closed
	watching sync.WaitGroup

	closeOnce sync.Once
	closed    chan struct{} // closed when Close has finished
	closeErr  error         // to be read once closed is closed
}

// feed is one queue of a subscription and the server that reads it.
type feed struct {
	queue  string
	last   string // the pending key that is asked last: without an answer there, nothing is left
	flow   flow
	server *asynq.Server
	pause  time.Duration // before the next dequeue; only its loop touches it
	asked  chan struct{} // closed at the first reply to a dequeue
	once   sync.Once
	denied error // to be read once asked is closed: the reply was a refusal
}

// Consume pings Redis, starts an asynq server for each queue and returns when
// each has asked for a task. Prefetch is asynq's concurrency; Unlimited and
// more than 1,000 are 1,000. Unknown queues are accepted. The error carries a
// Refusal when Redis could not be reached or refused us.
//
// Sessions count the lives of one connection that the consumer holds to watch
// the server; asynq hides its own. Deliveries do not end with a session here
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
	link, err := redisclient.Connect(ctx, b.client)
	if err != nil {
		return nil, b.failed("consume", err)
	}
	c := b.newConsumer(s)
	if !b.adopt(c) {
		link.Close()
		c.cut(broker.ErrClosed)
		c.client.Close()
		return nil, fmt.Errorf("consume: %w", broker.ErrClosed)
	}
	c.begin()
	c.watching.Go(func() { c.watch(link) })
	c.watching.Go(c.admit)
	if err := c.run(ctx); err != nil {
		ended, cancel := context.WithCancel(context.Background())
		cancel()
		c.Close(ended)
		return nil, b.failed("consume", err)
	}
	return c, nil
}

func (b *Broker) adopt(c *Consumer) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.isClosed() {
		return false
	}
	b.consumers[c] = struct{}{}
	return true
}

func (b *Broker) disown(c *Consumer) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.consumers, c)
}

func (b *Broker) newConsumer(s broker.Subscription) *Consumer {
	c := &Consumer{
		broker:   b,
		inbox:    broker.NewInbox(s),
		lanes:    map[string]*feed{},
		desk:     newDesk(),
		arrivals: make(chan arrival),
		stopping: make(chan struct{}),
		stopped:  make(chan struct{}),
		closed:   make(chan struct{}),
	}
	c.inbox.ExpectRefills(nil) // the hook hears what asynq has not, see flow
	if b.address.priority {
		c.inbox.ServeUrgentFirst()
	}
	c.life, c.cut = context.WithCancelCause(context.Background())
	c.client = b.address.serverClient(c.life)
	c.client.AddHook(hook{c})
	for i, source := range s.Sources {
		f := &feed{queue: source.Queue, asked: make(chan struct{})}
		order := map[string]int{}
		lanes := b.address.lanes(source.Queue)
		for rank, lane := range lanes {
			order[lane] = len(lanes) - rank
			c.lanes[lane] = f
			f.last = pendingKey(lane)
		}
		f.flow.dry = func() { c.inbox.Dry(f.queue) }
		f.server = asynq.NewServerFromRedisClient(c.client, asynq.Config{
			Concurrency:              prefetch(s.PrefetchOf(i)),
			Queues:                   order,
			StrictPriority:           true,
			TaskCheckInterval:        b.address.poll,
			DelayedTaskCheckInterval: b.address.forward,
			ShutdownTimeout:          handlerPatience,
			RetryDelayFunc:           atOnce,
			IsFailure:                counted,
			Logger:                   asynqLog{b.opts.Logger()},
			LogLevel:                 asynq.WarnLevel,
		})
		c.feeds = append(c.feeds, f)
	}
	return c
}

func prefetch(n int) int {
	if n == broker.Unlimited {
		return maxPrefetch
	}
	return min(n, maxPrefetch)
}

// atOnce is the delay of a retry: requeued tasks and those whose lease expired
// are due again immediately.
func atOnce(int, error, *asynq.Task) time.Duration { return 0 }

// counted makes asynq count every return of a task as a retry.
func counted(error) bool { return true }

// run starts the servers and waits until each has heard from Redis.
func (c *Consumer) run(ctx context.Context) error {
	for _, f := range c.feeds {
		if err := f.server.Start(asynq.HandlerFunc(c.handle)); err != nil {
			return err
		}
	}
	for _, f := range c.feeds {
		select {
		case <-f.asked:
			if f.denied != nil {
				return f.denied
			}
		case <-c.stopping:
			return broker.ErrClosed
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return nil
}

// Receive returns the next delivery. See broker.Consumer.
func (c *Consumer) Receive(ctx context.Context) (*broker.Delivery, error) {
	return c.inbox.Take(ctx)
}

// Stop ends the dequeues and gives back what Receive has not handed out: it is
// in asynq's retry set, due at once, and a server of the queue, this consumer's
// own included, forwards it with its next look there. It waits for Redis to have
// processed that, and wraps ErrUnsure when it cannot know: then the leases
// bring the rest back.
func (c *Consumer) Stop(ctx context.Context) error {
	c.stopOnce.Do(func() {
		close(c.stopping)
		go func() {
			defer close(c.stopped)
			c.stopErr = c.stop()
		}()
	})
	select {
	case <-c.stopped:
		return c.stopErr
	case <-ctx.Done():
		return fmt.Errorf("stop: %w: %w", broker.ErrUnsure, context.Cause(ctx))
	}
}

func (c *Consumer) stop() error {
	var back []*hold
	for _, d := range c.inbox.Close() {
		if h := c.giveBack(d); h != nil {
			back = append(back, h)
		}
	}
	var servers sync.WaitGroup
	for _, f := range c.feeds {
		servers.Go(f.server.Stop)
	}
	servers.Wait()
	return unsure("stop", await(c.life, back))
}

// unsure is the error of giving back that may have failed; nil without any.
func unsure(what string, errs []error) error {
	if len(errs) == 0 {
		return nil
	}
	return fmt.Errorf("%s: %w: %w", what, broker.ErrUnsure, errors.Join(errs...))
}

// giveBack returns a delivery that nobody was handed; nil: it was too late.
func (c *Consumer) giveBack(d *broker.Delivery) *hold {
	h := d.Settler.(*hold)
	if !d.Abandon() || h.settle(requeued, errRequeue) != nil {
		return nil
	}
	c.broker.opts.Tell(broker.Event{Kind: broker.GivenBack, Session: d.Session, Queue: d.Queue, MessageID: h.id, Delivery: d})
	return h
}

// cutAfter is how long Close waits for a Redis that does not answer.
const cutAfter = 5 * time.Second

// Close is Stop, gives back every unsettled delivery, and shuts the servers
// down. When Redis does not answer within five seconds, or ctx ends, it cuts
// the connections and wraps ErrUnsure: what was not given back returns with its
// lease.
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
	patience, cancel := context.WithTimeoutCause(ctx, cutAfter, errors.New("redis does not answer"))
	defer cancel()
	defer context.AfterFunc(patience, func() { c.cut(context.Cause(patience)) })()

	err := c.Stop(patience)
	var back []*hold
	for _, h := range c.desk.held() {
		if h.delivery.Abandon() && h.settle(requeued, errRequeue) == nil {
			back = append(back, h)
		}
	}
	if errs := await(patience, back); err == nil {
		err = unsure("give back", errs)
	}
	if err != nil {
		c.cut(err) // asynq's own good-byes would only take longer to fail
	}
	c.desk.release()
	var servers sync.WaitGroup
	for _, f := range c.feeds {
		servers.Go(f.server.Shutdown)
	}
	servers.Wait()
	c.cut(broker.ErrClosed)
	<-c.stopped
	c.client.Close() // not before the servers have ended: asynq's would panic
	c.watching.Wait()
	c.broker.disown(c)
	if err != nil {
		return fmt.Errorf("close: %w", err)
	}
	return nil
}
