package redisclient

import (
	"errors"
	"fmt"
	"strings"

	"github.com/redis/go-redis/v9"

	"acklab/broker"
)

// Refused tells whether a command or script with this error certainly had no
// effect, and why it was refused.
func Refused(err error) (broker.Reason, bool) {
	var dial *DialError
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

// Fate is what an error means for the message that was to be stored: a
// *broker.Refusal when it was certainly not, else an error that wraps
// broker.ErrUnsure; nil for nil.
func Fate(err error) error {
	if err == nil {
		return nil
	}
	if reason, certain := Refused(err); certain {
		return &broker.Refusal{Reason: reason, Err: err}
	}
	return fmt.Errorf("%w: %w", broker.ErrUnsure, err)
}

// Spread gives each command the error of a pipeline that was not sent. go-redis
// does so itself, but not when the connection was refused by an error reply
// (to AUTH, or because of too many clients): then no command has an error.
func Spread(cmds []redis.Cmder, err error) {
	for _, cmd := range cmds {
		if cmd.Err() != nil {
			return // its own
		}
	}
	for _, cmd := range cmds {
		cmd.SetErr(err)
	}
}
