package doctor

import (
	"encoding/json"
	"testing"

	"acklab/internal/inspect"
)

func rabbitFindings(f rabbitFacts) []Finding {
	f.version = parseVersion(f.hello.Version)
	var all []Finding
	for _, rule := range rabbitRules {
		all = append(all, rule(f)...)
	}
	return all
}

// goodRabbit are the facts of a node without faults.
func goodRabbit() rabbitFacts {
	return rabbitFacts{
		hello: inspect.Hello{Product: "RabbitMQ", Version: "4.2.1"}, vhost: "/", loopback: true,
		nodes: []inspect.Node{{Name: "rabbit@a", Running: true, MemoryUsed: 1e8, MemoryLimit: 1e10, DiskFree: json.RawMessage("50000000000"),
			DiskFreeLimit: 2e9, FilesUsed: 10, FilesTotal: 65536}},
		asked: true,
		queues: []inspect.Queue{{Name: "celery", Type: "quorum", Durable: true, State: "running", Ready: new(int64(5)), Unacked: new(int64(4)), Consumers: new(int64(1)),
			Effective: inspect.Table{"dead-letter-exchange": "", "max-length": 1000.0}}},
		consumers: []inspect.Consumer{{AckRequired: true, Prefetch: 10}},
	}
}

func TestAGoodRabbitGetsNoWarningAndNoAdvice(t *testing.T) {
	t.Parallel()
	for _, f := range rabbitFindings(goodRabbit()) {
		if f.Level == Warning || f.Level == Advice {
			t.Errorf("%s %s", f.Level, f.What)
		}
	}
}

func TestEachFaultOfRabbitIsFound(t *testing.T) {
	t.Parallel()
	queue := func(change func(*inspect.Queue)) func(*rabbitFacts) {
		return func(f *rabbitFacts) { change(&f.queues[0]) }
	}
	node := func(change func(*inspect.Node)) func(*rabbitFacts) {
		return func(f *rabbitFacts) { change(&f.nodes[0]) }
	}
	for name, c := range map[string]struct {
		change func(*rabbitFacts)
		level  Level
		start  string
	}{
		"memory alarm":               {func(f *rabbitFacts) { f.alarms = []inspect.Alarm{{Node: "rabbit@a", Resource: "memory"}} }, Warning, "memory alarm on rabbit@a: 100.0 MB used"},
		"disk alarm":                 {func(f *rabbitFacts) { f.alarms = []inspect.Alarm{{Node: "rabbit@a", Resource: "disk"}} }, Warning, "disk alarm on rabbit@a"},
		"memory alarm by statistics": {func(f *rabbitFacts) { f.asked, f.nodes[0].MemoryAlarm = false, true }, Warning, "memory alarm on rabbit@a"},
		"disk alarm by statistics":   {func(f *rabbitFacts) { f.asked, f.nodes[0].DiskAlarm = false, true }, Warning, "disk alarm on rabbit@a"},
		"node down":                  {node(func(n *inspect.Node) { n.Running = false }), Warning, "node rabbit@a of the cluster is down"},
		"partition":                  {node(func(n *inspect.Node) { n.Partitions = []string{"rabbit@b"} }), Warning, "node rabbit@a was cut off from rabbit@b"},
		"memory":                     {node(func(n *inspect.Node) { n.MemoryUsed = 9e9 }), Warning, "node rabbit@a uses 9.0 GB memory of 10.0 GB"},
		"files":                      {node(func(n *inspect.Node) { n.FilesUsed = 60000 }), Warning, "node rabbit@a uses 60000 of 65536 file"},
		"disk":                       {node(func(n *inspect.Node) { n.DiskFree = json.RawMessage("3000000000") }), Warning, "node rabbit@a has 3.0 GB disk space left"},
		"disk limit":                 {node(func(n *inspect.Node) { n.DiskFreeLimit = 5e7 }), Advice, "disk_free_limit of rabbit@a is 50.0 MB"},
		"queue down":                 {queue(func(q *inspect.Queue) { q.State = "down" }), Warning, "queue celery is in state down"},
		"not durable":                {queue(func(q *inspect.Queue) { q.Durable = false }), Warning, "not durable: queue celery"},
		"x-ha-policy":                {queue(func(q *inspect.Queue) { q.Arguments = inspect.Table{"x-ha-policy": "all"} }), Warning, "the argument x-ha-policy is on queue celery"},
		"pile-up":                    {queue(func(q *inspect.Queue) { q.Unacked = new(int64(1000)) }), Warning, "1000 or more deliveries are unacknowledged: queue celery (1000)"},
		"nobody":                     {queue(func(q *inspect.Queue) { q.Consumers = new(int64(0)) }), Advice, "tasks wait and nobody consumes: queue celery (5)"},
		"no dead letters":            {queue(func(q *inspect.Queue) { q.Effective = inspect.Table{"max-length": 1.0} }), Advice, "no dead letters: queue celery"},
		"no length limit":            {queue(func(q *inspect.Queue) { q.Effective = inspect.Table{"dead-letter-exchange": ""} }), Advice, "no length limit: queue celery"},
		"no delivery limit":          {func(f *rabbitFacts) { f.hello.Version = "3.13.7" }, Advice, "quorum without a delivery limit: queue celery"},
		"one copy": {func(f *rabbitFacts) {
			f.nodes = append(f.nodes, inspect.Node{Name: "rabbit@b", Running: true})
			f.queues[0].Type = "classic"
		}, Advice, "one copy in a cluster of several nodes: queue celery"},
		"mirrored on 3": {func(f *rabbitFacts) {
			f.hello.Version = "3.10.8"
			f.policies = []inspect.Policy{{Name: "ha", Definition: inspect.Table{"ha-mode": "all"}}}
		}, Advice, `policy "ha" mirrors`},
		"mirrored on 4": {func(f *rabbitFacts) {
			f.policies = []inspect.Policy{{Name: "ha", Definition: inspect.Table{"ha-mode": "all"}}}
		}, Warning, `policy "ha" mirrors`},
		"no prefetch limit": {func(f *rabbitFacts) { f.consumers[0].Prefetch = 0 }, Warning, "consumers without a prefetch limit"},
		"autoAck":           {func(f *rabbitFacts) { f.consumers[0].AckRequired = false }, Warning, "consumers without acknowledgement"},
		"old":               {func(f *rabbitFacts) { f.hello.Version = "3.10.8" }, Advice, "RabbitMQ 3.10.8 is of a series"},
		"no TLS":            {func(f *rabbitFacts) { f.loopback = false }, Warning, "the connection crosses the network"},
		"many queues":       {func(f *rabbitFacts) { f.more = 3 }, Unseen, "3 more queues"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := goodRabbit()
			c.change(&f)
			has(t, rabbitFindings(f), c.level, c.start)
			hasNot(t, rabbitFindings(goodRabbit()), c.level, c.start)
		})
	}
}

func TestQueuesOfOneConnectionAreNotAdvisedOn(t *testing.T) {
	t.Parallel()
	f := goodRabbit()
	f.queues = []inspect.Queue{{Name: "reply", Exclusive: true}, {Name: "celeryev.1", AutoDelete: true}}
	for _, finding := range rabbitFindings(f) {
		if finding.Level == Warning || finding.Level == Advice {
			t.Errorf("%s %s", finding.Level, finding.What)
		}
	}
}

func TestManyQueuesAreNamedInShort(t *testing.T) {
	t.Parallel()
	if got := named([]string{"a", "b", "c", "d", "e", "f", "g"}); got != "queues a, b, c, d, e and 2 more" {
		t.Error(got)
	}
}
