package broker

import (
	"context"
	"sync/atomic"
	"time"

	"acklab/task"
)

// Seen says what the broker knows about earlier deliveries of a message.
type Seen string

// What a broker may know. Traits.Marks says how far it can be trusted.
const (
	SeenUnknown Seen = "unknown"
	SeenFirst   Seen = "first"
	SeenAgain   Seen = "again"
)

// Delivery is one message in the hands of one consumer. It stays with the
// consumer until it is settled, its session ends, or its lease expires. Its
// methods may be called from any goroutine.
type Delivery struct {
	// Message is never nil. When Malformed is set it holds what could be
	// read: at least an ID, made up from the delivery if it had none.
	Message *task.Message
	// Malformed says why the message cannot be run; it is to be rejected.
	Malformed error
	// Queue is where it came from.
	Queue string
	// Session is the number of the consumer's connection, from 1.
	Session int
	// Seen is the broker's redelivery mark.
	Seen Seen
	// Count is how often the broker has delivered the message, this time
	// included; 0: it does not count.
	Count int
	// Lease is when the broker takes the message back unless the consumer
	// renews it; zero: it is held as long as the session stands.
	Lease time.Time

	// Settler is the driver's side; only drivers set or use it.
	Settler Settler
	settled atomic.Bool
}

// Settler is the driver's side of a delivery. Delivery sees to it that at
// most one of its methods is called, once. Each returns nil when the
// settlement was handed over (not: processed, see Consumer.Flush), or an
// error that wraps ErrStale (nothing changed) or ErrUnsure.
type Settler interface {
	// Ack has the broker forget the message, as Delivery.Ack says.
	Ack(ctx context.Context, d *Delivery) error
	// Requeue gives the message back, as Delivery.Requeue says.
	Requeue(ctx context.Context, d *Delivery) error
	// Reject parks the message with the dead letters, as Delivery.Reject says.
	Reject(ctx context.Context, d *Delivery, reason string) error
}

// Ack tells the broker to forget the message. Nil means handed over: the
// broker has processed it only after a Flush that returned nil. The first
// settlement decides; later ones get ErrSettled. ErrStale: nothing changed.
// ErrUnsure: it may have taken effect.
func (d *Delivery) Ack(ctx context.Context) error {
	if !d.settled.CompareAndSwap(false, true) {
		return ErrSettled
	}
	return d.Settler.Ack(ctx, d)
}

// Requeue gives the message back to its queue, to be delivered again, to
// anybody. Errors are those of Ack.
func (d *Delivery) Requeue(ctx context.Context) error {
	if !d.settled.CompareAndSwap(false, true) {
		return ErrSettled
	}
	return d.Settler.Requeue(ctx, d)
}

// Reject parks the message in the dead letters of its queue, with the reason.
// It is never lost on the way: where parking is a publish, that is confirmed
// before the delivery is settled, and an unsure one requeues. Errors are those
// of Ack.
func (d *Delivery) Reject(ctx context.Context, reason string) error {
	if !d.settled.CompareAndSwap(false, true) {
		return ErrSettled
	}
	return d.Settler.Reject(ctx, d, reason)
}

// Settled tells whether Ack, Requeue or Reject was called.
func (d *Delivery) Settled() bool { return d.settled.Load() }

// Abandon marks the delivery as settled without telling the broker, and
// reports whether it was unsettled until now. Only drivers call it: for
// deliveries of a dead session, and to give back what Close finds unsettled.
func (d *Delivery) Abandon() bool { return d.settled.CompareAndSwap(false, true) }
