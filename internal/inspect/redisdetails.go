package inspect

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/redis/go-redis/v9"
)

// item is one key as Redis describes it.
type item struct {
	name, kind string
	length     *int64        // nil: a type without a length
	bytes      *int64        // nil: the server does not tell
	ttl        time.Duration // 0: it does not expire
	state      string        // of an asynq task
}

// describe asks for type, length, expiry and memory of each key, in two round
// trips a page. A key that is gone by then is left out.
func describe(ctx context.Context, c *redis.Client, names []string) ([]item, error) {
	var all []item
	for some := range slices.Chunk(names, page) {
		items, err := types(ctx, c, some)
		if err != nil {
			return nil, err
		}
		if err := details(ctx, c, items); err != nil {
			return nil, err
		}
		all = append(all, items...)
	}
	return all, nil
}

func types(ctx context.Context, c *redis.Client, names []string) ([]item, error) {
	pipe := c.Pipeline()
	answers := make([]*redis.StatusCmd, len(names))
	for i, name := range names {
		answers[i] = pipe.Type(ctx, name)
	}
	if _, err := pipe.Exec(ctx); err != nil {
		return nil, explainRedis(err)
	}
	var items []item
	for i, name := range names {
		if kind := answers[i].Val(); kind != "none" {
			items = append(items, item{name: name, kind: kind})
		}
	}
	return items, nil
}

// details fills in what the types allow to ask. A reply that is an error (the
// key changed meanwhile, or this user may not ask) leaves its field empty.
func details(ctx context.Context, c *redis.Client, items []item) error {
	pipe := c.Pipeline()
	type answers struct {
		length *redis.IntCmd
		ttl    *redis.DurationCmd
		bytes  *redis.IntCmd
		state  *redis.StringCmd
	}
	asked := make([]answers, len(items))
	for i, it := range items {
		asked[i] = answers{length: askLength(ctx, pipe, it), ttl: pipe.PTTL(ctx, it.name), bytes: pipe.MemoryUsage(ctx, it.name)}
		if _, _, ok := asynqTask(it.name); ok && it.kind == "hash" {
			asked[i].state = pipe.HGet(ctx, it.name, "state")
		}
	}
	commands, err := pipe.Exec(ctx)
	if err != nil {
		for _, cmd := range commands {
			if _, replied := errors.AsType[redis.Error](cmd.Err()); cmd.Err() != nil && !replied {
				return explainRedis(cmd.Err())
			}
		}
	}
	for i := range items {
		if a := asked[i]; a.length != nil && a.length.Err() == nil {
			items[i].length = new(a.length.Val())
		}
		if a := asked[i]; a.bytes.Err() == nil {
			items[i].bytes = new(a.bytes.Val())
		}
		if a := asked[i]; a.ttl.Err() == nil {
			items[i].ttl = max(0, a.ttl.Val())
		}
		if a := asked[i]; a.state != nil {
			items[i].state = a.state.Val()
		}
	}
	return nil
}

func askLength(ctx context.Context, pipe redis.Pipeliner, it item) *redis.IntCmd {
	switch it.kind {
	case "list":
		return pipe.LLen(ctx, it.name)
	case "zset":
		return pipe.ZCard(ctx, it.name)
	case "hash":
		return pipe.HLen(ctx, it.name)
	case "set":
		return pipe.SCard(ctx, it.name)
	case "string":
		return pipe.StrLen(ctx, it.name)
	case "stream":
		return pipe.XLen(ctx, it.name)
	}
	return nil
}
