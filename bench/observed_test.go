package bench

import (
	"testing"

	"acklab/internal/server"
	"acklab/internal/server/servertest"
)

// wantedObserved is what is to be left of the throughput of a worker that
// keeps a ledger and is scraped, against one that does neither.
const wantedObserved = 0.85

// BenchmarkRatioObservedAsynq: a worker with its ledger and Prometheus, against
// the same worker with neither, nor any metrics.
func BenchmarkRatioObservedAsynq(b *testing.B) {
	observed(b, "asynq", acklab{server: servertest.Redis(b, server.RedisOptions{}), scheme: "asynq", slots: handlers, ahead: 1})
}

// BenchmarkRatioObservedRabbitMQ is the same on RabbitMQ.
func BenchmarkRatioObservedRabbitMQ(b *testing.B) {
	r := servertest.Rabbit(b, server.RabbitOptions{Plugins: server.Plugins{Prometheus: true}})
	observed(b, "RabbitMQ", acklab{server: r, slots: 10, ahead: inFlight / 10})
}

// observed lets three workers that differ in how much is seen of them take
// turns. Publishing is not part of it.
func observed(b *testing.B, name string, same acklab) {
	if _, err := server.FindPrometheus(); err != nil {
		b.Skip(err)
	}
	side := func(queue string, change func(*acklab)) *acklab {
		a := same
		a.queue = queue
		change(&a)
		return newAcklab(b, a)
	}
	unseen := side("unseen", func(a *acklab) { a.blind = true })
	booked := side("booked", func(a *acklab) { a.blind, a.books = true, true })
	watched := side("watched", func(a *acklab) { a.books, a.watched = true, true })
	worked := make([]laps, 3)
	for round := 0; b.Loop(); round++ {
		var turns []func() lap
		for _, a := range []*acklab{unseen, booked, watched} {
			a.fill()
			turns = append(turns, a.work)
		}
		inTurns(round, turns, worked)
	}
	results.add(b, "observed-x-of-unseen", row{name + ": no-op tasks, ledger and Prometheus against neither", worked[0], worked[2], wantedObserved})
	results.add(b, "ledger-x-of-unseen", row{name + ": the same, only the ledger against neither", worked[0], worked[1], 0})
}
