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
	var lanes []laneDepth
	_, err := b.client.TxPipelined(ctx, func(p redis.Pipeliner) error {
		for _, lane := range b.address.lanes(queue) {
			lanes = append(lanes, askDepth(ctx, p, lane, now))
		}
		return nil
	})
	if err != nil && !errors.Is(err, redis.Nil) { // Nil: nothing is pending
		return broker.Depth{}, b.failed(fmt.Sprintf("depth of queue %q", queue), err)
	}
	d := broker.Depth{Ready: new(int), Unacked: new(int), Delayed: new(int), Dead: new(int)}
	for _, l := range lanes {
		*d.Ready += count(l.pending, l.due, l.dueAgain)
		*d.Unacked += count(l.active)
		*d.Delayed += count(l.later, l.laterAgain)
		*d.Dead += count(l.archived)
		if age := b.waited(ctx, l.name, l.first.Val()); age != nil && (d.Oldest == nil || *age > *d.Oldest) {
			d.Oldest = age
		}
	}
	return d, nil
}

// laneDepth are the questions about one of asynq's queues.
type laneDepth struct {
	name                             string
	pending, active, archived        *redis.IntCmd
	later, due, laterAgain, dueAgain *redis.IntCmd
	first                            *redis.StringCmd
}

func askDepth(ctx context.Context, p redis.Pipeliner, lane, now string) laneDepth {
	return laneDepth{
		name:       lane,
		pending:    p.LLen(ctx, pendingKey(lane)),
		active:     p.LLen(ctx, activeKey(lane)),
		later:      p.ZCount(ctx, scheduledKey(lane), "("+now, "+inf"),
		due:        p.ZCount(ctx, scheduledKey(lane), "-inf", now),
		laterAgain: p.ZCount(ctx, retryKey(lane), "("+now, "+inf"),
		dueAgain:   p.ZCount(ctx, retryKey(lane), "-inf", now),
		archived:   p.ZCard(ctx, archivedKey(lane)),
		first:      p.LIndex(ctx, pendingKey(lane), -1),
	}
}

func count(cmds ...*redis.IntCmd) (n int) {
	for _, cmd := range cmds {
		n += int(cmd.Val())
	}
	return n
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
