package doctor

import (
	"fmt"
	"slices"
	"strings"

	"acklab/internal/inspect"
)

// deadSuffix ends the name of the queue that holds another's dead letters, in
// acklab's own layout.
const deadSuffix = ".dead"

// lasting are the queues that are meant to hold tasks: not those that belong to
// one connection, as for replies, events and remote control.
func (f rabbitFacts) lasting() []inspect.Queue {
	var some []inspect.Queue
	for _, q := range f.queues {
		if !q.Exclusive && !q.AutoDelete {
			some = append(some, q)
		}
	}
	return some
}

// which are the names of the lasting queues that are so.
func (f rabbitFacts) which(is func(inspect.Queue) bool) []string {
	var names []string
	for _, q := range f.lasting() {
		if is(q) {
			names = append(names, inspect.Printable(q.Name))
		}
	}
	return names
}

// isSet tells whether an argument of the queue or a policy sets something. The
// argument's name is the policy's with x- before it.
func isSet(q inspect.Queue, policy string) bool {
	_, argued := q.Arguments["x-"+policy]
	_, ruled := q.Effective[policy]
	return argued || ruled
}

// named writes "queue a", or "queues a, b and 7 more".
func named(names []string) string {
	const shown = 5
	switch {
	case len(names) == 1:
		return "queue " + names[0]
	case len(names) <= shown:
		return "queues " + strings.Join(names, ", ")
	}
	return fmt.Sprintf("queues %s and %d more", strings.Join(names[:shown], ", "), len(names)-shown)
}

// about makes a finding about queues, none if there are none. format has one %s
// for their names.
func about(names []string, level Level, format, why, set string, claims ...string) []Finding {
	if len(names) == 0 {
		return nil
	}
	return []Finding{{level, fmt.Sprintf(format, named(names)), why, set, claims}}
}

func queueStates(f rabbitFacts) []Finding {
	var found []Finding
	for _, q := range f.queues {
		if q.State != "" && q.State != "running" && q.State != "idle" && q.State != "flow" {
			found = append(found, Finding{Warning, fmt.Sprintf("queue %s is in state %s", inspect.Printable(q.Name), inspect.Printable(q.State)),
				"it does not serve its tasks", "look at the node that it lives on", []string{"P1"}})
		}
	}
	return found
}

func queueDurability(f rabbitFacts) []Finding {
	names := f.which(func(q inspect.Queue) bool { return !q.Durable })
	return about(names, Warning, "not durable: %s", "a restart of the server, polite or not, deletes the queue with all its tasks",
		"declare it durable (a queue of another name, or delete it first), and publish with delivery mode 2", "O1")
}

func queueHA(f rabbitFacts) []Finding {
	names := f.which(func(q inspect.Queue) bool { _, ha := q.Arguments["x-ha-policy"]; return ha })
	return about(names, Warning, "the argument x-ha-policy is on %s", "the server ignores it: it makes no copies, and nobody is told",
		"x-queue-type quorum", "P2")
}

// queueReplicas is about clusters.
func queueReplicas(f rabbitFacts) []Finding {
	if len(f.nodes) < 2 {
		return nil
	}
	names := f.which(func(q inspect.Queue) bool { return q.Type == "classic" && !isSet(q, "ha-mode") })
	return about(names, Advice, "one copy in a cluster of several nodes: %s",
		"while the queue's node is down the queue is away; a publish to it is unroutable and still confirmed, so without mandatory it is lost",
		"x-queue-type quorum", "P1")
}

// pileUp is how many unacknowledged messages of a queue are suspicious.
const pileUp = 1000

func queueBacklog(f rabbitFacts) []Finding {
	var heaped, left []string
	for _, q := range f.lasting() {
		name := inspect.Printable(q.Name)
		if q.Unacked != nil && *q.Unacked >= pileUp {
			heaped = append(heaped, fmt.Sprintf("%s (%d)", name, *q.Unacked))
		}
		if q.Ready != nil && *q.Ready > 0 && q.Consumers != nil && *q.Consumers == 0 && !strings.HasSuffix(q.Name, deadSuffix) {
			left = append(left, fmt.Sprintf("%s (%d)", name, *q.Ready))
		}
	}
	return append(
		about(heaped, Warning, fmt.Sprintf("%d or more deliveries are unacknowledged: %%s", pileUp),
			"they wait inside workers: when one dies they all come back, and no other worker can help before that", "a lower prefetch; look for handlers that hang", "B5", "C3"),
		about(left, Advice, "tasks wait and nobody consumes: %s", "they wait until a worker comes, or for ever", "start a worker for the queue, or delete it", "H1")...)
}

func queueDeadLetters(f rabbitFacts) []Finding {
	names := f.which(func(q inspect.Queue) bool {
		paired := slices.ContainsFunc(f.queues, func(d inspect.Queue) bool { return d.Name == q.Name+deadSuffix })
		return q.Type != "stream" && !isSet(q, "dead-letter-exchange") && !paired && !strings.HasSuffix(q.Name, deadSuffix)
	})
	return about(names, Advice, "no dead letters: %s",
		"a task that is rejected without requeue, or that expires, is dropped and nobody sees it",
		"a policy with dead-letter-exchange, or workers that publish dead letters themselves", "B9", "D5")
}

func queueLimits(f rabbitFacts) []Finding {
	names := f.which(func(q inspect.Queue) bool {
		return q.Type != "stream" && !isSet(q, "max-length") && !isSet(q, "max-length-bytes")
	})
	return about(names, Advice, "no length limit: %s",
		"a producer that is faster than the workers fills memory and disk until an alarm blocks every publisher of the cluster, not only this one",
		"a policy with max-length and overflow reject-publish (the default, drop-head, drops the oldest tasks silently)", "Q1", "Q2")
}

func queueDeliveryLimit(f rabbitFacts) []Finding {
	if !f.version.before(4) { // 20 by default
		return nil
	}
	names := f.which(func(q inspect.Queue) bool { return q.Type == "quorum" && !isSet(q, "delivery-limit") })
	return about(names, Advice, "quorum without a delivery limit: %s",
		"a task that kills its worker comes back for ever (series 4.x stops after 20 deliveries by default)",
		"a policy with delivery-limit, and a dead-letter-exchange beside it", "B9")
}

func consumerPrefetch(f rabbitFacts) []Finding {
	var unlimited, automatic []string
	for _, c := range f.consumers {
		name := inspect.Printable(c.Queue.Name)
		exclusive := slices.ContainsFunc(f.queues, func(q inspect.Queue) bool { return q.Name == c.Queue.Name && (q.Exclusive || q.AutoDelete) })
		switch {
		case exclusive:
		case !c.AckRequired:
			automatic = append(automatic, name)
		case c.Prefetch == 0:
			unlimited = append(unlimited, name)
		}
	}
	return append(
		about(slices.Compact(slices.Sorted(slices.Values(unlimited))), Warning, "consumers without a prefetch limit on %s",
			"one worker is sent every task that waits: the others idle, and when it dies all come back at once", "basic.qos with a prefetch (in Celery worker_prefetch_multiplier above 0)", "B5", "C2", "C3"),
		about(slices.Compact(slices.Sorted(slices.Values(automatic))), Warning, "consumers without acknowledgement (autoAck) on %s",
			"the server forgets a task when it sends it: a crash of the worker loses all that were on the way", "acknowledge, early or late", "C4", "B2")...)
}

// consumerTimeout cannot be read through the management API.
func consumerTimeout(f rabbitFacts) []Finding {
	what := "consumer_timeout could not be looked at: the management API does not show it"
	switch {
	case f.version.before(3, 8, 15):
		return nil // came with 3.8.15
	case f.version.before(3, 8, 17):
		what += "; the default of this version is 15 minutes"
	default:
		what += "; the default of this version is 30 minutes"
	}
	then := "closes the channel (406)"
	if !f.version.before(4, 3) {
		then = "cancels the consumer or closes the channel"
	}
	return []Finding{{Unseen, what,
		"a delivery that is unacknowledged for longer " + then + " and goes to another worker: a long task under late acknowledgement runs twice, and again",
		"consumer_timeout above your longest task and countdown; ask with: rabbitmqctl eval 'application:get_env(rabbit, consumer_timeout).'", []string{"B8", "C1"}}}
}
