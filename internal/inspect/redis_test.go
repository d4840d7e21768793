package inspect

import (
	"fmt"
	"net"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"acklab/internal/minder"
	"acklab/internal/server"
	"acklab/internal/server/servertest"
)

// fill writes what asynq and Celery would.
func fill(t *testing.T, c *redis.Client) {
	t.Helper()
	ctx := t.Context()
	pipe := c.Pipeline()
	pipe.SAdd(ctx, "asynq:queues", "default")
	for i, state := range []string{"pending", "pending", "active", "scheduled", "retry", "archived"} {
		id := fmt.Sprintf("id-%d", i)
		pipe.HSet(ctx, "asynq:{default}:t:"+id, "msg", strings.Repeat("x", 100), "state", state)
		if state == "pending" || state == "active" {
			pipe.LPush(ctx, "asynq:{default}:"+state, id)
		} else {
			pipe.ZAdd(ctx, "asynq:{default}:"+state, redis.Z{Score: 1e9, Member: id})
		}
	}
	pipe.ZAdd(ctx, "asynq:{default}:lease", redis.Z{Score: 1e9, Member: "id-2"})
	pipe.Set(ctx, "asynq:{default}:processed:2026-01-01", 5, 90*24*3600e9)
	pipe.SAdd(ctx, "_kombu.binding.celery", "celery\x06\x16\x06\x16celery", "slow\x06\x16\x06\x16slow")
	pipe.LPush(ctx, "celery", "m1", "m2", "m3")
	pipe.LPush(ctx, "slow\x06\x169", "m4")
	pipe.LPush(ctx, "slow.dead", "m6")
	pipe.ZAdd(ctx, "slow.delayed\x06\x163", redis.Z{Score: 1e12, Member: "m7"})
	pipe.HSet(ctx, "unacked", "tag", "m5")
	pipe.ZAdd(ctx, "unacked_index", redis.Z{Score: 1e9, Member: "tag"})
	pipe.SetEx(ctx, "celery-task-meta-a", "{}", 3600e9)
	pipe.SetEx(ctx, "celery-task-meta-b", "{}", 3600e9)
	pipe.LPush(ctx, "someone's list", 1)
	pipe.XAdd(ctx, &redis.XAddArgs{Stream: "a\x1bstream", Values: []string{"k", "v"}})
	if _, err := pipe.Exec(ctx); err != nil {
		t.Fatal(err)
	}
}

func TestEveryKeyOfAsynqAndCeleryIsShownAndExplained(t *testing.T) {
	t.Parallel()
	r := servertest.Redis(t, server.RedisOptions{Password: secret})
	c := r.Client()
	defer c.Close()
	fill(t, c)
	v, text := look(t, r.URL("asynq"), Options{})
	if v.Redis.Size != 25 || v.Redis.More != 0 {
		t.Errorf("%d keys, %d more, want 25 and none", v.Redis.Size, v.Redis.More)
	}
	for _, want := range []string{
		`asynq:queues +set +1 +- +\d+ +names of asynq's queues`,
		`asynq:\{default\}:active +list +1 +- +\d+ +active: ids`,
		`asynq:\{default\}:archived +zset +1 `,
		`asynq:\{default\}:lease +zset +1 `,
		`asynq:\{default\}:pending +list +2 `,
		`asynq:\{default\}:processed:2026-01-01 +string +1 +in 2160h0m0s +\d+ +counter: .*, on 2026-01-01`,
		`asynq:\{default\}:retry +zset +1 `,
		`asynq:\{default\}:scheduled +zset +1 `,
		`asynq:\{default\}:t:\* +hash +6 keys +- +\d+ +one hash a task: its message and state \(1 active, 1 archived, 2 pending, 1 retry, 1 scheduled\)`,
		`_kombu.binding.celery +set +2 +- +\d+ +bindings of exchange celery`,
		`celery +list +3 +- +\d+ +queue celery, priority step 0`,
		`slow\\x06\\x169 +list +1 +- +\d+ +queue slow, priority step 9`,
		`slow.dead +list +1 +- +\d+ +dead letters of queue slow`,
		`slow.delayed\\x06\\x163 +zset +1 +- +\d+ +messages of queue slow that wait for their time`,
		`unacked +hash +1 +- +\d+ +unacked: `,
		`unacked_index +zset +1 `,
		`celery-task-meta-\* +string +2 keys +in 1h0m0s +\d+ +one string a task: its result`,
		`someone's list +list +1 +- +\d+ +list that no binding names`,
		`a\\x1bstream +stream +1 +- +\d+ +not a key of asynq or Celery`,
	} {
		if !regexp.MustCompile(`(?m)^` + want).MatchString(text) {
			t.Errorf("no line like %s in:\n%s", want, text)
		}
	}
	if strings.Contains(text, "id-0") {
		t.Errorf("single tasks are shown:\n%s", text)
	}
	if !slices.IsSortedFunc(v.Redis.Rows, func(a, b Row) int { return strings.Compare(a.Key, b.Key) }) {
		t.Error("the rows are not in the order of their names")
	}
}

func TestALookAtRedisChangesNothing(t *testing.T) {
	t.Parallel()
	r := servertest.Redis(t, server.RedisOptions{})
	c := r.Client()
	defer c.Close()
	fill(t, c)
	before := c.InfoMap(t.Context(), "persistence").Val()["Persistence"]["rdb_changes_since_last_save"]
	look(t, r.URL("redis"), Options{})
	if after := c.InfoMap(t.Context(), "persistence").Val()["Persistence"]["rdb_changes_since_last_save"]; after != before || before == "" {
		t.Errorf("%q changes before, %q after", before, after)
	}
	stats := c.Info(t.Context(), "commandstats").Val()
	if strings.Contains(stats, "cmdstat_keys:") {
		t.Error("KEYS was used, which stalls the server")
	}
}

func TestTheLimitKeepsTheQueuesInTheViewAndCountsTheRest(t *testing.T) {
	t.Parallel()
	r := servertest.Redis(t, server.RedisOptions{})
	c := r.Client()
	defer c.Close()
	fill(t, c)
	pipe := c.Pipeline()
	for i := range 5000 {
		pipe.HSet(t.Context(), fmt.Sprintf("asynq:{default}:t:more-%d", i), "state", "pending")
	}
	if _, err := pipe.Exec(t.Context()); err != nil {
		t.Fatal(err)
	}
	v, text := look(t, r.URL("asynq"), Options{Limit: 100})
	if v.Redis.More != 5025-100 || !strings.Contains(text, "4925 more keys were not looked at") {
		t.Errorf("%d keys more, want 4925:\n%s", v.Redis.More, text)
	}
	for _, key := range []string{"asynq:{default}:pending", "asynq:{default}:lease", "celery", "slow\x06\x169", "unacked"} {
		if !slices.ContainsFunc(v.Redis.Rows, func(r Row) bool { return r.Key == key }) {
			t.Errorf("%q is not in the view", key)
		}
	}
}

func TestAnEmptyDatabaseAndItsNeighboursAreTold(t *testing.T) {
	t.Parallel()
	r := servertest.Redis(t, server.RedisOptions{})
	c := r.Client()
	defer c.Close()
	c.Set(t.Context(), "k", "v", 0)
	v, text := look(t, strings.TrimSuffix(r.URL(""), "/0")+"/3", Options{})
	if v.Redis.Database != 3 || v.Redis.Size != 0 || !strings.Contains(text, "0 keys in database 3") || !strings.Contains(text, "other databases: db0: 1 keys") {
		t.Errorf("%+v\n%s", v.Redis, text)
	}
}

func TestAUserWhoMayReadOnlyTheQueueSeesIt(t *testing.T) {
	t.Parallel()
	r := servertest.Redis(t, server.RedisOptions{Args: []string{"--user", "reader", "on", ">" + secret, "~*", "+@read", "+ping", "+select", "-memory|usage"}})
	c := r.Client()
	defer c.Close()
	fill(t, c)
	v, _ := look(t, strings.Replace(r.URL("asynq"), "asynq://", "asynq://reader:"+secret+"@", 1), Options{})
	if v.Redis.Size != 25 || v.Redis.Rows[0].Bytes != nil {
		t.Errorf("%+v", v.Redis)
	}
}

func TestANodeOfAClusterShowsItsOwnKeys(t *testing.T) {
	t.Parallel()
	r := servertest.Redis(t, server.RedisOptions{})
	// A node that owns a part of the slots, of a cluster that has no other: the
	// keys of the rest are refused as they are where another node has them.
	dir := t.TempDir()
	binary, err := server.FindRedis()
	if err != nil {
		t.Fatal(err)
	}
	_, port, _ := strings.Cut(r.Addr(), ":")
	if err := r.Kill(t.Context()); err != nil { // its port is free now, and nobody else's
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_, bus, _ := strings.Cut(l.Addr().String(), ":")
	l.Close()
	p, err := servertest.Minder(t).Run(minder.Spec{Name: "cluster", Argv: []string{binary.Path, "--port", port, "--bind", "127.0.0.1", "--dir", dir, "--save", "",
		"--cluster-enabled", "yes", "--cluster-require-full-coverage", "no", "--cluster-port", bus, "--cluster-config-file", "nodes.conf"}})
	if err != nil {
		t.Fatal(err)
	}
	c := redis.NewClient(&redis.Options{Addr: r.Addr(), MaxRetries: -1})
	defer c.Close()
	own := "asynq:{default}:pending"
	for deadline := time.Now().Add(30 * time.Second); c.Ping(t.Context()).Err() != nil; time.Sleep(20 * time.Millisecond) {
		if !p.Alive() || time.Now().After(deadline) {
			t.Fatal("the node does not answer")
		}
	}
	slot := c.ClusterKeySlot(t.Context(), own).Val()
	if err := c.ClusterAddSlots(t.Context(), int(slot)).Err(); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(30 * time.Second); c.LPush(t.Context(), own, "id").Err() != nil; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the node takes no key")
		}
	}
	v, text := look(t, "redis://"+r.Addr(), Options{})
	if !v.Redis.Cluster || len(v.Redis.Rows) != 1 || v.Redis.Rows[0].Key != own || !strings.Contains(text, "one node of a cluster") {
		t.Errorf("%+v\n%s", v.Redis, text)
	}
}

func TestAnAsynqQueueOfAPriorityIsSaidToBePartOfAQueue(t *testing.T) {
	t.Parallel()
	for key, want := range map[string]string{
		"asynq:{mail.priority9}:pending": "pending: ids of tasks that wait for a worker; of queue mail, priorities 7 to 9",
		"asynq:{mail.priority3}:retry":   "; of queue mail, priorities 1 to 3",
		"asynq:{mail}:pending":           "pending: ids of tasks that wait for a worker",
	} {
		if got := asynqMeaning(key); !strings.HasSuffix(got, want) {
			t.Errorf("%s: %q; want %q", key, got, want)
		}
	}
}
