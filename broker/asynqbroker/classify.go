package asynqbroker

import (
	"errors"

	"github.com/hibiken/asynq"

	"acklab/broker"
	"acklab/broker/redisclient"
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
	return redisclient.Fate(cause)
}
