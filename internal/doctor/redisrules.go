package doctor

import (
	"fmt"
	"strings"
)

// redisRules are looked at in this order.
var redisRules = []func(redisFacts) []Finding{
	redisPersistence, redisSaving, redisEviction, redisMemory, redisRole, redisReplicas, redisCluster,
	redisPassword, redisTLS, redisAdmin, redisTimeouts, redisClients, redisAge, redisUnseen,
}

func redisPersistence(f redisFacts) []Finding {
	if f.info["aof_enabled"] == "1" {
		return []Finding{appendFsync(f)}
	}
	save, known := f.setting("save")
	switch {
	case !known:
		return []Finding{{Advice, "appendonly is no; whether there are save points could not be looked at",
			"without the append-only file a crash of the server loses at least what came after the last snapshot",
			"appendonly yes, appendfsync everysec", []string{"A4", "I1", "I2"}}}
	case save == "":
		return []Finding{{Warning, "nothing is written to disk: appendonly is no and there are no save points",
			"a crash or a restart of the server loses every task that waits, is delayed or is in work",
			"appendonly yes, appendfsync everysec", []string{"A4", "I1"}}}
	}
	return []Finding{{Warning, fmt.Sprintf("only snapshots are written to disk (save %s); %s changes since the last one", save, f.info["rdb_changes_since_last_save"]),
		"a crash of the server loses every task that came after the last snapshot, and brings back those that ended since",
		"appendonly yes, appendfsync everysec", []string{"I2", "I4"}}}
}

// appendFsync is about a server that keeps an append-only file.
func appendFsync(f redisFacts) Finding {
	mode, known := f.setting("appendfsync")
	switch {
	case !known:
		return Finding{Unseen, "appendonly is yes; appendfsync could not be looked at", "it decides what a power cut takes along", "", []string{"I3"}}
	case mode == "no":
		return Finding{Advice, "appendonly is yes, with appendfsync no",
			"a crash of the server alone loses nothing, but a power cut loses what the system had not written yet: up to about 30 seconds on Linux",
			"appendfsync everysec", []string{"I3"}}
	case mode == "everysec":
		return Finding{Fine, "appendonly is yes, with appendfsync everysec: a power cut can take about the last second along", "", "", []string{"I3"}}
	}
	return Finding{Fine, "appendonly is yes, with appendfsync " + mode + ": each write is on disk before its reply, at the price of speed", "", "", []string{"I3", "I5"}}
}

// redisSaving is about writing to disk that fails.
func redisSaving(f redisFacts) []Finding {
	var found []Finding
	if f.info["loading"] == "1" {
		found = append(found, Finding{Warning, "the server is loading its data from disk", "until it has, most commands are refused", "wait", []string{"I4"}})
	}
	if f.info["rdb_last_bgsave_status"] == "err" {
		why := "the file on disk is older than it seems"
		if stop, _ := f.setting("stop-writes-on-bgsave-error"); stop != "no" {
			why = "until one succeeds every write is refused (MISCONF), unless stop-writes-on-bgsave-error is no: producers fail, and workers cannot take tasks"
		}
		found = append(found, Finding{Warning, "the last snapshot failed", why, "free disk space and memory for the fork (vm.overcommit_memory 1), then BGSAVE; the server's log has the reason", []string{"I2"}})
	}
	for _, part := range [][2]string{{"aof_last_write_status", "write to"}, {"aof_last_bgrewrite_status", "rewrite of"}} {
		field, what := part[0], part[1]
		if f.info["aof_enabled"] == "1" && f.info[field] == "err" {
			found = append(found, Finding{Warning, "the last " + what + " the append-only file failed", "tasks that are confirmed now may not be on disk",
				"free disk space; the server's log has the reason", []string{"I3"}})
		}
	}
	return found
}

func redisEviction(f redisFacts) []Finding {
	policy := f.info["maxmemory_policy"]
	var found []Finding
	if n := f.number("evicted_keys"); n > 0 {
		found = append(found, Finding{Warning, fmt.Sprintf("%.0f keys were evicted since the server started", n),
			"each may have been a whole queue, a lease or a result, and nobody was told", "maxmemory-policy noeviction, and more memory", []string{"J2"}})
	}
	switch {
	case policy == "" || policy == "noeviction":
		if policy != "" {
			found = append(found, Finding{Fine, "maxmemory-policy is noeviction", "", "", []string{"J1", "J2"}})
		}
		return found
	case f.number("maxmemory") == 0:
		return append(found, Finding{Advice, "maxmemory-policy is " + policy + ", which takes effect as soon as maxmemory is set",
			evictionWhy(policy), "maxmemory-policy noeviction", []string{"J2"}})
	}
	return append(found, Finding{Warning, "maxmemory-policy is " + policy, evictionWhy(policy), "maxmemory-policy noeviction", []string{"J2"}})
}

func evictionWhy(policy string) string {
	if strings.HasPrefix(policy, "allkeys-") {
		return "a full server deletes whole keys, and a queue is one key: all its tasks are lost at once, without an error"
	}
	return "a full server deletes keys that have an expiry without an error: results, locks of unique tasks (with asynq leases were lost too: hibiken/asynq issue 799); where none has one, writes are refused"
}

func redisMemory(f redisFacts) []Finding {
	limit, used := f.number("maxmemory"), f.number("used_memory")
	switch {
	case limit == 0:
		return []Finding{{Advice, fmt.Sprintf("maxmemory is 0: no limit (%s used)", size(used)),
			"a queue that grows takes the machine's memory until the kernel kills the server; a limit refuses the producers instead",
			"maxmemory to about three quarters of the memory that the server may have, with maxmemory-policy noeviction", []string{"J1", "J3"}}}
	case used >= 0.8*limit:
		return []Finding{{Warning, fmt.Sprintf("%s of %s memory are used", size(used), size(limit)),
			"at the limit every write is refused (OOM); with asynq workers cannot take tasks either, since taking one writes, and Celery's transport can lose the task it has just popped",
			"a higher maxmemory, shorter expiry of results, or a slower producer", []string{"J1", "J3"}}}
	}
	return []Finding{{Fine, fmt.Sprintf("%s of %s memory are used", size(used), size(limit)), "", "", []string{"J1"}}}
}

func redisAge(f redisFacts) []Finding {
	switch {
	case f.valkey || f.version == nil:
		return nil
	case f.version.before(7, 2):
		return []Finding{{Advice, "redis " + f.info["redis_version"] + " is of a series that gets no fixes any more",
			"the project mends security faults in newer series only (6.2 was the last exception, until the end of 2025); a distribution may still mend its own package",
			"a release of series 7.2 or later, or your distribution's updates", nil}}
	}
	return []Finding{{Level: Fine, What: "redis " + f.info["redis_version"]}}
}

// redisUnseen says what is missing where CONFIG is refused.
func redisUnseen(f redisFacts) []Finding {
	if f.config != nil {
		return nil
	}
	return []Finding{{Unseen, "CONFIG is refused for this user (" + f.refusal + "): the advice rests on INFO alone",
		"appendfsync, save points, bind, protected-mode, timeout, tcp-keepalive and min-replicas-to-write could not be looked at",
		"give a user that may: ACL SETUSER NAME +config|get", []string{"N2"}}}
}

// size is a number of bytes for people.
func size(bytes float64) string {
	for _, unit := range []struct {
		name  string
		bytes float64
	}{{"GB", 1e9}, {"MB", 1e6}, {"kB", 1e3}} {
		if bytes >= unit.bytes {
			return fmt.Sprintf("%.1f %s", bytes/unit.bytes, unit.name)
		}
	}
	return fmt.Sprintf("%.0f B", bytes)
}
