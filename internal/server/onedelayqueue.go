package server

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

// Later is one message and how long it shall wait.
type Later struct {
	ID, TaskID, ContentType, ContentEncoding string
	Headers                                  map[string]any
	Body                                     []byte
	Wait                                     time.Duration
}

// PublishThroughOneQueue delays messages as many a guide for RabbitMQ says: all
// of them go to the one queue through, which it declares and which nobody
// consumes, each with a time to live of its own, and from there to the queue
// to. It exists to show what becomes of short delays behind long ones; no
// driver does it. Both queues are of the kind classic or quorum. The error per
// message is nil when it was confirmed.
func (r *Rabbit) PublishThroughOneQueue(ctx context.Context, kind, through, to string, messages []Later) ([]error, error) {
	conn, err := r.dial(ctx)
	if err != nil {
		return nil, err
	}
	defer conn.close()
	ch, err := conn.Channel()
	if err != nil {
		return nil, fmt.Errorf("open a channel: %w", err)
	}
	if err := ch.Confirm(false); err != nil {
		return nil, fmt.Errorf("ask for confirms: %w", err)
	}
	_, err = ch.QueueDeclare(through, true, false, false, false, amqp.Table{
		"x-queue-type": kind, "x-dead-letter-exchange": "", "x-dead-letter-routing-key": to,
	})
	if err != nil {
		return nil, fmt.Errorf("declare delay queue %q: %w", through, err)
	}
	confirms := make([]*amqp.DeferredConfirmation, len(messages))
	for i, m := range messages {
		confirms[i], err = ch.PublishWithDeferredConfirmWithContext(ctx, "", through, true, false, amqp.Publishing{
			MessageId: m.ID, CorrelationId: m.TaskID, ContentType: m.ContentType, ContentEncoding: m.ContentEncoding,
			Headers: m.Headers, Body: m.Body, DeliveryMode: amqp.Persistent, Expiration: strconv.FormatInt(m.Wait.Milliseconds(), 10),
		})
		if err != nil {
			return nil, fmt.Errorf("publish to delay queue %q: %w", through, err)
		}
	}
	errs := make([]error, len(messages))
	for i, c := range confirms {
		switch acked, err := c.WaitContext(ctx); {
		case err != nil:
			errs[i] = err
		case !acked:
			errs[i] = errors.New("not confirmed")
		}
	}
	return errs, nil
}
