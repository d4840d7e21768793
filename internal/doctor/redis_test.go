package doctor

import (
	"strings"
	"testing"

	"acklab/internal/server"
	"acklab/internal/server/servertest"
)

func TestARedisWithoutPersistenceAndWithEvictionIsWarnedOf(t *testing.T) {
	t.Parallel()
	r := servertest.Redis(t, server.RedisOptions{Args: []string{"--maxmemory", "100mb", "--maxmemory-policy", "allkeys-lru", "--timeout", "30"}})
	found := advise(t, r.URL("asynq"), "")
	has(t, found, Warning, "nothing is written to disk")
	has(t, found, Warning, "maxmemory-policy is allkeys-lru")
	has(t, found, Advice, "timeout is 30")
	has(t, found, Advice, "no password is wanted; only clients on this machine")
	if found[0].Level != Warning || found[len(found)-1].Level != Fine {
		t.Errorf("not the worst first:\n%s", lines(found))
	}
}

func TestARedisWithEverythingInPlaceIsFine(t *testing.T) {
	t.Parallel()
	r := servertest.Redis(t, server.RedisOptions{Persistence: server.AOFAlways, Password: secret, Args: []string{"--maxmemory", "100mb"}})
	found := advise(t, r.URL("redis"), "")
	has(t, found, Fine, "appendonly is yes, with appendfsync always")
	has(t, found, Fine, "maxmemory-policy is noeviction")
	has(t, found, Fine, "the server wants a password")
	for _, f := range found {
		if f.Level == Warning {
			t.Errorf("a warning: %s", f.What)
		}
	}
}

func TestSnapshotsAloneAreWarnedOf(t *testing.T) {
	t.Parallel()
	r := servertest.Redis(t, server.RedisOptions{Persistence: server.RDB})
	found := advise(t, r.URL("redis"), "")
	has(t, found, Warning, "only snapshots are written to disk (save ")
	hasNot(t, found, Warning, "nothing is written to disk")
}

func TestAReplicaIsWarnedOfAndItsPrimaryAdvised(t *testing.T) {
	t.Parallel()
	primary := servertest.Redis(t, server.RedisOptions{Args: []string{"--repl-diskless-sync-delay", "0"}})
	host, port, _ := strings.Cut(primary.Addr(), ":")
	replica := servertest.Redis(t, server.RedisOptions{})
	c := replica.Client()
	defer c.Close()
	if err := c.ReplicaOf(t.Context(), host, port).Err(); err != nil {
		t.Fatal(err)
	}
	found := advise(t, replica.URL("redis"), "")
	has(t, found, Warning, "this server is a read-only replica of "+primary.Addr())
	has(t, found, Warning, "nothing is written to disk")
}

func TestWhereConfigIsRefusedTheAdviceRestsOnInfo(t *testing.T) {
	t.Parallel()
	r := servertest.Redis(t, server.RedisOptions{Password: "other", Args: []string{
		"--user", "worker", "on", ">" + secret, "~*", "+@all", "-@admin", "-config"}})
	found := advise(t, strings.Replace(r.URL("asynq"), ":other@", "worker:"+secret+"@", 1), "")
	has(t, found, Unseen, "CONFIG is refused for this user (NOPERM")
	has(t, found, Advice, "appendonly is no; whether there are save points could not be looked at")
	has(t, found, Advice, "maxmemory is 0")
	has(t, found, Fine, "the server wants a password")
	hasNot(t, found, Advice, "the user of this URL may use CONFIG")
}

func TestADoctorChangesNothingInRedis(t *testing.T) {
	t.Parallel()
	r := servertest.Redis(t, server.RedisOptions{})
	c := r.Client()
	defer c.Close()
	field := func() string {
		return c.InfoMap(t.Context(), "persistence").Item("Persistence", "rdb_changes_since_last_save")
	}
	before := field()
	advise(t, r.URL("redis"), "")
	if after := field(); after != before || before == "" {
		t.Errorf("%q changes before, %q after", before, after)
	}
	stats := c.Info(t.Context(), "commandstats").Val()
	for _, command := range []string{"cmdstat_config|set:", "cmdstat_config|rewrite:", "cmdstat_bgsave:"} {
		if strings.Contains(stats, command) {
			t.Errorf("%s was used", command)
		}
	}
}

func TestABrokerThatCannotBeAskedIsOneClearError(t *testing.T) {
	t.Parallel()
	r := servertest.Redis(t, server.RedisOptions{Password: "right"})
	for url, want := range map[string]string{
		"":                              "no broker URL",
		"kafka://u:s3cret@h":            "unknown",
		"redis://:s3cret@" + r.Addr():   "does not accept this user and password",
		"redis://" + r.Addr():           "wants a password",
		"redis://:s3cret@127.0.0.1:1":   "connection refused",
		"amqp://u:s3cret@127.0.0.1:1/v": "connection refused",
	} {
		_, err := Advise(t.Context(), url, "")
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), secret) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v, want one line with %q", url, err, want)
		}
	}
	if _, err := Advise(t.Context(), "redis://h", "http://h"); err == nil {
		t.Error("--management is taken for redis")
	}
	if found := advise(t, "memory://", ""); len(found) != 0 {
		t.Errorf("memory:// has findings: %v", found)
	}
}
