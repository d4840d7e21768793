package experiments

import "slices"

// Settings is the advice for each system, in the order of docs/settings.md.
// Only what has a cell has a line; settingsPage refuses the others.
var Settings = []Section{
	{
		Title:  "Redis, with asynq",
		Advice: slices.Concat(workerAdvice("asynq"), delayAdvice("asynq"), redisAdvice("asynq")),
		Prices: workerPrices("asynq", Price{
			Costs: "what a dead worker held comes back after its lease of 30 seconds and the next sweep, a minute at most, not at once",
			Count: "redelivered", Cell: crashRef("asynq", "late", "mid"),
		}, unsure(redisRef("asynq", "aof-always", endKill, loadStream))),
	},
	{
		Title:  "Redis, as Celery uses it",
		Advice: slices.Concat(workerAdvice("redis"), redisAdvice("redis"), leaseAdvice, stepsAdvice),
		Prices: workerPrices("redis", Price{
			Costs: "what a dead worker held comes back after the visibility timeout (Celery's is an hour; here half a minute) and the next sweep, not at once",
			Count: "redelivered", Cell: crashRef("redis", "late", "mid"),
		}, unsure(redisRef("redis", "aof-always", endKill, loadStream))),
	},
	{
		Title:  "RabbitMQ, classic queue",
		Advice: slices.Concat(workerAdvice("rabbitmq"), delayAdvice("rabbitmq"), classicAdvice),
		Prices: workerPrices("rabbitmq", retriedTwice("rabbitmq"), unsure(rabbitRef("rabbitmq", "yes", "yes", "yes", loadStream))),
	},
	{
		Title:  "RabbitMQ, quorum queue",
		Advice: slices.Concat(workerAdvice("rabbitmq-quorum"), delayAdvice("rabbitmq-quorum"), quorumAdvice),
		Prices: workerPrices("rabbitmq-quorum", retriedTwice("rabbitmq-quorum"), unsure(rabbitRef("rabbitmq-quorum", "yes", "yes", "yes", loadStream))),
	},
}

func crashRef(system, ack, at string) CellRef {
	return CellRef{"worker-crash", system, Setting{"ack": ack, "crash_at": at, "then": "survivor"}}
}

func politeRef(system, ack, task string) CellRef {
	return CellRef{"worker-stopped-politely", system, Setting{"ack": ack, "task": task}}
}

func failedRef(system, ack, at string) CellRef {
	return CellRef{"failing-task-is-tried-again", system, Setting{"ack": ack, "crash_at": at}}
}

func holderRef(system string, s Setting) CellRef { return CellRef{"queue-holder-killed", system, s} }

// workerAdvice is what does not depend on the broker.
func workerAdvice(system string) []Advice {
	application := Setting{"killed": "application"}
	return []Advice{
		{
			"application", "a broker, not a queue in the process",
			"a queue in memory dies with its process",
			[]CellRef{holderRef(system, application)}, []CellRef{holderRef("memory", application)},
		},
		{
			"worker", "late acknowledgement: `--acks-late`; Celery: `task_acks_late = True`",
			"acknowledged early, a task is forgotten by the broker before it has run; late, whatever is not done comes back",
			[]CellRef{
				crashRef(system, "late", "mid"),
				{"worker-killed-at-random", system, Setting{"ack": "late"}},
				politeRef(system, "late", "longer than the grace period"),
			},
			[]CellRef{
				crashRef(system, "early", "mid"),
				{"worker-killed-at-random", system, Setting{"ack": "early"}},
				politeRef(system, "early", "longer than the grace period"),
			},
		},
		{
			"worker", "retries: settle the failed delivery after the next try is published, which needs late acknowledgement",
			"a task that is settled and not yet published again is nowhere",
			[]CellRef{failedRef(system, "late", "failed"), failedRef(system, "late", "retry-sent")},
			[]CellRef{failedRef(system, "early", "failed")},
		},
		{
			"worker", "where acknowledgement stays early: a grace period longer than the longest task, `--grace`, and more than that for whoever sends SIGKILL (`stop_grace_period`)",
			"a polite stop waits so long for running tasks, then it interrupts them, and nobody has them any more",
			[]CellRef{politeRef(system, "early", "short")}, []CellRef{politeRef(system, "early", "longer than the grace period")},
		},
		{
			"worker", "nothing about the prefetch: `--prefetch-multiplier` is no matter of loss (measured with 10 deliveries)",
			"what was prefetched and has not begun is not acknowledged in either mode: it is still the broker's",
			[]CellRef{crashRef(system, "early", "finished"), crashRef(system, "late", "finished")}, nil,
		},
	}
}

// delayAdvice is for brokers that hold delays.
func delayAdvice(system string) []Advice {
	return []Advice{{
		"server", "nothing more for tasks that wait for their time (countdown, eta, retries)",
		"they wait in the broker, on the same disk as the others",
		[]CellRef{{"delayed-task-comes-in-time", system, Setting{"fault": "server killed"}}}, nil,
	}}
}

// workerPrices are those of late acknowledgement, and more.
func workerPrices(system string, more ...Price) []Price {
	return append([]Price{{
		Costs: "late, a task that was done runs again when its worker dies before the acknowledgement: handlers must bear a second run",
		Count: "repeated", Cell: crashRef(system, "late", "finished"),
	}}, more...)
}

func redisRef(system, persistence, end, load string) CellRef {
	return CellRef{"redis-ends", system, Setting{"persistence": persistence, "end": end, "load": load}}
}

// retriedTwice is for brokers that give the old delivery back at once, while its
// retry still waits.
func retriedTwice(system string) Price {
	return Price{
		Costs: "late, a crash between the publish of the next try and the acknowledgement leaves two copies, and every try from there on runs twice",
		Count: "copied", Cell: failedRef(system, "late", "retry-sent"),
	}
}

// leaseAdvice is for the visibility timeout.
var leaseAdvice = []Advice{{
	"worker", "settlement by the claim, `?settle=claim` (the default), where a worker may stand still for longer than the visibility timeout; Celery has nothing like it",
	"an acknowledgement that comes too late, and names the message, ends the claim of the worker that has the task by then",
	[]CellRef{{"lease-is-outlived", "redis", Setting{"task": "acknowledged by a worker that stood still", "settle": "claim"}}},
	[]CellRef{{"lease-is-outlived", "redis", Setting{"task": "acknowledged by a worker that stood still", "settle": "celery"}}},
}}

// stepsAdvice is what no setting of Celery's cures.
var stepsAdvice = []Advice{{
	"worker", "a worker that takes a message in one step, as acklab's does; Celery has no setting for it: where one lost task is too many, use RabbitMQ, or look for tasks that never began and send them again",
	"kombu (5.2.4) pops a message and writes down in a second step that it has it: a worker that is killed, or told to stop, between the two takes the message along, with late acknowledgement, too",
	[]CellRef{
		{"worker-killed-at-random", "redis", Setting{"ack": "late"}}, {"worker-killed-at-random", "celery+rabbitmq", Setting{"ack": "late"}},
		politeRef("redis", "late", "short"),
	},
	[]CellRef{{"worker-killed-at-random", "celery+redis", Setting{"ack": "late"}}, politeRef("celery+redis", "late", "short")},
}}

// redisAdvice is for the server of a system on Redis.
func redisAdvice(system string) []Advice {
	killed := func(persistence string) CellRef {
		return holderRef(system, Setting{"killed": "server", "persistence": persistence})
	}
	return []Advice{
		{
			"redis.conf", "`appendonly yes`, for a Redis that is killed; snapshots (`save`) are not enough",
			"each command is given to the kernel before its reply (with `everysec` up to two seconds later, while the disk is slow), and what the kernel has outlives the process; a snapshot has nothing that came after it",
			[]CellRef{killed("aof-everysec"), redisRef(system, "aof-always", endKill, loadStream)},
			[]CellRef{killed("none"), redisRef(system, "rdb", endKill, loadIdle), redisRef(system, "rdb-1s", endKill, loadStream)},
		},
		{
			"redis.conf", "`appendfsync always`, where the power may fail; `everysec` loses up to two seconds of confirmed tasks then, `no` whatever the kernel had not written",
			"each command is on the disk before its reply",
			[]CellRef{redisRef(system, "aof-always", endCut, loadStream), redisRef(system, "aof-always", endCut, loadIdle)},
			[]CellRef{redisRef(system, "aof-everysec", endCut, loadStream), redisRef(system, "aof-no", endCut, loadIdle)},
		},
	}
}

// rabbitRef is the cell of a server that is killed.
func rabbitRef(system, durable, persistent, confirms, load string) CellRef {
	return CellRef{"rabbitmq-ends", system, Setting{
		"durable": durable, "persistent": persistent, "confirms": confirms, "end": endKill, "load": load,
	}}
}

var classicAdvice = []Advice{
	{
		"queue", "durable; acklab and Celery declare it so",
		"a queue that is not durable is gone after a restart, with persistent messages, too",
		[]CellRef{
			holderRef("rabbitmq", Setting{"killed": "server", "queue_age": "3s"}), rabbitRef("rabbitmq", "yes", "yes", "yes", loadIdle),
		},
		[]CellRef{rabbitRef("rabbitmq", "no", "yes", "yes", loadIdle)},
	},
	{
		"message", "persistent (delivery mode 2); acklab and Celery publish it so",
		"a durable queue comes back without its transient messages",
		[]CellRef{rabbitRef("rabbitmq", "yes", "yes", "yes", loadIdle)}, []CellRef{rabbitRef("rabbitmq", "yes", "no", "yes", loadIdle)},
	},
	confirmsAdvice("rabbitmq"),
}

// confirmsAdvice is for publishers to either kind of queue.
func confirmsAdvice(system string) Advice {
	return Advice{
		"producer", "publisher confirms, and a task counts as handed over when its confirm is there; acklab always does; Celery: `broker_transport_options = {\"confirm_publish\": True}`",
		"what was handed to the socket is not written, and nobody says so",
		[]CellRef{rabbitRef(system, "yes", "yes", "yes", loadStream)}, []CellRef{rabbitRef(system, "yes", "yes", "no", loadStream)},
	}
}

var quorumAdvice = []Advice{
	{
		"queue", "declare it when you deploy, seconds before the first publish",
		"a node that is killed within a second of the declaration has a queue without a leader when it is back (RabbitMQ 3.10.8)",
		[]CellRef{holderRef("rabbitmq-quorum", Setting{"killed": "server", "queue_age": "3s"})},
		[]CellRef{holderRef("rabbitmq-quorum", Setting{"killed": "server", "queue_age": "new"})},
	},
	confirmsAdvice("rabbitmq-quorum"),
}

// unsure is what confirms cannot spare a producer.
func unsure(cell CellRef) Price {
	return Price{
		Costs: "what was on its way when the server ended is unsure: neither confirmed nor refused. Publish it again and bear a second copy, or it may be missing",
		Count: "unsure", Cell: cell,
	}
}
