package bench

import (
	"context"
	"testing"
	"time"

	"acklab/internal/ledger"
	"acklab/internal/server"
	"acklab/internal/server/servertest"
	"acklab/producer"
	"acklab/task"
)

// retryCost is what the publish of a retry may cost, as a multiple of a plain
// publish.
const retryCost = 1.3

// BenchmarkRatioRetryAsynq: what a worker does to try a task again, against
// what anybody does to publish one, both with a ledger.
func BenchmarkRatioRetryAsynq(b *testing.B) {
	r := servertest.Redis(b, server.RedisOptions{})
	retriesAgainstPublishes(b, "asynq", acklab{server: r, scheme: "asynq", books: true})
}

// BenchmarkRatioRetryRabbitMQ is the same on RabbitMQ, whose driver emulates
// delays.
func BenchmarkRatioRetryRabbitMQ(b *testing.B) {
	r := servertest.Rabbit(b, server.RabbitOptions{})
	retriesAgainstPublishes(b, "RabbitMQ", acklab{server: r, books: true})
}

func retriesAgainstPublishes(b *testing.B, system string, a acklab) {
	a.queue = "plain"
	plain := newAcklab(b, a)
	a.queue = "retried"
	retried := newAcklab(b, a)
	sides := make([]laps, 2)
	for round := 0; b.Loop(); round++ {
		inTurns(round, []func() lap{
			func() lap { return plain.oneByOne(producers) },
			func() lap { return retried.retries(producers) },
		}, sides)
	}
	results.add(b, "retry-x-of-publish", row{system + ": retries for in an hour, 8 goroutines, against plain publishes", sides[0], sides[1], 1 / retryCost})
}

// retries publishes all tasks as a worker does to try them again: another
// message of the task, due later, in a call of its own.
func (a *acklab) retries(goroutines int) lap {
	return a.keepBooks(ledger.Confirmed, func(w *ledger.Writer) lap {
		p := producer.New(producer.Config{Broker: a.broker, Ledger: w, Metrics: a.metrics})
		return spread(a.server, tasks, goroutines, func() {
			m, err := task.New("noop", task.Options{Queue: a.queue, Origin: origin})
			if err != nil {
				a.b.Error(err)
				return
			}
			next := m.Again()
			next.ETA = time.Now().Add(time.Hour).UTC().Truncate(time.Microsecond)
			if tally, _, err := p.Publish(context.Background(), next); err != nil || tally.Confirmed != 1 {
				a.b.Error(tally.Summary(), err)
			}
		})
	})
}
