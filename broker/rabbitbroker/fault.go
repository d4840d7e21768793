package rabbitbroker

import (
	"context"
	"errors"
	"fmt"

	amqp "github.com/rabbitmq/amqp091-go"

	"acklab/broker"
)

// code is the AMQP reply code in err; 0: there is none.
func code(err error) int {
	if e, ok := errors.AsType[*amqp.Error](err); ok {
		return e.Code
	}
	return 0
}

// unsure wraps broker.ErrUnsure around what was tried and why it is unknown.
func unsure(doing string, cause error) error {
	if cause == nil {
		return fmt.Errorf("%s: %w", doing, broker.ErrUnsure)
	}
	return fmt.Errorf("%s: %w: %w", doing, broker.ErrUnsure, cause)
}

// refusal says why a publish was not sent, from the error of connecting.
func refusal(err error) error {
	reason := broker.Unreachable
	switch {
	case errors.Is(err, broker.ErrClosed):
		reason = broker.Closed
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		reason = broker.Unreachable
	case code(err) == amqp.AccessRefused, code(err) == amqp.NotAllowed:
		reason = broker.Denied
	}
	return &broker.Refusal{Reason: reason, Err: err}
}

// otherwise explains the answer to a declaration of a queue that exists with
// other properties.
func otherwise(doing string, err error) error {
	if code(err) == amqp.PreconditionFailed {
		return fmt.Errorf("%s: it exists with other properties; delete it, or say in the URL what it was made with (queue_type, durable, priority): %w", doing, err)
	}
	return fmt.Errorf("%s: %w", doing, err)
}
