package inspect

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"

	"github.com/redis/go-redis/v9"
)

// page is how many keys one round trip asks about.
const page = 500

// keyFinder collects the names of the keys to look at. The ones that hold the
// queues come first, by name, so that they are in the view of a database with
// more keys than the limit.
type keyFinder struct {
	c     *redis.Client
	limit int
	found map[string]bool
}

// find returns at most about limit keys, sorted. Names may be of keys that do
// not exist.
func (f *keyFinder) find(ctx context.Context) ([]string, error) {
	f.found = map[string]bool{}
	for _, step := range []func(context.Context) error{f.asynq, f.celery, f.scan} {
		if err := step(ctx); err != nil {
			return nil, err
		}
	}
	return slices.Sorted(maps.Keys(f.found)), nil
}

// asynq adds the keys of asynq's queues.
func (f *keyFinder) asynq(ctx context.Context) error {
	queues, err := f.members(ctx, asynqQueues)
	if len(queues) == 0 || err != nil {
		return err
	}
	names := []string{asynqQueues, "asynq:servers", "asynq:workers", "asynq:schedulers"}
	for _, q := range queues {
		for part := range asynqParts {
			names = append(names, asynqKey(q, part))
		}
	}
	return f.addExisting(ctx, names)
}

// celery adds the keys of kombu's bookkeeping, and the queues that the usual
// bindings name with their priority steps.
func (f *keyFinder) celery(ctx context.Context) error {
	names := []string{unacked, unackedIndex, unackedMutex}
	for _, exchange := range []string{"celery", "celeryev", "celery.pidbox", "reply.celery.pidbox"} {
		names = append(names, bindingPrefix+exchange)
		bindings, err := f.members(ctx, bindingPrefix+exchange)
		if err != nil {
			return err
		}
		for _, b := range bindings {
			if q := boundQueue(b); q != "" {
				names = append(names, prioritySteps(q)...)
			}
		}
	}
	return f.addExisting(ctx, append(names, prioritySteps("celery")...))
}

// members reads a set, no more than limit of it. A key that is no set has none.
func (f *keyFinder) members(ctx context.Context, key string) ([]string, error) {
	var all []string
	for cursor := uint64(0); ; {
		some, next, err := f.c.SScan(ctx, key, cursor, "", page).Result()
		if isReply(err, "WRONGTYPE") || elsewhere(err) {
			return nil, nil
		}
		if err != nil {
			return nil, explainRedis(err)
		}
		all = append(all, some...)
		if cursor = next; cursor == 0 || len(all) >= f.limit {
			slices.Sort(all)
			return slices.Compact(all), nil
		}
	}
}

// addExisting adds those that exist, until the limit is reached.
func (f *keyFinder) addExisting(ctx context.Context, names []string) error {
	slices.Sort(names)
	for some := range slices.Chunk(slices.Compact(names), page) {
		pipe := f.c.Pipeline()
		answers := make([]*redis.IntCmd, len(some))
		for i, name := range some {
			answers[i] = pipe.Exists(ctx, name)
		}
		if _, err := pipe.Exec(ctx); err != nil {
			for _, a := range answers {
				if a.Err() != nil && !elsewhere(a.Err()) {
					return explainRedis(a.Err())
				}
			}
		}
		for i, name := range some {
			if answers[i].Val() > 0 && len(f.found) < f.limit {
				f.found[name] = true
			}
		}
	}
	return nil
}

// elsewhere tells whether a node of a cluster answered that the key is not its
// own.
func elsewhere(err error) bool { return isReply(err, "MOVED", "ASK", "CLUSTERDOWN") }

// isReply tells whether err is an answer of the server that begins with one of
// these words.
func isReply(err error, words ...string) bool {
	reply, ok := errors.AsType[redis.Error](err)
	return ok && slices.ContainsFunc(words, func(w string) bool { return strings.HasPrefix(reply.Error(), w) })
}

// scan adds whatever else there is, until the limit is reached.
func (f *keyFinder) scan(ctx context.Context) error {
	for cursor := uint64(0); len(f.found) < f.limit; {
		some, next, err := f.c.Scan(ctx, cursor, "", int64(min(page, f.limit))).Result()
		if err != nil {
			return explainRedis(err)
		}
		for _, name := range some {
			if len(f.found) < f.limit {
				f.found[name] = true
			}
		}
		if cursor = next; cursor == 0 {
			return nil
		}
	}
	return nil
}
