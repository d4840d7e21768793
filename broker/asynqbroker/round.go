package asynqbroker

import (
	"context"
	"errors"
	"slices"
	"sync"

	"github.com/redis/go-redis/v9"

	"acklab/broker/redisclient"
)

// enqueueClient is the Redis client below asynq's Client. The commands of
// enqueues that share a round it sends as one pipeline, in the order of their
// messages: asynq has no batch enqueue, and several connections would not keep
// the order. It also lists a new queue in the same pipeline as its first
// message, where asynq would take a round trip more.
type enqueueClient struct {
	*redis.Client
	listed sync.Map // queues that are in asynq's set of queues
}

// EvalSha is how asynq enqueues.
func (c *enqueueClient) EvalSha(ctx context.Context, sha string, keys []string, args ...any) *redis.Cmd {
	return c.script(ctx, "evalsha", sha, keys, args)
}

// Eval is how asynq enqueues when Redis does not know the script.
func (c *enqueueClient) Eval(ctx context.Context, script string, keys []string, args ...any) *redis.Cmd {
	return c.script(ctx, "eval", script, keys, args)
}

func (c *enqueueClient) script(ctx context.Context, name, script string, keys []string, args []any) *redis.Cmd {
	words := make([]any, 0, 3+len(keys)+len(args))
	words = append(words, name, script, len(keys))
	for _, k := range keys {
		words = append(words, k)
	}
	cmd := redis.NewCmd(ctx, append(words, args...)...)
	cmd.SetFirstKeyPos(3)
	s := ctx.Value(seatKey{}).(*seat)
	s.cmd = cmd
	if s.round != nil {
		s.round.send(s)
	} else {
		c.send(ctx, s)
	}
	s.err = cmd.Err()
	return cmd
}

// SAdd is how asynq lists a queue, once for each client, before it enqueues
// the first message. send does that.
func (c *enqueueClient) SAdd(ctx context.Context, key string, members ...any) *redis.IntCmd {
	return redis.NewIntCmd(ctx, append([]any{"sadd", key}, members...)...)
}

// send sends the commands of the seats, with those that list their queues.
func (c *enqueueClient) send(ctx context.Context, seats ...*seat) {
	var lists []*redis.IntCmd
	var queues []string
	for _, s := range seats {
		if _, ok := c.listed.Load(s.queue); !ok && !slices.Contains(queues, s.queue) {
			queues = append(queues, s.queue)
			lists = append(lists, redis.NewIntCmd(ctx, "sadd", allQueuesKey, s.queue))
		}
	}
	defer c.relist(seats)
	if len(seats) == 1 && len(lists) == 0 {
		_ = c.Process(ctx, seats[0].cmd) // the error stays in the command
		return
	}
	pipe := c.Pipeline()
	for _, list := range lists {
		_ = pipe.Process(ctx, list)
	}
	for _, s := range seats {
		_ = pipe.Process(ctx, s.cmd)
	}
	cmds, err := pipe.Exec(ctx)
	if err != nil {
		redisclient.Spread(cmds, err)
	}
	for i, list := range lists {
		if list.Err() == nil {
			c.listed.Store(queues[i], struct{}{})
		}
	}
}

// relist has the queues listed again when the connection was lost: the server
// may have lost them too.
func (c *enqueueClient) relist(seats []*seat) {
	for _, s := range seats {
		var reply redis.Error
		if err := s.cmd.Err(); err != nil && !errors.As(err, &reply) {
			c.listed.Clear()
			return
		}
	}
}

type seatKey struct{}

// seat is one enqueue on its way through asynq, by its context.
type seat struct {
	round *round // nil: it goes alone
	index int    // in the round
	queue string
	cmd   redis.Cmder
	// err is what the Redis client said: asynq flattens that into text.
	err error
}

// round is a number of enqueues that go out together. Each sends one command
// at a time; when all that have not left wait with one, the last to come sends
// them all. An enqueue whose script is unknown to Redis, or whose queue is
// new, takes part in several pipelines.
type round struct {
	ctx    context.Context
	client *enqueueClient

	mu      sync.Mutex
	sent    sync.Cond
	turn    int     // counts the pipelines
	active  int     // enqueues that have not left
	waiting int     // of those, how many wait with a command
	seats   []*seat // those, by index
}

func newRound(ctx context.Context, client *enqueueClient, n int) *round {
	r := &round{ctx: ctx, client: client, active: n, seats: make([]*seat, n)}
	r.sent.L = &r.mu
	return r
}

// send returns when the command of the seat has its reply or error.
func (r *round) send(s *seat) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.seats[s.index] = s
	r.waiting++
	if r.waiting == r.active {
		r.flush()
		return
	}
	for turn := r.turn; turn == r.turn; {
		r.sent.Wait()
	}
}

// leave says that one enqueue sends nothing more.
func (r *round) leave() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.active--
	if r.active > 0 && r.waiting == r.active {
		r.flush()
	}
}

// flush sends what is here. The lock is held: everybody waits anyway.
func (r *round) flush() {
	var seats []*seat
	for i, s := range r.seats {
		if s != nil {
			seats = append(seats, s)
			r.seats[i] = nil
		}
	}
	r.client.send(r.ctx, seats...)
	r.waiting = 0
	r.turn++
	r.sent.Broadcast()
}
