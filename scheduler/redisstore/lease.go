package redisstore

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"acklab/broker"
	"acklab/scheduler"
)

// lease is the leader's key, as an elector sees it. Its calls can be repeated.
type lease interface {
	// elect asks for the lease. A term that is not 0 was won; else another one
	// holds it, still for so long. The term is greater than least.
	elect(ctx context.Context, least scheduler.Term) (ballot, error)
	// renew extends the lease of a term; false: it is gone, for good.
	renew(ctx context.Context, term scheduler.Term) (bool, error)
	// resign gives it back, if it still stands.
	resign(ctx context.Context, term scheduler.Term) error
	// resignations gives a value when a leader has resigned, or may have while
	// nobody heard, until ctx ends.
	resignations(ctx context.Context) <-chan struct{}
}

// ballot is the answer to a candidate.
type ballot struct {
	term   scheduler.Term
	holder string        // of another one's lease
	left   time.Duration // of that lease
}

// redisLease is the lease in the store's Redis.
type redisLease struct{ *Store }

// newHolder names this process and no other: a pid comes again.
func newHolder() string {
	host, _ := os.Hostname()
	return fmt.Sprintf("%s:%d:%s", host, os.Getpid(), rand.Text()[:8])
}

func (l redisLease) mine(term scheduler.Term) string { return fmt.Sprintf("%d %s", term, l.holder) }

func (l redisLease) elect(ctx context.Context, least scheduler.Term) (ballot, error) {
	return call(ctx, l.Store, "ask for the lease", func(ctx context.Context) (ballot, error) {
		reply, err := electScript.Run(ctx, l.client, []string{leaderKey, termKey},
			l.holder, l.opts.Lease.Milliseconds(), int64(least)+1).Slice()
		if err != nil {
			return ballot{}, err
		}
		return readBallot(reply)
	})
}

func readBallot(reply []any) (ballot, error) {
	switch first, _ := reply[0].(string); {
	case first == "" && len(reply) == 3:
		holder, _ := reply[1].(string)
		left, _ := reply[2].(int64)
		return ballot{holder: holder, left: time.Duration(left) * time.Millisecond}, nil
	case len(reply) == 1:
		term, err := strconv.ParseInt(first, 10, 64)
		return ballot{term: scheduler.Term(term)}, err
	}
	return ballot{}, fmt.Errorf("the script answers %v", reply)
}

func (l redisLease) renew(ctx context.Context, term scheduler.Term) (bool, error) {
	return call(ctx, l.Store, "renew the lease", func(ctx context.Context) (bool, error) {
		return renewScript.Run(ctx, l.client, []string{leaderKey}, l.mine(term), l.opts.Lease.Milliseconds()).Bool()
	})
}

func (l redisLease) resign(ctx context.Context, term scheduler.Term) error {
	_, err := call(ctx, l.Store, "resign the lease", func(ctx context.Context) (any, error) {
		return resignScript.Run(ctx, l.client, []string{leaderKey, resignedChannel}, l.mine(term), l.holder).Result()
	})
	return err
}

func (l redisLease) resignations(ctx context.Context) <-chan struct{} {
	return l.hear(ctx, resignedChannel)
}

// hopeless tells whether no waiting cures the error: a password or a permission
// that is wrong, a database that there is not, a closed client.
func hopeless(err error) bool {
	var refusal *broker.Refusal
	if !errors.As(err, &refusal) {
		return errors.Is(err, redis.ErrClosed)
	}
	switch refusal.Reason {
	case broker.Denied, broker.Invalid, broker.Closed:
		return true
	}
	return false
}

// Leader says who leads.
type Leader struct {
	Term   scheduler.Term
	Holder string        // host, pid and a part of chance
	Left   time.Duration // of its lease, if it does not renew it
}

// Leader is who leads; false: nobody does.
func (s *Store) Leader(ctx context.Context) (Leader, bool, error) {
	l, err := call(ctx, s, "ask who leads", func(ctx context.Context) (Leader, error) {
		var text *redis.StringCmd
		var left *redis.DurationCmd
		_, err := s.client.TxPipelined(ctx, func(p redis.Pipeliner) error {
			text, left = p.Get(ctx, leaderKey), p.PTTL(ctx, leaderKey)
			return nil
		})
		if errors.Is(err, redis.Nil) {
			return Leader{}, nil
		}
		if err != nil {
			return Leader{}, err
		}
		number, holder, _ := strings.Cut(text.Val(), " ")
		term, err := strconv.ParseInt(number, 10, 64)
		return Leader{Term: scheduler.Term(term), Holder: holder, Left: left.Val()}, err
	})
	return l, l.Term != 0, err
}
