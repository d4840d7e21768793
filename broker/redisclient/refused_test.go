package redisclient

import (
	"context"
	"errors"
	"io"
	"testing"

	"github.com/redis/go-redis/v9"

	"acklab/broker"
)

type reply string

func (r reply) Error() string { return string(r) }
func (reply) RedisError()     {}

func TestAnErrorIsARefusalOnlyWhereItCertainlyWroteNothing(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		err  error
		want broker.Reason // empty: unsure
	}{
		{&DialError{io.EOF}, broker.Unreachable},
		{redis.ErrClosed, broker.Closed},
		{reply("OOM command not allowed when used memory > 'maxmemory'."), broker.Full},
		{reply("ERR Error running script (call to f_98d2): @user_script:5: @user_script: 5: -READONLY You can't"), broker.ReadOnly},
		{reply("ERR no idea"), ""},
		{reply("WRONGTYPE Operation against a key"), ""},
		{io.EOF, ""},
		{context.Canceled, ""},
	} {
		got := Fate(c.err)
		var r *broker.Refusal
		switch {
		case c.want == "" && (!errors.Is(got, broker.ErrUnsure) || errors.Is(got, broker.ErrRefused)):
			t.Errorf("%v: %v; want unsure", c.err, got)
		case c.want != "" && (!errors.As(got, &r) || r.Reason != c.want || errors.Is(got, broker.ErrUnsure)):
			t.Errorf("%v: %v; want a refusal as %q", c.err, got, c.want)
		}
	}
	if err := Fate(nil); err != nil {
		t.Errorf("no error became %v", err)
	}
}

func TestAPipelineThatWasNotSentGivesEachCommandItsError(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	one, two := redis.NewCmd(ctx, "one"), redis.NewCmd(ctx, "two")
	Spread([]redis.Cmder{one, two}, reply("WRONGPASS"))
	if one.Err() == nil || two.Err() == nil {
		t.Errorf("errors are %v and %v; want both", one.Err(), two.Err())
	}
	one, two = redis.NewCmd(ctx, "one"), redis.NewCmd(ctx, "two")
	two.SetErr(reply("OOM"))
	Spread([]redis.Cmder{one, two}, reply("OOM"))
	if one.Err() != nil {
		t.Errorf("a command that succeeded got the error %v of its neighbour", one.Err())
	}
}
