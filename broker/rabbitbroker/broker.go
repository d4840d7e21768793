package rabbitbroker

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"acklab/broker"
)

// Broker is a client of one RabbitMQ node or cluster. Make one with Open. It
// is safe for concurrent use.
type Broker struct {
	addr    address
	options broker.Options
	log     *slog.Logger

	delayIdle time.Duration // see the constant; tests want less

	life context.Context // ends with Close
	end  context.CancelCauseFunc

	publisher *publisher
	parker    *publisher // of dead letters: always with confirms
	control   *control

	mu        sync.Mutex
	closed    bool
	consumers map[*consumer]struct{}
	version   string // of the server that answered last
}

var _ broker.Broker = (*Broker)(nil)

// Open makes a client for amqp://user:pass@host:port/vhost (amqps with TLS).
// The URL may carry queue_type=classic (the default: a durable queue without
// arguments, exactly as Celery declares it) or queue_type=quorum, and
// heartbeat=SECONDS (10). Three parameters give durability away, to see what
// it is worth; each is true unless the URL says false:
//
//   - durable=false: queues, their dead letters and delay queues are declared
//     non-durable, and a node that ends forgets them with what they hold;
//   - persistent=false: messages are published with delivery mode 1, and a
//     node that ends forgets them, whatever the queue is;
//   - confirms=false: publishes are not confirmed, see Publish. Close still
//     waits until the server has taken what was written. Dead letters are
//     confirmed nevertheless, on a connection of their own.
//
// priority=on declares queues with x-max-priority 9, so that they serve the
// larger of the priorities 0 to 9 first; without it they ignore priorities, as
// Celery's do. It, and the first two, are refused with quorum queues, which know
// none of them. All clients of a queue must agree on queue_type, durable and
// priority. Open checks the URL only: connections are made when they are needed,
// so the server may be down. No error and no log line holds
// the password.
func Open(_ context.Context, rawURL string, opts broker.Options) (*Broker, error) {
	addr, err := parseURL(rawURL)
	if err != nil {
		return nil, err
	}
	life, end := context.WithCancelCause(context.Background())
	b := &Broker{
		addr: addr, options: opts, log: opts.Logger(), delayIdle: delayIdle,
		life: life, end: end, consumers: map[*consumer]struct{}{},
	}
	b.publisher = newPublisher(b, addr.confirms)
	b.parker = b.publisher
	if !addr.confirms {
		b.parker = newPublisher(b, true)
	}
	b.control = newControl(b)
	return b, nil
}

// Close ends the client and all its consumers: it gives back what they hold
// and returns at the latest when ctx ends, also when the server is gone or
// does not answer. Publishes that were sent and not confirmed return
// ErrUnsure. Closing twice is allowed.
func (b *Broker) Close(ctx context.Context) error {
	b.mu.Lock()
	b.closed = true
	var consumers []*consumer
	for c := range b.consumers {
		consumers = append(consumers, c)
	}
	b.mu.Unlock()

	var closing sync.WaitGroup
	errs := make([]error, len(consumers))
	for i, c := range consumers {
		closing.Go(func() { errs[i] = c.Close(ctx) })
	}
	closing.Wait()
	b.end(broker.ErrClosed)
	closing.Go(func() { b.publisher.close(ctx) })
	if b.parker != b.publisher {
		closing.Go(func() { b.parker.close(ctx) })
	}
	closing.Go(func() { b.control.close(ctx) })
	closing.Wait()
	for _, err := range errs {
		if err != nil {
			return fmt.Errorf("close %s: %w", b.addr.shown, err)
		}
	}
	return nil
}

// add keeps track of a consumer; false: the broker is closed.
func (b *Broker) add(c *consumer) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return false
	}
	b.consumers[c] = struct{}{}
	return true
}

func (b *Broker) remove(c *consumer) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.consumers, c)
}

// connect makes one attempt to connect and notes the server's version.
func (b *Broker) connect(ctx context.Context, role string, blocked func(string)) (*link, error) {
	if b.life.Err() != nil {
		return nil, fmt.Errorf("connect to %s: %w", b.addr.shown, broker.ErrClosed)
	}
	l, err := dial(ctx, b.addr, role, blocked)
	if err != nil {
		return nil, err
	}
	version, _ := l.conn.Properties["version"].(string)
	b.mu.Lock()
	b.version = version
	b.mu.Unlock()
	return l, nil
}
