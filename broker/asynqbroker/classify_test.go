package asynqbroker

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"syscall"
	"testing"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"

	"acklab/broker"
	"acklab/broker/redisclient"
)

type reply string

func (r reply) Error() string { return string(r) }
func (reply) RedisError()     {}

func TestAnEnqueueErrorIsRefusedOnlyWhenItCertainlyWroteNothing(t *testing.T) {
	t.Parallel()
	flat := errors.New("INTERNAL_ERROR: redis eval error: whatever")
	refused := &net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}
	for _, c := range []struct {
		err, cause error
		want       broker.Reason // empty: unsure
	}{
		{fmt.Errorf("%w", asynq.ErrTaskIDConflict), nil, broker.Duplicate},
		{errors.New("task ID cannot be empty"), nil, broker.Invalid},
		{flat, &redisclient.DialError{Err: refused}, broker.Unreachable},
		{flat, fmt.Errorf("wrapped: %w", &redisclient.DialError{Err: context.DeadlineExceeded}), broker.Unreachable},
		{flat, redis.ErrPoolTimeout, broker.Unreachable},
		{flat, redis.ErrClosed, broker.Closed},
		{flat, reply("OOM command not allowed when used memory > 'maxmemory'. script: 98d2, on @user_script:5."), broker.Full},
		{flat, reply("ERR Error running script (call to f_98d2): @user_script:5: @user_script: 5: -OOM command not allowed when used memory > 'maxmemory'."), broker.Full},
		{flat, reply("READONLY You can't write against a read only replica. script: 98d2, on @user_script:5."), broker.ReadOnly},
		{flat, reply("MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist to disk."), broker.ReadOnly},
		{flat, reply("NOREPLICAS Not enough good replicas to write."), broker.ReadOnly},
		{flat, reply("NOAUTH Authentication required."), broker.Denied},
		{flat, reply("WRONGPASS invalid username-password pair or user is disabled."), broker.Denied},
		{flat, reply("NOPERM this user has no permissions to run the 'evalsha' command"), broker.Denied},
		{flat, reply("LOADING Redis is loading the dataset in memory"), broker.Unreachable},
		{flat, reply("ERR max number of clients reached"), broker.Unreachable},
		{flat, reply("ERR something that nobody has thought of"), ""},
		{flat, reply("WRONGTYPE Operation against a key holding the wrong kind of value"), ""},
		{flat, io.EOF, ""},
		{flat, syscall.ECONNRESET, ""},
		{flat, &net.OpError{Op: "read", Err: syscall.ECONNRESET}, ""},
		{flat, &net.OpError{Op: "write", Err: syscall.EPIPE}, ""},
		{flat, net.ErrClosed, ""},
		{flat, context.DeadlineExceeded, ""},
		{flat, context.Canceled, ""},
	} {
		got := classify(c.err, c.cause)
		var r *broker.Refusal
		switch {
		case c.want == "" && (!errors.Is(got, broker.ErrUnsure) || errors.Is(got, broker.ErrRefused)):
			t.Errorf("%v, %v: %v; want unsure", c.err, c.cause, got)
		case c.want != "" && (!errors.As(got, &r) || r.Reason != c.want || errors.Is(got, broker.ErrUnsure)):
			t.Errorf("%v, %v: %v; want a refusal as %q", c.err, c.cause, got, c.want)
		}
	}
	if err := classify(nil, nil); err != nil {
		t.Errorf("no error became %v", err)
	}
}
