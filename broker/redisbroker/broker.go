package redisbroker

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"

	"github.com/redis/go-redis/v9"

	"acklab/broker"
	"acklab/broker/redisclient"
)

// Broker is a client of one Redis that is used as Celery uses it. Safe for
// concurrent use.
type Broker struct {
	address address
	opts    broker.Options

	client  *redis.Client // of the calls that are neither publishes nor a consumer's
	outbox  outbox
	blocked redisclient.Blocked
	about   redisclient.About

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
//		redis://[user:password@]host[:port][/db][?option=value&...]      rediss:// for TLS
//
//	  - visibility=1h: how long a message may be with a consumer before it is
//	    given to another one; from 1s.
//	  - restore=100s: how often a consumer looks for those; it also does when it
//	    starts.
//	  - lease=fixed, as Celery, or renew: a consumer renews its claims every
//	    third of visibility, so that a long task does not run twice.
//	  - settle=claim: who settles after another consumer was given the message
//	    gets ErrStale. settle=celery: the settlement goes by the delivery tag
//	    alone, and ends the other consumer's claim.
//	  - delay=worker, as Celery: what has an ETA is delivered at once, does not
//	    count towards the prefetch, and is for the worker to hold. delay=broker:
//	    it waits in Redis.
//	  - priority=on: the larger of the priorities 0 to 9 is served first, in
//	    kombu's four steps, and a Celery worker of the queue does the same. All
//	    clients of a queue must agree on it. priority=off: what has no priority
//	    is served first, as Celery writes it.
//
// An option that is not known, or is given twice, is an error. No error holds
// the password.
func Open(_ context.Context, rawURL string, opts broker.Options) (*Broker, error) {
	a, err := parseURL(rawURL)
	if err != nil {
		return nil, err
	}
	redisclient.LogTo(opts.Log)
	life, die := context.WithCancel(context.Background())
	return &Broker{
		address:   a,
		opts:      opts,
		client:    a.Client(life),
		life:      life,
		die:       die,
		closed:    make(chan struct{}),
		ended:     make(chan struct{}),
		consumers: map[*Consumer]struct{}{},
	}, nil
}

// Declare binds each queue as a Celery worker does, so that its tools list it.
// Nothing else is needed: a queue exists as long as it holds a message.
func (b *Broker) Declare(ctx context.Context, queues ...string) error {
	if len(queues) == 0 {
		return nil
	}
	pipe := b.client.Pipeline()
	for _, queue := range queues {
		if err := checkName(queue); err != nil {
			return fmt.Errorf("declare: %w", err)
		}
		key, member := binding(queue)
		pipe.SAdd(ctx, key, member)
	}
	if _, err := pipe.Exec(ctx); err != nil {
		return b.failed("declare queues", err)
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
