package doctor

import (
	"fmt"
	"net"
	"strconv"
	"strings"
)

func redisRole(f redisFacts) []Finding {
	if f.info["role"] != "slave" {
		return nil
	}
	var found []Finding
	if readOnly, known := f.setting("replica-read-only"); readOnly != "no" || !known {
		found = append(found, Finding{Warning, "this server is a read-only replica of " + net.JoinHostPort(f.info["master_host"], f.info["master_port"]),
			"every publish is refused (READONLY), and workers cannot take tasks", "the URL of the primary, or find it through Sentinel", []string{"M1"}})
	} else {
		found = append(found, Finding{Warning, "this server is a replica that takes writes",
			"what is written here never reaches the primary and is lost with the next full synchronisation", "the URL of the primary; replica-read-only yes", []string{"M1"}})
	}
	if f.info["master_link_status"] == "down" {
		found = append(found, Finding{Warning, "its link to the primary is down", "what it holds is old", "look at the primary and the network between", []string{"M1"}})
	}
	return found
}

func redisReplicas(f redisFacts) []Finding {
	n := f.number("connected_slaves")
	want, known := f.setting("min-replicas-to-write")
	if f.info["role"] == "slave" || n == 0 || !known || want != "0" {
		return nil
	}
	return []Finding{{Advice, fmt.Sprintf("replication to %.0f replicas is asynchronous, and min-replicas-to-write is 0", n),
		"a task that was confirmed may not have reached a replica when the primary dies: a failover loses it",
		"min-replicas-to-write 1 bounds the loss; WAIT after the publish detects it", []string{"M1"}}}
}

func redisCluster(f redisFacts) []Finding {
	if f.info["cluster_enabled"] != "1" {
		return nil
	}
	return []Finding{{Advice, "this is one node of a Redis Cluster",
		"Celery's transport does not speak the cluster protocol; with asynq all keys of one queue lie on one node, so a queue is as available as that node",
		"for Celery a single server or Sentinel; for asynq several queues", []string{"M2"}}}
}

// redisPassword is about who may connect.
func redisPassword(f redisFacts) []Finding {
	if f.open == nil {
		return []Finding{{Unseen, "whether the server wants a password could not be tried", "", "", []string{"N1"}}}
	}
	if !*f.open {
		return []Finding{{Fine, "the server wants a password, or a known user", "", "", []string{"N1"}}}
	}
	switch f.reach() {
	case reachAnywhere:
		return []Finding{{Warning, "no password is wanted, and the server listens beyond loopback",
			"whoever reaches the port can read, change and delete every task, and run code on the machine through CONFIG or a module",
			"an ACL user or requirepass, bind 127.0.0.1 or a private address, a firewall", []string{"N1", "N4"}}}
	case reachUnknown:
		return []Finding{{Unseen, "no password is wanted; whether the server listens beyond loopback could not be looked at",
			"if it does, whoever reaches the port can read, change and delete every task", "an ACL user or requirepass", []string{"N1", "N4"}}}
	}
	return []Finding{{Advice, "no password is wanted; only clients on this machine are served",
		"every process of the machine can read, change and delete every task", "an ACL user or requirepass", []string{"N1"}}}
}

type reach int

const (
	reachUnknown reach = iota
	reachLoopback
	reachAnywhere
)

// reach is from where a client without a password is served. protected-mode
// turns others than loopback away; before 7.0 only where no bind was given.
func (f redisFacts) reach() reach {
	bind, known := f.setting("bind")
	switch protected, _ := f.setting("protected-mode"); {
	case !f.loopback:
		return reachAnywhere // here we are
	case !known:
		return reachUnknown
	case bind != "" && !beyondLoopback(bind):
		return reachLoopback
	case protected == "yes" && (bind == "" || !f.version.before(7)):
		return reachLoopback
	}
	return reachAnywhere
}

func beyondLoopback(bind string) bool {
	for address := range strings.FieldsSeq(bind) {
		ip := net.ParseIP(strings.TrimPrefix(address, "-"))
		if ip == nil || !ip.IsLoopback() {
			return true
		}
	}
	return false
}

func redisTLS(f redisFacts) []Finding {
	if f.tls || f.loopback {
		return nil
	}
	return []Finding{{Warning, "the connection crosses the network without TLS",
		"password and tasks can be read and changed on the way", "tls-port on the server, and asynqs:// or rediss:// in the URL", []string{"N3"}}}
}

func redisAdmin(f redisFacts) []Finding {
	if f.config == nil || f.open == nil || *f.open {
		return nil
	}
	return []Finding{{Advice, "the user of this URL may use CONFIG",
		"a worker or a producer needs no administration: a fault in one could switch persistence off",
		"an ACL user for the workers, as in: ACL SETUSER worker on >PASSWORD ~* &* +@all -@admin -@dangerous +info", []string{"N2"}}}
}

func redisTimeouts(f redisFacts) []Finding {
	var found []Finding
	if seconds, known := f.setting("timeout"); known && seconds != "0" {
		found = append(found, Finding{Advice, "timeout is " + seconds + ": the server closes connections that are idle for as many seconds",
			"the next command on a connection of a client's pool fails; a publish then ends unsure, or twice where the client repeats it",
			"timeout 0", []string{"T2", "T3"}})
	}
	if seconds, known := f.setting("tcp-keepalive"); known && seconds == "0" {
		found = append(found, Finding{Advice, "tcp-keepalive is 0",
			"the connection of a client that vanished without a goodbye stays for ever, and counts against maxclients", "tcp-keepalive 300", []string{"T3"}})
	}
	return found
}

func redisClients(f redisFacts) []Finding {
	var found []Finding
	limit := f.number("maxclients")
	if text, known := f.setting("maxclients"); known {
		limit, _ = strconv.ParseFloat(text, 64)
	}
	if n := f.number("connected_clients"); limit > 0 && n >= 0.8*limit {
		found = append(found, Finding{Warning, fmt.Sprintf("%.0f of at most %.0f clients are connected", n, limit),
			"beyond it new workers and producers are refused", "a higher maxclients (and open-files limit), or smaller pools", nil})
	}
	if n := f.number("rejected_connections"); n > 0 {
		found = append(found, Finding{Advice, fmt.Sprintf("%.0f connections were refused since the server started, for maxclients", n),
			"workers or producers could not connect", "a higher maxclients (and open-files limit), or smaller pools", nil})
	}
	return found
}
