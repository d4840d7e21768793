// Package broker is the contract between acklab and a message broker: what a
// client must do, what it must never do, and which error means what. The
// drivers are siblings below this folder; brokertest holds the suite that
// proves one, with a test for each sentence of the comments here.
//
//	producer ─Publish─▶ Broker ─ Consume ─▶ Consumer ─Receive─▶ Delivery
//	                                            ▲                  │
//	                                          Flush ◀── Ack, Requeue, Reject
package broker

import (
	"context"
	"iter"
	"log/slog"

	"acklab/task"
)

// Broker is a client of one message broker. It is safe for concurrent use.
//
// It never repeats a publish, and neither may the client library below it: a
// repeated publish whose first reply was lost makes two copies and no error.
type Broker interface {
	// Declare makes the queues, and what belongs to them (dead letters),
	// exist. It may be called any number of times. Only the owner of a queue
	// calls it: a worker, or a person setting up.
	Declare(ctx context.Context, queues ...string) error

	// Publish hands the messages to the broker, each to the queue it names,
	// with many on the way at once, and returns when the fate of each is
	// known or ctx ends. The result has one error per message, in order:
	//
	//   - nil: the broker has confirmed that it stores the message;
	//   - an error that wraps ErrUnsure: it may or may not be stored;
	//   - an error that wraps ErrRefused: it is certainly not stored;
	//   - an error that wraps ErrClosed (also a refusal): Close was called.
	//
	// Every non-nil error wraps ErrUnsure or ErrRefused.
	Publish(ctx context.Context, msgs ...*task.Message) []error

	// Consume subscribes. It returns when the first session stands and the
	// broker was asked for deliveries, or with an error that says why not: a
	// queue that does not exist wraps ErrUnknownQueue where Traits say that
	// unknown queues are refused.
	Consume(ctx context.Context, s Subscription) (Consumer, error)

	// Depth tells how much the queue holds. A nil field: this broker cannot
	// tell.
	Depth(ctx context.Context, queue string) (Depth, error)

	// Census yields every message that the broker holds for the queue, in
	// whatever state, its dead letters included, each once. It may consume
	// what it reads, so it is for private servers, after the last consumer
	// has gone. A census that cannot be complete yields an error.
	Census(ctx context.Context, queue string) iter.Seq2[Held, error]

	// Traits tell what this broker does where brokers differ. They may
	// depend on the server's version, so they are asked after a connection.
	Traits() Traits

	// Close ends the client. Calls under way return, with ErrUnsure where a
	// publish had been sent. Closing twice is allowed.
	Close(ctx context.Context) error
}

// Consumer receives deliveries of one subscription. It outlives its
// connection: when that is lost it connects again, with growing pauses and
// without a limit of tries, and begins a new session. It is safe for
// concurrent use.
type Consumer interface {
	// Receive returns the next delivery in the order that the subscription
	// asks for. It waits until there is one, ctx ends (ctx.Err), or Stop or
	// Close was called (ErrClosed). A lost connection is not an error: it
	// waits for the next session. What a dead session had sent and Receive
	// had not yet handed out is dropped: the broker sends it again.
	Receive(ctx context.Context) (*Delivery, error)

	// Stop ends the subscription and gives back to the broker what Receive
	// has not handed out. Deliveries that were handed out can still be
	// settled. Stopping twice is allowed.
	Stop(ctx context.Context) error

	// Flush returns nil when the broker has processed every settlement that
	// was handed over before the call. It wraps ErrUnsure when it cannot
	// know, for instance because the session ended in between. A call that is
	// cut short by ctx wraps ctx's error, and what it would have told of is left
	// to the next.
	Flush(ctx context.Context) error

	// Close is Stop, then gives back every delivery that is not settled, and
	// ends the connection. Closing twice is allowed.
	Close(ctx context.Context) error
}

// Options are common to all drivers.
type Options struct {
	// Observe, when set, is told what happens below the calls: sessions,
	// arrivals, returns. It is called synchronously, from several goroutines,
	// and must be quick and must not call the broker.
	Observe func(Event)
	// Log receives what a person may want to read; nil: discarded.
	Log *slog.Logger
}

// Tell calls Observe when it is set.
func (o Options) Tell(e Event) {
	if o.Observe != nil {
		o.Observe(e)
	}
}

// Logger is Log, or a logger that discards.
func (o Options) Logger() *slog.Logger {
	if o.Log != nil {
		return o.Log
	}
	return slog.New(slog.DiscardHandler)
}
