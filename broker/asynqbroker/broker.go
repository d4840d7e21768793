package asynqbroker

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"

	"acklab/broker"
	"acklab/broker/redisclient"
)

// Broker is a client of one Redis that is used through asynq. Safe for
// concurrent use.
type Broker struct {
	address address
	opts    broker.Options

	client   *redis.Client  // repeats nothing
	lower    *enqueueClient // over client
	enqueuer *asynq.Client  // over lower

	batches chan *batch
	senders atomic.Int32
	blocked redisclient.Blocked
	traits  redisclient.About

	life   context.Context // ends when Close has closed the consumers
	die    context.CancelFunc
	closed chan struct{}
	ended  chan struct{} // closed when Close has finished
	work   sync.WaitGroup

	mu        sync.Mutex // guards closing closed, and what follows
	consumers map[*Consumer]struct{}
}

var _ broker.Broker = (*Broker)(nil)

// Open reads the URL and makes a client. It does not connect: the first call
// does, and says so when it cannot.
//
//	asynq://[user:password@]host[:port][/db][?poll=200ms&forward=200ms&priority=off]      asynqs:// for TLS
//
// poll is how often an idle consumer asks for a task (asynq's
// TaskCheckInterval, default 200 ms), forward how often it has those moved
// whose time has come (DelayedTaskCheckInterval, default 200 ms). priority=on
// makes a queue four of asynq's, so that the larger of the priorities 0 to 9 is
// served first (see Traits); all clients of a queue must agree on it. An option
// that is not known is an error. No error holds the password.
func Open(_ context.Context, rawURL string, opts broker.Options) (*Broker, error) {
	a, err := parseURL(rawURL)
	if err != nil {
		return nil, err
	}
	redisclient.LogTo(opts.Log)
	life, die := context.WithCancel(context.Background())
	b := &Broker{
		address:   a,
		opts:      opts,
		client:    a.Client(life),
		life:      life,
		die:       die,
		batches:   make(chan *batch),
		closed:    make(chan struct{}),
		ended:     make(chan struct{}),
		consumers: map[*Consumer]struct{}{},
	}
	b.lower = &enqueueClient{Client: b.client}
	b.enqueuer = asynq.NewClientFromRedisClient(b.lower)
	return b, nil
}

// Declare lists the queues in asynq's set of queues, so that its tools show
// them. asynq needs nothing else: a queue exists as long as it holds a task,
// and its dead letters belong to it.
func (b *Broker) Declare(ctx context.Context, queues ...string) error {
	if len(queues) == 0 {
		return nil
	}
	var names []string
	for _, q := range queues {
		if err := checkName(q); err != nil {
			return fmt.Errorf("declare: %w", err)
		}
		names = append(names, b.address.lanes(q)...)
	}
	if err := b.list(ctx, names...); err != nil {
		return b.failed("declare queues", err)
	}
	return nil
}

// list adds to asynq's set of queues.
func (b *Broker) list(ctx context.Context, names ...string) error {
	members := make([]any, len(names))
	for i, name := range names {
		members[i] = name
	}
	return b.client.SAdd(ctx, allQueuesKey, members...).Err()
}

// checkName refuses what asynq does not take as a queue name; its server would
// read from the queue "default" instead.
func checkName(queue string) error {
	if strings.TrimSpace(queue) == "" {
		return fmt.Errorf("queue name %q is blank", queue)
	}
	return nil
}

// failed is the error of a call that is not a publish: the refusal or closed
// client behind it, where there is one, can be told with errors.Is and As.
func (b *Broker) failed(what string, err error) error {
	if reason, certain := redisclient.Refused(err); certain {
		err = &broker.Refusal{Reason: reason, Err: err}
	}
	return fmt.Errorf("%s on %s: %w", what, b.address, err)
}

// start runs f on a goroutine that Close waits for; false: it is closed.
func (b *Broker) start(f func()) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.isClosed() {
		return false
	}
	b.work.Go(f)
	return true
}

func (b *Broker) isClosed() bool {
	select {
	case <-b.closed:
		return true
	default:
		return false
	}
}

// Close closes the consumers, ends publishes that are under way, and the
// connections. Messages that were not sent are refused with Closed; those that
// were, and have no answer, are unsure. The error is that of a consumer that
// could not give back everything in time.
func (b *Broker) Close(ctx context.Context) error {
	b.mu.Lock()
	if b.isClosed() {
		b.mu.Unlock()
		select {
		case <-b.ended:
		case <-ctx.Done():
		}
		return nil
	}
	close(b.closed)
	consumers := slices.Collect(maps.Keys(b.consumers))
	b.mu.Unlock()
	defer close(b.ended)

	errs := make([]error, len(consumers))
	var closing sync.WaitGroup
	for i, c := range consumers {
		closing.Go(func() { errs[i] = c.Close(ctx) })
	}
	closing.Wait()
	b.die()
	b.client.Close()
	b.work.Wait() // nothing can block: the connections are gone
	return errors.Join(errs...)
}
