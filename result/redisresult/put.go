package redisresult

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/redis/go-redis/v9"

	"acklab/result"
)

// keyPrefix is Celery's (task_keyprefix): of the key, and of the channel.
const keyPrefix = "celery-task-meta-"

//go:embed put.lua
var putText string

var putScript = redis.NewScript(strings.NewReplacer(
	"FINAL, BEST\n", fmt.Sprintf("%d, %d\n", int64(result.Final), int64(result.Best)),
).Replace(putText))

// What the script answers.
const (
	kept     = 1
	finished = 0
	outdated = -1
)

// put stores one state.
func (s *Store) put(ctx context.Context, r result.Result, text []byte) error {
	ttl := strconv.FormatInt(s.address.expires.Milliseconds(), 10)
	code, err := putScript.Run(ctx, s.client, []string{keyPrefix + r.TaskID},
		text, ttl, int64(r.Standing())).Int()
	switch {
	case err != nil:
		return s.unavailable(err)
	case code == finished:
		return result.ErrFinished
	case code == outdated:
		return result.ErrOutdated
	case code != kept:
		return result.Unavailable(fmt.Errorf("the script answers %d", code))
	}
	return nil
}

// fetch is the text of a task's result; empty: there is none.
func (s *Store) fetch(ctx context.Context, id string) ([]byte, error) {
	text, err := s.client.Get(ctx, keyPrefix+id).Bytes()
	if err != nil && !errors.Is(err, redis.Nil) {
		return nil, s.unavailable(err)
	}
	return text, nil
}

// call makes a call that ends with ctx. go-redis looks at a context's deadline and
// not at its end, so what can be cancelled, and has no deadline, is waited for on
// another goroutine.
func call[A any](ctx context.Context, s *Store, do func(context.Context) (A, error)) (A, error) {
	var none A
	if s.life.Err() != nil {
		return none, result.ErrClosed
	}
	if err := context.Cause(ctx); err != nil {
		return none, result.Unavailable(err)
	}
	if _, bounded := ctx.Deadline(); bounded || ctx.Done() == nil {
		return do(ctx)
	}
	return endable(ctx, do)
}

// endable makes a call on another goroutine, so that it ends with ctx also where
// that is cancelled before its deadline. A worker's stores do without: it takes a
// tenth of their throughput.
func endable[A any](ctx context.Context, do func(context.Context) (A, error)) (A, error) {
	type answer struct {
		value A
		err   error
	}
	back := make(chan answer, 1)
	go func() {
		value, err := do(ctx)
		back <- answer{value, err}
	}()
	select {
	case a := <-back:
		return a.value, a.err
	case <-ctx.Done():
		var none A
		return none, result.Unavailable(context.Cause(ctx))
	}
}
