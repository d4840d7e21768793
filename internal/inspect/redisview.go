package inspect

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/redis/go-redis/v9"
)

// RedisView is what lies in one database of a Redis server.
type RedisView struct {
	// Database is the number of the database.
	Database int `json:"database"`
	// Size is how many keys it holds.
	Size int64 `json:"size"`
	// Rows are the keys in the order of their names. All tasks of an asynq queue
	// are one row, and so are all results of Celery.
	Rows []Row `json:"keys"`
	// More is how many keys were not looked at because of the limit.
	More int64 `json:"more,omitempty"`
	// Elsewhere are the other databases that hold keys, as in "db1: 12 keys".
	Elsewhere []string `json:"elsewhere,omitempty"`
	// Cluster tells that this is one node of a cluster: the others' keys are not
	// in the view.
	Cluster bool `json:"cluster,omitempty"`
}

// Row is one key, or a group of keys of one sort.
type Row struct {
	// Key is the name; of a group, the pattern, as in asynq:{default}:t:*.
	Key string `json:"key"`
	// Keys is how many keys a group has, 0 for a single key.
	Keys int64 `json:"group_of,omitempty"`
	// Type is Redis' word: list, zset, hash, set, string, stream.
	Type string `json:"type"`
	// Length is the number of elements, of a string the bytes; nil for a group,
	// and where the type has none.
	Length *int64 `json:"length,omitempty"`
	// TTL is in seconds until the key expires (of a group, the longest), 0: never.
	TTL float64 `json:"ttl_seconds,omitempty"`
	// Bytes is the memory that the server counts, with overhead; it samples large
	// keys. nil: it does not tell.
	Bytes *int64 `json:"bytes,omitempty"`
	// States counts the tasks of a group by state.
	States map[string]int64 `json:"states,omitempty"`
	// What says what it is.
	What string `json:"what"`
}

func (v *View) lookRedis(ctx context.Context, t *Target, limit int) error {
	c := t.Redis()
	defer c.Close()
	info, err := t.Info(ctx, c)
	if err != nil && !Refused(err) {
		return err
	}
	v.Server = RedisProduct(info)
	names, err := (&keyFinder{c: c, limit: limit}).find(ctx)
	if err != nil {
		return err
	}
	items, err := describe(ctx, c, names)
	if err != nil {
		return err
	}
	size, err := c.DBSize(ctx).Result()
	if err != nil && !Refused(err) {
		return explainRedis(err)
	}
	bound, err := bindings(ctx, c, items)
	if err != nil {
		return err
	}
	v.Redis = &RedisView{Database: t.db, Size: max(size, int64(len(items))), Rows: rows(items, bound),
		Elsewhere: otherDatabases(info, t.db), Cluster: info["cluster_enabled"] == "1"}
	if len(names) >= limit {
		v.Redis.More = max(0, size-int64(len(items)))
	}
	return nil
}

// RedisProduct is "redis 7.0.15" or "valkey 8.0.1", from the fields of INFO.
func RedisProduct(info map[string]string) string {
	if name := info["server_name"]; name != "" && info[name+"_version"] != "" {
		return name + " " + info[name+"_version"]
	}
	return strings.TrimSpace("redis " + info["redis_version"])
}

func otherDatabases(info map[string]string, own int) []string {
	var others []string
	for n := range 1024 {
		text, ok := info[fmt.Sprintf("db%d", n)]
		if !ok || n == own {
			continue
		}
		keys, _, _ := strings.Cut(strings.TrimPrefix(text, "keys="), ",")
		others = append(others, fmt.Sprintf("db%d: %s keys", n, keys))
	}
	return others
}

// bindings reads which queues the bindings name.
func bindings(ctx context.Context, c *redis.Client, items []item) (map[string]bool, error) {
	bound := map[string]bool{}
	f := &keyFinder{c: c, limit: DefaultLimit}
	for _, it := range items {
		if it.kind != "set" || !strings.HasPrefix(it.name, bindingPrefix) {
			continue
		}
		members, err := f.members(ctx, it.name)
		if err != nil {
			return nil, err
		}
		for _, m := range members {
			bound[boundQueue(m)] = true
		}
	}
	return bound, nil
}

// rows makes one row of each key, and of each group of keys.
func rows(items []item, bound map[string]bool) []Row {
	groups := map[string]*Row{}
	all := []Row{}
	for _, it := range items {
		if pattern, what := groupOf(it); pattern != "" {
			if groups[pattern] == nil {
				groups[pattern] = &Row{Key: pattern, Type: it.kind, What: what}
			}
			groups[pattern].add(it)
			continue
		}
		what := cmp.Or(asynqMeaning(it.name), celeryMeaning(it.name, it.kind, func(q string) bool { return bound[q] }), "not a key of asynq or Celery")
		all = append(all, Row{Key: it.name, Type: it.kind, Length: it.length, Bytes: it.bytes, TTL: it.ttl.Seconds(), What: what})
	}
	for _, g := range groups {
		all = append(all, *g)
	}
	slices.SortFunc(all, func(a, b Row) int { return cmp.Or(cmp.Compare(a.Key, b.Key), cmp.Compare(a.Type, b.Type)) })
	return all
}

// groupOf is the pattern of the group that a key belongs to, or empty.
func groupOf(it item) (pattern, what string) {
	switch queue, _, isTask := asynqTask(it.name); {
	case isTask && it.kind == "hash":
		return asynqKey(queue, "t:*"), "one hash a task: its message and state"
	case strings.HasPrefix(it.name, resultPrefix) && it.kind == "string":
		return resultPrefix + "*", "one string a task: its result"
	}
	return "", ""
}

func (r *Row) add(it item) {
	r.Keys++
	r.TTL = max(r.TTL, it.ttl.Seconds())
	if it.bytes != nil {
		if r.Bytes == nil {
			r.Bytes = new(int64)
		}
		*r.Bytes += *it.bytes
	}
	if _, _, isTask := asynqTask(it.name); isTask {
		if r.States == nil {
			r.States = map[string]int64{}
		}
		r.States[cmp.Or(it.state, "without a state")]++
	}
}
