package experiments

import (
	"math"
	"time"

	"acklab/internal/check"
)

var mixedDelays = &Experiment{
	Name:     "short-delay-behind-a-long-one",
	Question: "Tasks that wait 100 ms stand behind tasks that wait 1.5 s: when do they come?",
	Claims:   []string{"R2"},
	Varies:   "one delay queue with a time to live on each message, or one queue for each delay",
	Threats: []string{
		"the naive way could be built wrongly: its tasks are the same, they reach the same queue and worker, and none of them is lost",
		"the harness disturbs: one trial at a time, and the order of arrival is counted beside the times",
	},
	Suites: []Suite{Quick},
	Cells: func(sys System, suite Suite) []Cell {
		switch {
		case suite != Quick:
			return []Cell{mixedCell(sys, oneDelayQueue), mixedCell(sys, queuePerDelay)}
		case sys.Name == "rabbitmq":
			return oneTrialEach(mixedCell(sys, oneDelayQueue), mixedCell(sys, queuePerDelay))
		}
		return nil
	},
}

const (
	mixedLong     = 1500 * time.Millisecond
	mixedShort    = 100 * time.Millisecond
	mixedEach     = 20 // tasks of each
	oneDelayQueue = "one for all"
	queuePerDelay = "one for each delay"
	overtook      = "short_before_long"
	shortLeast    = "short_wait_min_ms"
	shortMost     = "short_wait_max_ms"
)

func mixedCell(sys System, how string) Cell {
	c := Cell{
		System: sys, Setting: Setting{"delay_queue": how}, Trials: 3, Pace: Alone, Load: 2 * mixedEach, Seconds: 3,
		Measures: []string{overtook, shortLeast, shortMost}, Final: []Step{MeasureOvertaking(mixedShort, mixedLong)},
	}
	if sys.Kind != RabbitMQ {
		c.NotRun = "no such point: what waits is kept in the order in which it is due, in no queue"
		return c
	}
	worker := []Step{Declare(), StartWorker("worker", Hands{Ack: "late", Concurrency: 4, Multiplier: 4}), AwaitConsuming("worker")}
	if how == oneDelayQueue {
		c.Steps = append(worker, PublishThroughOneQueue(mixedEach, mixedLong, mixedShort), AwaitReceivedOver("worker", 2*mixedEach))
		c.Predicted = check.Bounds{overtook: {0, 0}, shortLeast: {1300, 3000}, shortMost: {1300, 4000}}
		c.Because = "a queue gives out only its head, and the head is there until its own time is over"
		late := "the rest of the 1,500 ms of the tasks in front, less the milliseconds by which those were sent first; more on a busy machine"
		c.Reasons = map[string]string{shortLeast: late, shortMost: late}
		c.Claims = map[string]check.Bounds{"R2": {overtook: {0, 0}, shortLeast: {int(mixedLong.Milliseconds()) / 2, math.MaxInt32}}}
		return c
	}
	job := Job{Count: mixedEach, Name: "noop", Countdown: mixedLong}
	short := job
	short.Countdown = mixedShort
	c.Steps = append(worker, PublishAs("long", job), PublishAs("short", short), AwaitReceivedOver("worker", 2*mixedEach))
	most := int((time.Duration(float64(mixedShort)*(1+sys.Traits().DelayRounding)) + sys.Traits().DelayLate + delaySlack).Milliseconds())
	c.Predicted = check.Bounds{overtook: {mixedEach, mixedEach}, shortLeast: {100, most}, shortMost: {100, most}, "delay_early": {0, 0}}
	c.Because = "in each delay queue all wait equally long, so its head is always the next one due"
	why := "never early; late by what the grid rounds and the broker needs, and a second for a busy machine"
	c.Reasons = map[string]string{shortLeast: why, shortMost: why}
	return c
}
