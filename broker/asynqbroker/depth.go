package asynqbroker

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"

	"acklab/broker"
)

// Depth counts the task ids in asynq's lists and sets of the queue, at one
// moment. A scheduled or returned task is Delayed until its time has come; then
// it is Ready, though only a server moves it to where servers look. Consumers is nil: asynq's servers announce themselves, and their
// entries outlive them. A queue that does not exist holds nothing.
func (b *Broker) Depth(ctx context.Context, queue string) (broker.Depth, error) {
	now := strconv.FormatInt(time.Now().Unix(), 10)
	var pending, active, later, due, archived *redis.IntCmd
	var laterAgain, dueAgain *redis.IntCmd
	var first *redis.StringCmd
	_, err := b.client.TxPipelined(ctx, func(p redis.Pipeliner) error {
		pending = p.LLen(ctx, pendingKey(queue))
		active = p.LLen(ctx, activeKey(queue))
		later = p.ZCount(ctx, scheduledKey(queue), "("+now, "+inf")
		due = p.ZCount(ctx, scheduledKey(queue), "-inf", now)
		laterAgain = p.ZCount(ctx, retryKey(queue), "("+now, "+inf")
		dueAgain = p.ZCount(ctx, retryKey(queue), "-inf", now)
		archived = p.ZCard(ctx, archivedKey(queue))
		first = p.LIndex(ctx, pendingKey(queue), -1)
		return nil
	})
	if err != nil && !errors.Is(err, redis.Nil) { // Nil: nothing is pending
		return broker.Depth{}, b.failed(fmt.Sprintf("depth of queue %q", queue), err)
	}
	number := func(n int64) *int { i := int(n); return &i }
	return broker.Depth{
		Ready:   number(pending.Val() + due.Val() + dueAgain.Val()),
		Unacked: number(active.Val()),
		Delayed: number(later.Val() + laterAgain.Val()),
		Dead:    number(archived.Val()),
		Oldest:  b.waited(ctx, queue, first.Val()),
	}, nil
}

// waited is since when the task is pending, by the clock of whoever put it
// there. Nil: there is none, or a server has taken it in the meantime.
func (b *Broker) waited(ctx context.Context, queue, id string) *time.Duration {
	if id == "" {
		return nil
	}
	since, err := b.client.HGet(ctx, taskKey(queue, id), "pending_since").Int64()
	if err != nil {
		return nil
	}
	age := max(time.Since(time.Unix(0, since)), 0)
	return &age
}
