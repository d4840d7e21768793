package asynqbroker

import (
	"context"
	"errors"
	"net"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"

	"acklab/broker"
	"acklab/broker/redisclient"
)

// hook sees every command of a consumer's asynq servers. From the scripts it
// learns what asynq does not tell: that Redis has processed a settlement, that
// a lease was renewed, that a dequeue failed (asynq would try again at once,
// with a whole core).
type hook struct{ c *Consumer }

func (h hook) DialHook(next redis.DialHook) redis.DialHook {
	return func(ctx context.Context, network, addr string) (net.Conn, error) { return next(ctx, network, addr) }
}

func (h hook) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}

func (h hook) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		if h.c.life.Err() != nil {
			err := context.Cause(h.c.life)
			cmd.SetErr(err)
			return err
		}
		switch cmd.Name() {
		case "evalsha", "eval":
			keys := scriptKeys(cmd.Args())
			if f, last := h.c.dequeues(keys); f != nil {
				return h.c.dequeue(ctx, f, last, cmd, next)
			}
			err := next(ctx, cmd)
			if !redis.HasErrorPrefix(err, "NOSCRIPT") { // asynq repeats that as EVAL
				h.c.desk.processed(keys, err)
			}
			return err
		case "zadd":
			err := next(ctx, cmd)
			if err == nil {
				h.c.renewed(cmd.Args())
			}
			return err
		default:
			return next(ctx, cmd)
		}
	}
}

// scriptKeys are the KEYS of "evalsha sha numkeys key... arg...".
func scriptKeys(args []any) []any {
	if len(args) < 3 {
		return nil
	}
	n, ok := args[2].(int)
	if !ok || n < 0 || len(args) < 3+n {
		return nil
	}
	return args[3 : 3+n]
}

// dequeues gives the feed of a dequeue script, whose keys are pending, paused,
// active, lease; nil: it is another script. last says that asynq looks there
// when all other queues of the feed are empty.
func (c *Consumer) dequeues(keys []any) (f *feed, last bool) {
	if len(keys) != 4 {
		return nil, false
	}
	first, _ := keys[0].(string)
	queue, ok := queueOf(first, "pending")
	if f = c.lanes[queue]; !ok || f == nil {
		return nil, false
	}
	return f, first == f.last
}

// dequeue passes a dequeue on, unless the consumer is stopping, when the queue
// looks empty. After an error it waits, longer each time.
func (c *Consumer) dequeue(ctx context.Context, f *feed, last bool, cmd redis.Cmder, next redis.ProcessHook) error {
	select {
	case <-c.stopping:
		cmd.SetErr(redis.Nil)
		return redis.Nil
	default:
	}
	err := next(ctx, cmd)
	if err == nil || errors.Is(err, redis.Nil) {
		f.pause = 0
		f.hear(nil)
		if err == nil {
			f.flow.took()
		} else if last {
			f.flow.none()
		}
		return err
	}
	if redis.HasErrorPrefix(err, "NOSCRIPT") {
		return err
	}
	f.hear(err)
	f.pause = min(max(2*f.pause, redisclient.RetryMin), redisclient.RetryMax)
	timer := time.NewTimer(f.pause)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-c.stopping:
	}
	return err
}

// hear notes the first reply to a dequeue. A reply that refuses us for good is
// the subscription's error; one that may pass (memory, loading) is not.
func (f *feed) hear(err error) {
	select {
	case <-f.asked:
		return
	default:
	}
	var reply redis.Error
	if err != nil && !errors.As(err, &reply) {
		return
	}
	f.once.Do(func() {
		if reason, _ := redisclient.Refused(err); reason == broker.Denied {
			f.denied = err
		}
		close(f.asked)
	})
}

// renewed notes the new end of the leases in "zadd lease-key xx score id...".
func (c *Consumer) renewed(args []any) {
	if len(args) < 5 {
		return
	}
	key, _ := args[1].(string)
	queue, ok := queueOf(key, "lease")
	if !ok {
		return
	}
	end, ok := score(args[3])
	if !ok {
		return
	}
	for i := 4; i < len(args); i += 2 {
		if id, ok := args[i].(string); ok {
			c.desk.renew(taskKey(queue, id), end)
		}
	}
}

func score(arg any) (time.Time, bool) {
	switch v := arg.(type) {
	case float64:
		return time.Unix(int64(v), 0), true
	case string:
		f, err := strconv.ParseFloat(v, 64)
		return time.Unix(int64(f), 0), err == nil
	}
	return time.Time{}, false
}
