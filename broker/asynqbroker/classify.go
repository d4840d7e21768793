package asynqbroker

import (
	"errors"
	"fmt"
	"strings"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"

	"acklab/broker"
)

// classify says what a failed enqueue means for the message: an error that
// wraps ErrRefused when it was certainly not stored, else ErrUnsure. err is
// what asynq said, cause what the Redis client said to asynq.
func classify(err, cause error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, asynq.ErrTaskIDConflict):
		return &broker.Refusal{Reason: broker.Duplicate, Err: err}
	case cause == nil:
		return &broker.Refusal{Reason: broker.Invalid, Err: err} // asynq sent nothing
	}
	if reason, certain := refused(cause); certain {
		return &broker.Refusal{Reason: reason, Err: cause}
	}
	return fmt.Errorf("%w: %w", broker.ErrUnsure, cause)
}

// refused tells whether a command with this error certainly had no effect.
func refused(err error) (broker.Reason, bool) {
	var dial *dialError
	var reply redis.Error
	switch {
	case errors.As(err, &dial),
		errors.Is(err, redis.ErrPoolTimeout),
		errors.Is(err, redis.ErrPoolExhausted):
		return broker.Unreachable, true
	case errors.Is(err, redis.ErrClosed):
		return broker.Closed, true
	case errors.As(err, &reply):
		return refusedBy(reply.Error())
	}
	return "", false
}

// replies are the beginnings of error replies after which a script has
// certainly written nothing. A reply that is not here leaves it open.
var replies = []struct {
	begins string
	reason broker.Reason
}{
	{"OOM ", broker.Full},
	{"READONLY ", broker.ReadOnly},
	{"MISCONF ", broker.ReadOnly},
	{"NOREPLICAS ", broker.ReadOnly},
	{"MASTERDOWN ", broker.ReadOnly},
	{"NOAUTH ", broker.Denied},
	{"WRONGPASS ", broker.Denied},
	{"NOPERM ", broker.Denied},
	{"ERR invalid password", broker.Denied},
	{"ERR AUTH ", broker.Denied},
	{"ERR The user executing the script", broker.Denied},
	{"LOADING ", broker.Unreachable},
	{"BUSY ", broker.Unreachable},
	{"CLUSTERDOWN ", broker.Unreachable},
	{"ERR max number of clients reached", broker.Unreachable},
	{"ERR DB index is out of range", broker.Invalid},
}

func refusedBy(reply string) (broker.Reason, bool) {
	for _, known := range replies {
		if strings.HasPrefix(reply, known.begins) {
			return known.reason, true
		}
	}
	// Before version 7 Redis wraps what a command inside a script answered.
	if strings.HasPrefix(reply, "ERR Error running script") {
		if _, inner, ok := strings.Cut(reply, ": -"); ok {
			return refusedBy(inner)
		}
	}
	return "", false
}
