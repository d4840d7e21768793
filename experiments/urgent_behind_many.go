package experiments

import (
	"time"

	"acklab/broker"
	"acklab/internal/check"
	"acklab/internal/ledger"
)

var urgentBehindMany = &Experiment{
	Name:     "urgent-tasks-behind-a-thousand",
	Question: "A thousand tasks wait, then 20 urgent ones come: how many are run before them, and do the others ever get their turn?",
	Claims:   []string{"H2"},
	Varies:   "one queue or two, a worker of their own, the order among queues, priorities within one; a steady stream of urgent ones",
	Threats: []string{
		"the harness disturbs: waiting is counted in tasks that were begun meanwhile, by the order of the ledgers; seconds stand beside it",
		"the urgent ones found an idle worker, or nothing to overtake: it is at work when they come, and a trial in which fewer than 200 of the others wait at their first confirm is unsure",
		"what was not there yet cannot be first: a task counts as begun before an urgent one that had been confirmed for 100 ms; so does one of a stream that pauses",
		"the worker's own design decides: one slot and a prefetch of one, so that nothing waits in a worker's hands (Celery on Redis: 4, its default, for with one it takes two tasks every five seconds)",
	},
	Suites: []Suite{Quick},
	Celery: true,
	Cells: func(sys System, suite Suite) []Cell {
		switch {
		case suite == Quick && sys.Name == "rabbitmq":
			return oneTrialEach(urgentCell(sys, suite, oneQueue), urgentCell(sys, suite, strictly))
		case suite == Quick && sys.Name == "redis":
			return oneTrialEach(starvedCell(sys, strictly))
		case suite == Quick:
			return nil
		}
		var cells []Cell
		for _, how := range urgentWays(sys) {
			cells = append(cells, urgentCell(sys, suite, how))
		}
		for _, how := range []string{strictly, weightedly, inTurns} {
			if sys.Celery == (how == inTurns) {
				cells = append(cells, starvedCell(sys, how))
			}
		}
		return cells
	},
}

// The ways in which urgent tasks are told from the others.
const (
	oneQueue   = "one queue"
	ownWorker  = "a worker for each queue"
	strictly   = "strict"
	weightedly = "weighted 3 to 1"
	inOneQueue = "priorities in one queue"
	inTurns    = "Celery in turns" // -Q high,low
)

func urgentWays(sys System) []string {
	if sys.Celery {
		return []string{oneQueue, ownWorker, inTurns, inOneQueue}
	}
	return []string{oneQueue, ownWorker, strictly, weightedly, inOneQueue}
}

const (
	urgentFew   = 20
	urgentMany  = 1000
	urgentLess  = 800 // for the self-test
	urgentBegun = 100 // of the many are done when the few come
	urgentWait  = 200 // of them at the least wait then
	// urgentMost is how many tasks may be begun before an urgent one that is handled
	// first, for the claim: far from what a queue makes of it that is served in order.
	// Turns are told from it by what is begun between the first of them and the last.
	urgentMost = 100
	// urgentFirst is the same for the prediction where they are served first: fewer
	// than the 20 of queues in turns.
	urgentFirst = 15

	urgentSeconds = 0.003

	lowBefore   = "low_before_high_max"
	lowWaited   = "low_before_waiting_high_max"
	lowWaiting  = "low_waiting_at_first_high"
	lowAmong    = "low_among_high"
	highWait    = "high_wait_max_ms"
	lowMeantime = "low_before_last_high"
	highShare   = "high_percent_of_first_100"
	lowWait     = "low_wait_max_ms" // described, without a bound
)

// hasPriorities tells whether queues of the system can have priorities.
func hasPriorities(sys System) bool { return sys.Name != "rabbitmq-quorum" }

const noPriorities = "no such point: quorum queues of this server have no x-max-priority"

// oneLoad is why the in-process system has no cell of queues and of later loads: the
// laboratory's own way to run it, and nothing that such a queue could not do.
const oneLoad = "the in-process system of the laboratory is one process with one load and one queue; how such queues, and priorities in one, are served is shown by the conformance suite"

func urgentCell(sys System, suite Suite, how string) Cell {
	many := urgentMany
	if suite == selfTest {
		many = urgentLess
	}
	c := Cell{
		System: sys, Setting: Setting{"order": how}, Trials: 3, Pace: Alone, Load: many + urgentFew, Seconds: 6,
		Measures: []string{lowBefore, lowWaited, lowWaiting, lowAmong, highWait}, Reasons: map[string]string{},
	}
	if sys.Kind == NoServer {
		c.NotRun = oneLoad
		return c
	}
	if sys.Celery {
		c.Setting["pool"], c.Seconds = "prefork", 14
	}
	if how == inOneQueue && !hasPriorities(sys) {
		c.NotRun = noPriorities
		return c
	}
	low := Job{Count: many, Name: "sleep", Args: []any{urgentSeconds}, Queue: "low"}
	high := Job{Count: urgentFew, Name: "sleep", Args: []any{urgentSeconds}, Queue: "high"}
	hands := Hands{Ack: "late", Concurrency: 1, Multiplier: least(sys), Queues: "high,low"}
	c.Queues = []string{"high", "low"}
	fewest, most, why := 0, urgentFirst, "none, but for a machine that needs more than 100 ms to hand them over"
	// Between the first urgent one and the last nothing is on its way any more: here
	// the orders differ, whatever the machine.
	among, whyAmong := [2]int{0, 4}, "the first may be taken while the others are still being published"
	switch how {
	case oneQueue:
		c.Queues, low.Queue, high.Queue, hands.Queues = nil, "", "", ""
		fewest, most = many-urgentBegun-many*4/10, many-urgentBegun
		c.Because = "a queue is served in order, whatever its tasks are called: all that waits is before them"
		why = "all that were not begun when the urgent ones had waited for 100 ms: by then at the most 40 % more than the first 100"
	case ownWorker:
		hands.Queues = "low"
		c.Because = "nobody else takes from their queue; the others are run beside them by the other worker"
		among, whyAmong = [2]int{5, 80}, "what the other worker begins while the 20 are run one after the other"
		most, why = among[1], whyAmong
	case strictly:
		c.Because = "the first queue is asked first, for every single task"
	case weightedly:
		hands.Queues, hands.Order = "high=3,low=1", broker.Weighted
		among, whyAmong = [2]int{urgentFew/3 - 2, urgentFew/3 + 4}, "a third of 20, one or two more or less at the ends"
		c.Because = "while both are busy every fourth task is one of the others"
		why = "a third of 20 at the most, and fewer the sooner they are done: those of the first 100 ms do not count"
	case inTurns:
		most = urgentFew * 3 / 2
		among, whyAmong = [2]int{urgentFew * 6 / 10, urgentFew * 3 / 2}, "19 turns; whose turn it is may be off by some where the server does the taking"
		c.Because = "Celery takes turns among its queues, in whatever order it is told them: one for one"
		if sys.Kind == RabbitMQ {
			// 19 gaps before as many heads of a coin: 99.9 % of the distribution.
			among, whyAmong = [2]int{3, 43}, "where a worker's queues share its prefetch, RabbitMQ decides whose turn it is, as by a coin"
			most, why = among[1], whyAmong
			break
		}
		why = "20 turns at the most, and fewer the sooner they are done: those of the first 100 ms do not count; whose turn it is may be off by some where the server does the taking"
	case inOneQueue:
		c.Queues, low.Queue, high.Queue, hands.Queues = nil, "", "", ""
		c.Options, high.Priorities = []string{"priority=on"}, []int{9}
		c.Because = "the queue itself serves the larger priority first"
	}
	c.Predicted = check.Bounds{lowWaited: {fewest, most}, lowAmong: among}
	c.Reasons[lowWaited], c.Reasons[lowAmong] = why, whyAmong
	first := check.Bounds{lowWaited: {0, urgentMost}, "lost": {0, 0}}
	if how != ownWorker { // there the others are run beside them, by another worker
		first[lowAmong] = [2]int{0, 4}
	}
	c.Claims = map[string]check.Bounds{"H2": first}
	workers := []Step{StartWorker("worker", hands)}
	if how == ownWorker {
		own := hands
		own.Queues = "high"
		workers = append(workers, StartWorker("second", own), AwaitConsuming("second"))
	}
	c.Steps = concat([]Step{Declare(), PublishAs("low", low)}, workers, []Step{
		AwaitCount("worker", ledger.Finished, urgentBegun), PublishAs("high", high),
	})
	c.Steps = append(c.Steps, AwaitRuns(many+urgentFew))
	c.Final = []Step{MeasureUrgent()}
	return c
}

// starveStream is the load of the cells that ask who starves.
const starveStream = "a steady stream of urgent ones"

const (
	starveHigh    = 300
	starveRate    = 150 // a second: more than one worker can do
	starveLow     = 80  // fewer than are counted: the share tells their order
	starveSeconds = 0.01
	starveFirst   = 100 // of the tasks, whose shares are measured
)

// starvedCell has more urgent tasks coming than the worker can do.
func starvedCell(sys System, how string) Cell {
	c := Cell{
		System: sys, Setting: Setting{"order": how, "load": starveStream}, Trials: 3, Pace: Alone, Load: starveHigh + starveLow, Seconds: 5,
		Measures: []string{lowMeantime, highShare, lowWait}, Reasons: map[string]string{}, Queues: []string{"high", "low"},
	}
	if sys.Kind == NoServer {
		c.NotRun = oneLoad
		return c
	}
	if sys.Celery {
		c.Setting["pool"], c.Seconds = "prefork", 10
	}
	hands := Hands{Ack: "late", Concurrency: 1, Multiplier: least(sys), Queues: "high,low"}
	low, most, share, why := 0, 5, [2]int{95, 100}, "one or two may be begun while an urgent one is longer than 100 ms on its way on a busy machine"
	switch how {
	case strictly:
		c.Because = "strict order starves the later queue for as long as the first one has something: that is what it is for"
	case weightedly:
		hands.Queues, hands.Order = "high=3,low=1", broker.Weighted
		low, most, share = starveLow-10, starveLow, [2]int{72, 78}
		c.Because = "every fourth task is one of the later queue, which has only 80, so none starves"
		why = "three of four, one or two more or less at the ends; what is begun while no urgent one waits does not count"
	case inTurns:
		low, most, share = starveLow-10, starveLow, [2]int{40, 60}
		c.Because = "Celery takes turns among its queues: half of the tasks are of each, so none starves"
		if sys.Kind == RabbitMQ {
			share = [2]int{33, 67} // 99.9 % of 100 tosses of a coin
			why = "where a worker's queues share its prefetch, RabbitMQ decides whose turn it is, as by a coin"
			break
		}
		why = "one for one; whose turn it is may be off by some where the server does the taking"
	}
	c.Predicted = check.Bounds{lowMeantime: {low, most}, highShare: share}
	c.Reasons[lowMeantime], c.Reasons[highShare] = why, why
	c.Claims = map[string]check.Bounds{"H2": {highShare: {95, 100}, "lost": {0, 0}}}
	job := func(count int, queue string, rate float64) Job {
		return Job{Count: count, Name: "sleep", Args: []any{starveSeconds}, Queue: queue, Rate: rate}
	}
	c.Steps = []Step{
		Declare(), PublishAs("low", job(starveLow, "low", 0)), StartProducerAs("high", job(starveHigh, "high", starveRate)),
		AwaitCount("high", ledger.Confirmed, urgentFew), StartWorker("worker", hands), AwaitEnd("high"),
		AwaitRuns(starveHigh + starveLow),
	}
	c.Final = []Step{MeasureShare(starveFirst)}
	c.Settle = 10 * time.Second
	return c
}
