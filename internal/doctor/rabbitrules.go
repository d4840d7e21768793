package doctor

import (
	"fmt"
	"slices"
	"strings"

	"acklab/internal/inspect"
)

// rabbitRules are looked at in this order.
var rabbitRules = []func(rabbitFacts) []Finding{
	rabbitAlarms, rabbitNodes, rabbitDisk, rabbitPolicies,
	queueStates, queueDurability, queueHA, queueReplicas, queueBacklog, queueDeadLetters, queueLimits, queueDeliveryLimit,
	consumerPrefetch, consumerTimeout, rabbitTLS, rabbitAge, rabbitUnseen,
}

// rabbitAlarms believes the alarms of this moment, and without them the nodes'
// statistics.
func rabbitAlarms(f rabbitFacts) []Finding {
	var found []Finding
	for _, n := range f.nodes {
		if f.alarm(n, "memory", n.MemoryAlarm) {
			found = append(found, Finding{Warning, fmt.Sprintf("memory alarm on %s: %s used, the watermark is %s", n.Name, size(n.MemoryUsed), size(n.MemoryLimit)),
				"every connection that publishes is blocked, in the whole cluster; consumers go on",
				"drain the queues, or raise vm_memory_high_watermark", []string{"Q1"}})
		}
		if f.alarm(n, "disk", n.DiskAlarm) {
			found = append(found, Finding{Warning, fmt.Sprintf("disk alarm on %s: the limit is %s", n.Name, size(n.DiskFreeLimit)),
				"every connection that publishes is blocked, in the whole cluster; consumers go on",
				"free disk space, or drain the queues", []string{"Q1"}})
		}
	}
	if f.asked && len(f.alarms) == 0 && len(f.nodes) > 0 {
		found = append(found, Finding{Level: Fine, What: "no memory or disk alarm", Claims: []string{"Q1"}})
	}
	return found
}

// alarm tells whether a node is short of a resource.
func (f rabbitFacts) alarm(n inspect.Node, resource string, statistics bool) bool {
	if !f.asked {
		return statistics
	}
	return slices.ContainsFunc(f.alarms, func(a inspect.Alarm) bool { return a.Node == n.Name && a.Resource == resource })
}

func rabbitNodes(f rabbitFacts) []Finding {
	var found []Finding
	for _, n := range f.nodes {
		if !n.Running {
			found = append(found, Finding{Warning, "node " + n.Name + " of the cluster is down",
				"classic queues that live there are away: publishes to them are returned or silently dropped, and still confirmed", "start it, or forget it for good", []string{"P1"}})
			continue // its numbers are of no time
		}
		if len(n.Partitions) > 0 {
			found = append(found, Finding{Warning, "node " + n.Name + " was cut off from " + strings.Join(n.Partitions, ", "),
				"both sides may have gone on alone: tasks are lost or run twice when one side is given up", "restart the nodes of the side to be given up; cluster_partition_handling pause_minority or autoheal", []string{"P1"}})
		}
		if n.MemoryLimit > 0 && n.MemoryUsed >= 0.8*n.MemoryLimit && !f.alarm(n, "memory", n.MemoryAlarm) {
			found = append(found, Finding{Warning, fmt.Sprintf("node %s uses %s memory of %s", n.Name, size(n.MemoryUsed), size(n.MemoryLimit)),
				"at the watermark every publisher is blocked", "drain the queues, or raise vm_memory_high_watermark", []string{"Q1"}})
		}
		if n.FilesTotal > 0 && n.FilesUsed >= 0.8*n.FilesTotal {
			found = append(found, Finding{Warning, fmt.Sprintf("node %s uses %.0f of %.0f file descriptors", n.Name, n.FilesUsed, n.FilesTotal),
				"without any left no client can connect", "a higher open-files limit (ulimit -n, LimitNOFILE)", nil})
		}
	}
	return found
}

func rabbitDisk(f rabbitFacts) []Finding {
	var found []Finding
	for _, n := range f.nodes {
		free, known := diskFree(n)
		if !n.Running || f.alarm(n, "disk", n.DiskAlarm) {
			continue
		}
		if known && free < max(2*n.DiskFreeLimit, 1e9) {
			found = append(found, Finding{Warning, fmt.Sprintf("node %s has %s disk space left, the limit is %s", n.Name, size(free), size(n.DiskFreeLimit)),
				"below the limit every publisher is blocked", "free disk space", []string{"Q1"}})
		}
		if n.DiskFreeLimit > 0 && n.DiskFreeLimit <= 50e6 {
			found = append(found, Finding{Advice, fmt.Sprintf("disk_free_limit of %s is %s, the default", n.Name, size(n.DiskFreeLimit)),
				"a node that pages its messages out can write more than that between two checks, and a full disk stops it hard",
				"disk_free_limit.absolute 2GB or more, or disk_free_limit.relative 1.0", []string{"Q1"}})
		}
	}
	return found
}

func rabbitPolicies(f rabbitFacts) []Finding {
	var found []Finding
	for _, p := range f.policies {
		if _, mirrored := p.Definition["ha-mode"]; !mirrored {
			continue
		}
		finding := Finding{Advice, fmt.Sprintf("policy %q mirrors classic queues (ha-mode)", inspect.Printable(p.Name)),
			"mirrored queues are deprecated and were removed in 4.0; cut in two without pause_minority they lose confirmed tasks",
			"quorum queues (x-queue-type quorum)", []string{"P1", "P2"}}
		if !f.version.before(4) {
			finding.Level, finding.Why = Warning, "classic queues have one copy since 4.0: ha-mode has no effect, and nobody is told"
		}
		found = append(found, finding)
	}
	return found
}

func rabbitTLS(f rabbitFacts) []Finding {
	if f.tls || f.loopback {
		return nil
	}
	return []Finding{{Warning, "the connection crosses the network without TLS",
		"password and tasks can be read and changed on the way", "listeners.ssl on the server, and amqps:// in the URL", nil}}
}

func rabbitAge(f rabbitFacts) []Finding {
	if f.version.before(4) {
		return []Finding{{Advice, f.hello.Product + " " + f.hello.Version + " is of a series that gets no community fixes any more",
			"the last 3.x lost them when 4.0 came in September 2024; 4.x also counts deliveries of quorum queues by default and has no mirrored queues",
			"a release of series 4.x; the way there leads through 3.13", []string{"P1", "B9"}}}
	}
	if f.version == nil {
		return nil
	}
	return []Finding{{Level: Fine, What: f.hello.Product + " " + f.hello.Version}}
}

func rabbitUnseen(f rabbitFacts) []Finding {
	var found []Finding
	for _, u := range f.unseen {
		finding := Finding{Level: Unseen, What: u.what + " could not be looked at: " + u.err.Error()}
		if strings.HasPrefix(u.what, "alarms") {
			finding.Why = "over AMQP the server tells of an alarm to connections that publish only, and this one publishes nothing"
			finding.Claims = []string{"Q1"}
		}
		found = append(found, finding)
	}
	if f.more > 0 {
		found = append(found, Finding{Level: Unseen, What: fmt.Sprintf("%d more queues were not looked at", f.more)})
	}
	return found
}
