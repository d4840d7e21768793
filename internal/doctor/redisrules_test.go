package doctor

import "testing"

// redisWith are the facts of a server without faults, changed.
func redisWith(change func(f *redisFacts)) []Finding {
	closed := false
	f := redisFacts{
		info: map[string]string{
			"redis_version": "7.4.1", "aof_enabled": "1", "role": "master", "maxmemory": "1000000", "used_memory": "1000",
			"maxmemory_policy": "noeviction", "rdb_last_bgsave_status": "ok", "aof_last_write_status": "ok", "connected_clients": "3",
		},
		config: map[string]string{
			"appendonly": "yes", "appendfsync": "everysec", "save": "", "bind": "127.0.0.1 -::1", "protected-mode": "yes",
			"timeout": "0", "tcp-keepalive": "300", "min-replicas-to-write": "0", "maxclients": "10000",
		},
		open: &closed, loopback: true,
	}
	change(&f)
	f.version = parseVersion(f.info["redis_version"])
	var all []Finding
	for _, rule := range redisRules {
		all = append(all, rule(f)...)
	}
	return all
}

func TestAGoodRedisGetsNoWarning(t *testing.T) {
	t.Parallel()
	for _, f := range redisWith(func(*redisFacts) {}) {
		if f.Level == Warning || f.Level == Unseen || f.Level == Advice && f.What != "the user of this URL may use CONFIG" {
			t.Errorf("%s %s", f.Level, f.What)
		}
	}
}

func TestEachFaultOfRedisIsFound(t *testing.T) {
	t.Parallel()
	type maps = map[string]string
	yes := true
	for name, c := range map[string]struct {
		info, config maps
		change       func(*redisFacts)
		level        Level
		start        string
	}{
		"no persistence":         {info: maps{"aof_enabled": "0"}, level: Warning, start: "nothing is written to disk"},
		"snapshots only":         {info: maps{"aof_enabled": "0", "rdb_changes_since_last_save": "7"}, config: maps{"save": "3600 1"}, level: Warning, start: "only snapshots are written to disk (save 3600 1); 7 changes"},
		"no fsync":               {config: maps{"appendfsync": "no"}, level: Advice, start: "appendonly is yes, with appendfsync no"},
		"fsync always":           {config: maps{"appendfsync": "always"}, level: Fine, start: "appendonly is yes, with appendfsync always"},
		"loading":                {info: maps{"loading": "1"}, level: Warning, start: "the server is loading"},
		"snapshot failed":        {info: maps{"rdb_last_bgsave_status": "err"}, level: Warning, start: "the last snapshot failed"},
		"append failed":          {info: maps{"aof_last_write_status": "err"}, level: Warning, start: "the last write to the append-only file failed"},
		"rewrite failed":         {info: maps{"aof_last_bgrewrite_status": "err"}, level: Warning, start: "the last rewrite of the append-only file failed"},
		"allkeys-lru":            {info: maps{"maxmemory_policy": "allkeys-lru"}, level: Warning, start: "maxmemory-policy is allkeys-lru"},
		"volatile-ttl":           {info: maps{"maxmemory_policy": "volatile-ttl"}, level: Warning, start: "maxmemory-policy is volatile-ttl"},
		"a sleeping policy":      {info: maps{"maxmemory_policy": "allkeys-lru", "maxmemory": "0"}, level: Advice, start: "maxmemory-policy is allkeys-lru, which takes effect"},
		"evicted":                {info: maps{"evicted_keys": "4"}, level: Warning, start: "4 keys were evicted"},
		"no limit":               {info: maps{"maxmemory": "0"}, level: Advice, start: "maxmemory is 0"},
		"nearly full":            {info: maps{"used_memory": "900000"}, level: Warning, start: "900.0 kB of 1.0 MB"},
		"replica":                {info: maps{"role": "slave", "master_host": "h", "master_port": "6379"}, config: maps{"replica-read-only": "yes"}, level: Warning, start: "this server is a read-only replica of h:6379"},
		"writable replica":       {info: maps{"role": "slave"}, config: maps{"replica-read-only": "no"}, level: Warning, start: "this server is a replica that takes writes"},
		"link down":              {info: maps{"role": "slave", "master_link_status": "down"}, level: Warning, start: "its link to the primary is down"},
		"asynchronous":           {info: maps{"connected_slaves": "2"}, level: Advice, start: "replication to 2 replicas is asynchronous"},
		"cluster":                {info: maps{"cluster_enabled": "1"}, level: Advice, start: "this is one node of a Redis Cluster"},
		"open to all":            {config: maps{"bind": "* -::*", "protected-mode": "no"}, change: func(f *redisFacts) { f.open = &yes }, level: Warning, start: "no password is wanted, and the server listens beyond"},
		"open, no bind":          {config: maps{"bind": "", "protected-mode": "no"}, change: func(f *redisFacts) { f.open = &yes }, level: Warning, start: "no password is wanted, and the server listens beyond"},
		"open, old protection":   {info: maps{"redis_version": "6.2.0"}, config: maps{"bind": "0.0.0.0"}, change: func(f *redisFacts) { f.open = &yes }, level: Warning, start: "no password is wanted, and the server listens beyond"},
		"open, protected":        {config: maps{"bind": "0.0.0.0"}, change: func(f *redisFacts) { f.open = &yes }, level: Advice, start: "no password is wanted; only clients on this machine"},
		"open, loopback":         {config: maps{"protected-mode": "no"}, change: func(f *redisFacts) { f.open = &yes }, level: Advice, start: "no password is wanted; only clients on this machine"},
		"open, from elsewhere":   {change: func(f *redisFacts) { f.open, f.loopback = &yes, false }, level: Warning, start: "no password is wanted, and the server listens beyond"},
		"open, bind unknown":     {change: func(f *redisFacts) { f.open, f.config, f.refusal = &yes, nil, "NOPERM" }, level: Unseen, start: "no password is wanted; whether"},
		"password not tried":     {change: func(f *redisFacts) { f.open = nil }, level: Unseen, start: "whether the server wants a password"},
		"no TLS":                 {change: func(f *redisFacts) { f.loopback = false }, level: Warning, start: "the connection crosses the network"},
		"timeout":                {config: maps{"timeout": "60"}, level: Advice, start: "timeout is 60"},
		"no keepalive":           {config: maps{"tcp-keepalive": "0"}, level: Advice, start: "tcp-keepalive is 0"},
		"many clients":           {info: maps{"connected_clients": "9000"}, level: Warning, start: "9000 of at most 10000 clients"},
		"refused clients":        {info: maps{"rejected_connections": "2"}, level: Advice, start: "2 connections were refused"},
		"old":                    {info: maps{"redis_version": "7.0.15"}, level: Advice, start: "redis 7.0.15 is of a series"},
		"CONFIG refused":         {change: func(f *redisFacts) { f.config, f.refusal = nil, "NOPERM no" }, level: Unseen, start: "CONFIG is refused for this user (NOPERM no)"},
		"refused, no appendonly": {info: maps{"aof_enabled": "0"}, change: func(f *redisFacts) { f.config = nil }, level: Advice, start: "appendonly is no; whether"},
		"refused, appendonly":    {change: func(f *redisFacts) { f.config = nil }, level: Unseen, start: "appendonly is yes; appendfsync"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			findings := redisWith(func(f *redisFacts) {
				for k, v := range c.info {
					f.info[k] = v
				}
				for k, v := range c.config {
					f.config[k] = v
				}
				if c.change != nil {
					c.change(f)
				}
			})
			has(t, findings, c.level, c.start)
			for _, good := range redisWith(func(*redisFacts) {}) {
				if good.Level == c.level && len(good.What) >= len(c.start) && good.What[:len(c.start)] == c.start {
					t.Errorf("a good server gets %q too", c.start)
				}
			}
		})
	}
}

func TestAVersionIsComparedAsNumbers(t *testing.T) {
	t.Parallel()
	for text, older := range map[string]bool{"3.9.29": true, "3.10.8": false, "4.0.0-rc.1": false, "3.10": false, "3": true, "": false, "unknown": false, "3.10.8+ds": false} {
		if got := parseVersion(text).before(3, 10); got != older {
			t.Errorf("%q before 3.10: %v", text, got)
		}
	}
}
