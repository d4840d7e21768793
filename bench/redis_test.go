package bench

import (
	"testing"

	"acklab/internal/server"
	"acklab/internal/server/servertest"
)

const (
	// many are the tasks of a lap where each takes microseconds.
	many = 15_000
	// fourHundred is the prefetch of the fast consumers.
	fourHundred = 400
)

// BenchmarkRatioRedis: publishes, then workers whose tasks do nothing, against
// redis-benchmark, and beside a bare loop, asynq and Celery.
func BenchmarkRatioRedis(b *testing.B) {
	r := servertest.Redis(b, server.RedisOptions{})
	yard, err := newRedisBenchmark(b, r)
	if err != nil {
		results.notRun("Redis: publishes and no-op tasks against redis-benchmark", err)
		b.Skip(err)
	}
	onRedis := func(a acklab) *acklab {
		a.server, a.scheme, a.blind, a.count = r, "redis", true, many
		return newAcklab(b, a)
	}
	driver := onRedis(acklab{queue: "driver"})
	fast := onRedis(acklab{queue: "fast", slots: handlers, ahead: fourHundred / handlers})
	usual := onRedis(acklab{queue: "usual", slots: 4, ahead: 4, early: true})
	loop := newBareLoop(b, r, "loop", many)
	forLoop := onRedis(acklab{queue: loop.queue})
	asynq := newBareAsynq(b, r, "asynq")
	python, noCelery := newCelery(b, r, "python")

	publishing := []func() lap{
		func() lap { return yard.run("lpush") },
		func() lap { return driver.publish(100, producers) },
		func() lap { return fast.publish(1, producers) },
	}
	working := []func() lap{
		func() lap { return yard.run("rpop") },
		loop.work,
		asynq.work,
		func() lap { return driver.drain(fourHundred, handlers) },
		fast.work,
		usual.work,
	}
	if noCelery == nil {
		working = append(working, python.work)
	}
	published, worked := make([]laps, 3), make([]laps, 7)
	for round := 0; b.Loop(); round++ {
		inTurns(round, publishing, published)
		usual.publish(100, 1)
		forLoop.publish(100, 1)
		asynq.publish()
		inTurns(round, working, worked)
	}
	results.add(b, "batches-x-of-LPUSH", row{"Redis: batches of 100, 8 goroutines, against redis-benchmark's LPUSH", published[0], published[1], 2})
	results.add(b, "singles-x-of-LPUSH", row{"Redis: single publishes, 8 goroutines, against LPUSH", published[0], published[2], 0.7})
	results.add(b, "driver-x-of-RPOP", row{"Redis: no-op tasks, the driver alone, prefetch 400, against RPOP", worked[0], worked[3], 0.6})
	results.add(b, "worker-x-of-RPOP", row{"Redis: no-op tasks, the worker, prefetch 400, against RPOP", worked[0], worked[4], 0.6})
	results.add(b, "worker-x-of-loop", row{"Redis: the same, against the bare loop", worked[1], worked[4], 0})
	results.field = field{
		{who: "redis-benchmark, RPOP of 800 bytes, 50 clients", laps: worked[0]},
		{who: "a bare loop: pops of 100, encoding/json, pipelined settlements", laps: worked[1]},
		{who: "asynq, 10 at a time", laps: worked[2]},
		{who: python.name() + ", prefork, concurrency 2, late acks", laps: worked[6], missing: noCelery},
		{who: "acklab, the driver alone, prefetch 400", laps: worked[3]},
		{who: "acklab, the worker, prefetch 400, late acks", laps: worked[4]},
		{who: "acklab, the worker as it comes: concurrency 4, prefetch 16, early acks", laps: worked[5]},
	}
}
