package rabbitbroker

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"acklab/broker"
	"acklab/task"
)

// maxPriority is the x-max-priority of queues with priorities.
const maxPriority = task.MaxPriority

// deadSuffix makes the name of a queue's dead letter queue.
const deadSuffix = ".dead"

// Declare makes the queues and their dead letter queues exist: durable unless
// the URL says durable=false, without arguments (classic), with x-max-priority
// (priority=on; the dead letters need no order) or of type quorum. A queue that exists with other properties is an error that names it (406
// PRECONDITION_FAILED). Delay queues are made when they are needed.
//
// A queue is young for about two seconds: a single node that is killed sooner
// after the first declaration can forget it, with what it had confirmed. Of a
// quorum queue it forgets the log nearly always, of a classic queue the queue
// itself on a busy machine (both measured with 3.10.8). Who measures
// durability waits that long.
func (b *Broker) Declare(ctx context.Context, queues ...string) error {
	for _, q := range queues {
		if err := checkQueue(q); err != nil {
			return fmt.Errorf("declare: %w", err)
		}
	}
	for _, q := range queues {
		if err := b.declare(ctx, q+deadSuffix, b.queueType(), b.queueArguments()); err != nil {
			return err
		}
		kind, args := b.queueType(), b.queueArguments()
		if b.addr.priority {
			kind += " priority"
			args = amqp.Table{"x-max-priority": int64(maxPriority)}
		}
		if err := b.declare(ctx, q, kind, args); err != nil {
			return err
		}
	}
	return nil
}

func (b *Broker) declare(ctx context.Context, name, kind string, args amqp.Table) error {
	err := b.control.ask(ctx, func(ch *amqp.Channel) error {
		_, err := ch.QueueDeclare(name, b.addr.durable, false, false, false, args)
		return err
	})
	if err != nil {
		return otherwise(fmt.Sprintf("declare queue %q as %s queue", name, kind), err)
	}
	return nil
}

func (b *Broker) queueType() string {
	switch {
	case b.addr.quorum:
		return "quorum"
	case b.addr.durable:
		return "durable classic"
	}
	return "non-durable classic"
}

func (b *Broker) queueArguments() amqp.Table {
	if b.addr.quorum {
		return amqp.Table{"x-queue-type": "quorum"}
	}
	return nil
}

func checkQueue(name string) error {
	switch {
	case name == "":
		return errors.New("a queue needs a name")
	case len(name)+len(deadSuffix) > maxName:
		return fmt.Errorf("queue %.40q: its name is %d bytes long, %d fit", name, len(name), maxName-len(deadSuffix))
	case strings.HasPrefix(name, "amq."):
		return fmt.Errorf("queue %q: names with amq. belong to the server", name)
	}
	return nil
}

// Depth tells what waits in the queue, in its delay queues and in its dead
// letters, and how many consumers there are. AMQP does not tell what is
// unacknowledged: Unacked is nil. A queue that does not exist wraps
// broker.ErrUnknownQueue; dead letters that do not exist are 0. What a quorum
// delay queue is handing over at this moment is not counted.
//
// A quorum queue without a leader is an error. RabbitMQ itself then answers
// "0 messages, 0 consumers" (rabbit_quorum_queue:stat/2 of 3.10.8), so an
// answer like that is believed only after the queue has taken a command that
// needs the leader: for a millisecond others may see one consumer more.
func (b *Broker) Depth(ctx context.Context, queue string) (broker.Depth, error) {
	if err := checkQueue(queue); err != nil {
		return broker.Depth{}, fmt.Errorf("depth: %w", err)
	}
	delayed, err := b.delayed(ctx, queue) // first: what is due meanwhile is ready then
	if err != nil {
		return broker.Depth{}, fmt.Errorf("depth of the delay queues of %q: %w", queue, err)
	}
	ready, consumers, err := b.inspect(ctx, queue)
	if err != nil {
		return broker.Depth{}, fmt.Errorf("depth of queue %q: %w", queue, err)
	}
	dead, _, err := b.inspect(ctx, queue+deadSuffix)
	if err != nil && !errors.Is(err, broker.ErrUnknownQueue) {
		return broker.Depth{}, fmt.Errorf("depth of queue %q: %w", queue+deadSuffix, err)
	}
	return broker.Depth{Ready: &ready, Delayed: &delayed, Dead: &dead, Consumers: &consumers}, nil
}

// unansweredAfter is just below the 250 ms after which the server gives up on
// a quorum queue's leader and says 0; inspections is how often to ask again.
const (
	unansweredAfter = 240 * time.Millisecond
	inspections     = 5
)

// inspect tells the number of ready messages and of consumers.
func (b *Broker) inspect(ctx context.Context, queue string) (ready, consumers int, err error) {
	ready, consumers, _, err = b.stat(ctx, queue)
	if !b.addr.quorum || err != nil || ready+consumers > 0 {
		return ready, consumers, err
	}
	for range inspections {
		err := b.control.ask(ctx, func(ch *amqp.Channel) error { return fenceOn(ch, queue, "acklab-fence") })
		if err != nil {
			return 0, 0, fmt.Errorf("the leader of the quorum queue does not answer: %w", unknownQueue(err))
		}
		ready, consumers, took, err := b.stat(ctx, queue)
		if err != nil || ready+consumers > 0 || took < unansweredAfter {
			return ready, consumers, err
		}
	}
	return 0, 0, errors.New("the leader of the quorum queue does not answer in time")
}

// stat is a passive declare.
func (b *Broker) stat(ctx context.Context, queue string) (ready, consumers int, took time.Duration, err error) {
	type answer struct {
		ready, consumers int
		took             time.Duration
	}
	answers := make(chan answer, 2) // two: a question may be asked twice
	err = b.control.ask(ctx, func(ch *amqp.Channel) error {
		start := time.Now()
		q, err := ch.QueueDeclarePassive(queue, true, false, false, false, nil)
		if err == nil {
			answers <- answer{q.Messages, q.Consumers, time.Since(start)}
		}
		return err
	})
	if err != nil {
		return 0, 0, 0, unknownQueue(err)
	}
	a := <-answers
	return a.ready, a.consumers, a.took, nil
}

// unknownQueue adds broker.ErrUnknownQueue to a 404.
func unknownQueue(err error) error {
	if code(err) == amqp.NotFound {
		return fmt.Errorf("%w: %w", broker.ErrUnknownQueue, err)
	}
	return err
}
