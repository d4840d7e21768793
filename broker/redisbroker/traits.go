package redisbroker

import (
	"context"
	"time"

	"acklab/broker"
	"acklab/broker/redisclient"
	"acklab/task"
)

const (
	// infoTimeout bounds the question about the server.
	infoTimeout = 2 * time.Second
	// returnSlack is what a sweep and the way back to a consumer take.
	returnSlack = time.Second
	// delayLate is how much later than its ETA a delayed message comes from an
	// idle server.
	delayLate = 50 * time.Millisecond
)

// Traits asks the server for its version and persistence if that is not known
// yet, for at most two seconds; Version stays empty when it does not answer.
//
// An unfinished task of a dead worker comes back when its claim is as old as
// the URL's visibility and a consumer sweeps. The claim counts from the
// delivery, or with lease=renew from the last renewal, up to a third of the
// visibility before the death. With lease=fixed ReturnMin and ReturnMax are of
// a task that was delivered just before the death; one that has been held for
// longer comes back sooner by that, also while its worker lives.
//
// Marks: everything that comes back goes through a step that marks it. A server
// that can be killed and come back with an older state (snapshots, or an
// append-only file that is not always synced) has then forgotten deliveries:
// there an unmarked message may be a redelivery.
//
// Delay: with delay=broker a consumer of the queue moves what is due; nothing
// moves while none is there. The clocks that count are those of the producer's
// and the server's machines.
//
// Priority: with priority=on, in kombu's steps; the inbox tells all ten apart
// among what is already here. Without it Priority is absent, for what has none
// is served first, as Celery writes it; priorities 1 to 9 are still served in
// their steps behind that.
//
// MaxPayload is of the envelope, which holds the arguments in base64.
//
// SurvivesKill: whether the server writes an append-only file. That covers the
// death of the process; of the machine only with appendfsync always.
func (b *Broker) Traits() broker.Traits {
	ctx, cancel := context.WithTimeout(context.Background(), infoTimeout)
	defer cancel()
	info := b.server(ctx)
	a := b.address
	t := broker.Traits{
		System:       "redis",
		Server:       "redis",
		Version:      info.Version,
		Returns:      broker.OnLease,
		ReturnMin:    a.visibility,
		ReturnMax:    a.visibility + a.restore + returnSlack,
		Confirms:     true,
		SurvivesKill: info.AOF,
		Marks:        broker.MarksSome,
		FIFO:         true,
		Delay:        broker.ByWorker,
		Priority:     broker.Absent,
		DeadLetters:  broker.Emulated,
		MaxPayload:   task.MaxSize,
		SeesUnacked:  true,
	}
	if a.priority {
		t.Priority, t.PriorityLevels = broker.Emulated, len(steps)
	}
	if a.renew {
		t.ReturnMin -= a.renewEvery()
	}
	if a.delay {
		t.Delay, t.DelayLate = broker.Emulated, delayLate
	}
	if forgetsNothing(info) {
		t.Marks = broker.MarksAlways
	}
	return t
}

// forgetsNothing tells whether a server that was killed is either empty or as
// it was.
func forgetsNothing(info redisclient.Info) bool {
	return info.Configured && (info.AOF && info.Fsync == "always" || !info.AOF && info.Save == "")
}

// server is what the server says about itself, or said last.
func (b *Broker) server(ctx context.Context) redisclient.Info {
	if b.isClosed() {
		return b.about.Last()
	}
	info, err := b.about.Ask(ctx, b.client)
	if err != nil {
		b.opts.Logger().Debug("the server does not tell its version", "broker", b.address.String(), "err", err)
	}
	return info
}
