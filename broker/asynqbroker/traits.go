package asynqbroker

import (
	"context"
	"time"

	"acklab/broker"
	"acklab/broker/redisclient"
	"acklab/task"
)

// maxPrefetch bounds asynq's concurrency, which is the prefetch here.
const maxPrefetch = 1000

// infoTimeout bounds the question about the server's version.
const infoTimeout = 2 * time.Second

// Traits asks the server for its version and persistence if that is not known
// yet, for at most two seconds; Version stays empty when it does not answer.
//
// An unfinished task of a dead worker comes back 54 to 125 s after the death
// when another server of its queue runs: what is left of the lease (24 to
// 30 s, renewed every 5 s), a grace of 30 s, the phase of the sweep (0 to
// 60 s), and the way back to the queue (up to 1 s). With nobody else there it
// comes back when a server starts, 54 to 60 s after the death at the soonest.
//
// Marks: asynq counts retries, and everything that comes back from this driver
// is one; but another asynq worker that shuts down puts tasks back uncounted.
// Counts has that limit too.
//
// Delay: asynq writes its moments in whole seconds, so up to one is added to an
// ETA; then a consumer has to look for what is due (the URL's forward), and to
// ask for it (one and a half times its poll at the most). Nothing moves while
// no consumer of the queue is there. The clocks that count are those of the
// producer's and the consumer's machines.
//
// Priority: asynq has none within a queue; with priority=on a queue is four of
// asynq's, read in strict order.
//
// MaxPayload is of the envelope, which holds the arguments in base64.
//
// SurvivesKill: whether the server writes an append-only file. That covers the
// death of the process; of the machine only with appendfsync always.
func (b *Broker) Traits() broker.Traits {
	ctx, cancel := context.WithTimeout(context.Background(), infoTimeout)
	defer cancel()
	info := b.server(ctx)
	t := broker.Traits{
		System:       "asynq",
		Server:       "redis",
		Version:      info.Version,
		Returns:      broker.OnLease,
		ReturnMin:    54 * time.Second,
		ReturnMax:    125 * time.Second,
		Confirms:     true,
		SurvivesKill: info.AOF,
		Marks:        broker.MarksSome,
		Counts:       true,
		FIFO:         true,
		Delay:        broker.Native,
		DelayLate:    b.address.delayLate(),
		Priority:     broker.Absent,
		DeadLetters:  broker.Native,
		MaxPrefetch:  maxPrefetch,
		MaxPayload:   task.MaxSize,
		SeesUnacked:  true,
	}
	if b.address.priority {
		t.Priority, t.PriorityLevels = broker.Emulated, levels
	}
	return t
}

// server is what the server says about itself, or said last.
func (b *Broker) server(ctx context.Context) redisclient.Info {
	if b.isClosed() {
		return b.traits.Last()
	}
	info, err := b.traits.Ask(ctx, b.client)
	if err != nil {
		b.opts.Logger().Debug("the server does not tell its version", "broker", b.address.String(), "err", err)
	}
	return info
}
