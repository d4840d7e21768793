package asynqbroker

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"time"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"

	"acklab/broker"
	"acklab/task"
)

// pageSize is how many tasks one question to asynq's Inspector asks for.
const pageSize = 1000

// errMoved: the census is not of one moment.
var errMoved = errors.New("the queue changed while it was read: a server or a producer is still there")

// section is one of asynq's lists and sets of a queue.
type section struct {
	name asynq.TaskState
	ids  []string
	due  []bool // of a set with times; else nil
	list func(*asynq.Inspector, string, ...asynq.ListOption) ([]*asynq.TaskInfo, error)
}

// Census yields what asynq's lists and sets of the queue name: pending, active,
// scheduled and retry, archived. It consumes nothing. A task that is named but
// whose content is gone (evicted, or lost by a defect) is yielded with its id
// alone. What is scheduled or returned and due counts as queued. Content that no list names is not held: asynq will never deliver it.
// Completed tasks are ignored. The last value is an error when the lists
// changed in between or could not be read to the end.
func (b *Broker) Census(ctx context.Context, queue string) iter.Seq2[broker.Held, error] {
	return func(yield func(broker.Held, error) bool) {
		for _, lane := range b.address.lanes(queue) {
			more, err := b.census(ctx, lane, queue, yield)
			if err != nil {
				yield(broker.Held{}, b.failed(fmt.Sprintf("census of queue %q", queue), err))
			}
			if err != nil || !more {
				return
			}
		}
	}
}

// census yields what one of asynq's queues holds for the queue. more is false
// when the caller wants no more.
func (b *Broker) census(ctx context.Context, lane, queue string, yield func(broker.Held, error) bool) (more bool, err error) {
	before, err := b.sections(ctx, lane)
	if err != nil {
		return false, err
	}
	inspector := asynq.NewInspectorFromRedisClient(b.client)
	for _, s := range before {
		infos, err := b.read(ctx, inspector, lane, s)
		if err != nil {
			return false, err
		}
		for i, id := range s.ids {
			if !yield(held(queue, id, s.state(i), infos[id]), nil) {
				return false, nil
			}
		}
	}
	after, err := b.sections(ctx, lane)
	if err != nil {
		return false, err
	}
	if !slices.EqualFunc(before, after, func(x, y section) bool { return slices.Equal(x.ids, y.ids) }) {
		return false, errMoved
	}
	return true, nil
}

// sections reads the ids of all lists and sets at one moment.
func (b *Broker) sections(ctx context.Context, queue string) ([]section, error) {
	var groups *redis.IntCmd
	var pending, active, archived *redis.StringSliceCmd
	var scheduled, retry *redis.ZSliceCmd
	_, err := b.client.TxPipelined(ctx, func(p redis.Pipeliner) error {
		pending = p.LRange(ctx, pendingKey(queue), 0, -1)
		active = p.LRange(ctx, activeKey(queue), 0, -1)
		scheduled = p.ZRangeWithScores(ctx, scheduledKey(queue), 0, -1)
		retry = p.ZRangeWithScores(ctx, retryKey(queue), 0, -1)
		archived = p.ZRange(ctx, archivedKey(queue), 0, -1)
		groups = p.SCard(ctx, queueKey(queue, "groups"))
		return nil
	})
	if err != nil {
		return nil, err
	}
	if groups.Val() > 0 {
		return nil, errors.New("the queue holds task groups, which this program does not read")
	}
	now := time.Now().Unix()
	later, laterDue := timed(scheduled.Val(), now)
	again, againDue := timed(retry.Val(), now)
	return []section{
		{asynq.TaskStatePending, pending.Val(), nil, (*asynq.Inspector).ListPendingTasks},
		{asynq.TaskStateActive, active.Val(), nil, (*asynq.Inspector).ListActiveTasks},
		{asynq.TaskStateScheduled, later, laterDue, (*asynq.Inspector).ListScheduledTasks},
		{asynq.TaskStateRetry, again, againDue, (*asynq.Inspector).ListRetryTasks},
		{asynq.TaskStateArchived, archived.Val(), nil, (*asynq.Inspector).ListArchivedTasks},
	}, nil
}

// timed splits the members of a set with times, and tells which are due.
func timed(members []redis.Z, now int64) (ids []string, due []bool) {
	for _, m := range members {
		id, _ := m.Member.(string)
		ids = append(ids, id)
		due = append(due, int64(m.Score) <= now)
	}
	return ids, due
}

// state is what the ith task of the section is in the words of the contract.
func (s section) state(i int) broker.State {
	switch {
	case s.name == asynq.TaskStateActive:
		return broker.Unacked
	case s.name == asynq.TaskStateArchived:
		return broker.Dead
	case s.due != nil && !s.due[i]:
		return broker.Delayed
	}
	return broker.Queued
}

// read gives the content of a section's tasks by id, where there is any.
func (b *Broker) read(ctx context.Context, inspector *asynq.Inspector, queue string, s section) (map[string]*asynq.TaskInfo, error) {
	infos := make(map[string]*asynq.TaskInfo, len(s.ids))
	pages := (len(s.ids) + pageSize - 1) / pageSize
	for page := 1; page <= pages; page++ {
		if err := ctx.Err(); err != nil {
			return nil, context.Cause(ctx)
		}
		tasks, err := s.list(inspector, queue, asynq.PageSize(pageSize), asynq.Page(page))
		if errors.Is(err, asynq.ErrQueueNotFound) {
			// The Inspector reads only queues that are listed, and the list
			// may have been lost where the tasks were not.
			if err = b.list(ctx, queue); err == nil {
				tasks, err = s.list(inspector, queue, asynq.PageSize(pageSize), asynq.Page(page))
			}
		}
		if err != nil {
			return nil, fmt.Errorf("read %s tasks: %w", s.name, err)
		}
		for _, t := range tasks {
			infos[t.ID] = t
		}
	}
	return infos, nil
}

func held(queue, id string, state broker.State, info *asynq.TaskInfo) broker.Held {
	h := broker.Held{Queue: queue, State: state}
	if info == nil {
		h.Message = &task.Message{ID: id, Options: task.Options{Queue: queue}}
		return h
	}
	h.Message, _ = messageOf(info.Payload, id, queue, info.Type)
	h.Count = info.Retried
	switch state {
	case broker.Dead:
		h.Reason = info.LastErr
		h.Count++ // the delivery that was rejected
	case broker.Unacked:
		h.Count++
	}
	return h
}
