// Package plant holds planted faults: brokers that misbehave in one known way.
// They exist to show that the laboratory sees what it claims to see: for every
// experiment and every plant, `acklab selftest` carries the experiment out with
// the plant in place and expects it to notice. A plant is never there unless
// it is asked for, and every time it does its evil it writes so in the ledger.
package plant

import (
	"context"
	"fmt"
	"iter"
	"os"
	"slices"
	"strings"
	"sync"

	"acklab/broker"
	"acklab/internal/ledger"
	"acklab/task"
)

// Env is the environment variable that names the plant of a process, QueuesEnv the
// one that names the queues among which Misrouted may choose, with commas.
const (
	Env       = "ACKLAB_PLANT"
	QueuesEnv = "ACKLAB_PLANT_QUEUES"
)

// The plants that sit between a room and its broker.
const (
	PublishDropped   = "publish-dropped"       // a publish is said to be confirmed and thrown away
	DeliveredTwice   = "delivered-twice"       // a delivery is handed out a second time
	EarlyInLate      = "early-ack-in-late"     // acknowledged at once, whatever the mode
	LateInEarly      = "late-ack-in-early"     // an acknowledgement is held back until four more have come
	RequeueForgotten = "requeue-forgotten"     // a requeue is an acknowledgement
	NeighbourAcked   = "neighbour-acked"       // an acknowledgement settles another delivery
	StaleHonoured    = "stale-ack-honoured"    // a stale settlement is said to be fine
	MarkLies         = "redelivered-mark-lies" // every delivery is marked as the first
	CensusOmits      = "census-omits-unacked"  // the census leaves out one message
	RetrySettled     = "retry-settled-first"   // a failed delivery is settled before its retry is published
	DelayIgnored     = "delay-delivered-early" // a message that is for later is published for now
	ResultDropped    = "result-dropped"        // a result is said to be stored and thrown away
	SuccessorDropped = "successor-dropped"     // what follows a task is said to be confirmed and thrown away
	JoinedTwice      = "join-counted-twice"    // a member of a chord is counted for another one, too
	OrderIgnored     = "order-ignored"         // queues take turns, and priorities are left off
	Misrouted        = "misrouted"             // a publish goes to another one of several declared queues
)

// Names are all of them.
var Names = []string{
	PublishDropped, DeliveredTwice, EarlyInLate, LateInEarly, RequeueForgotten, NeighbourAcked, StaleHonoured, MarkLies, CensusOmits,
	RetrySettled, DelayIgnored, ResultDropped, SuccessorDropped, JoinedTwice, OrderIgnored, Misrouted,
}

// Plant is one planted fault of one process. A nil *Plant changes nothing.
type Plant struct {
	name   string
	fired  func()
	queues []string // for Misrouted

	mu      sync.Mutex
	count   int
	arrived []*broker.Delivery                               // unsettled, for NeighbourAcked
	held    []func()                                         // acknowledgements held back, for LateInEarly
	retries map[*broker.Delivery]func(context.Context) error // publishes held back, for RetrySettled
	flush   func(context.Context) error                      // of the consumer
}

// New makes a plant that calls fired each time it does something.
func New(name string, fired func()) (*Plant, error) {
	if !slices.Contains(Names, name) {
		return nil, fmt.Errorf("unknown planted fault %q: use one of %s", name, strings.Join(Names, ", "))
	}
	return &Plant{name: name, fired: fired}, nil
}

// FromEnv is the plant that the environment asks for, nil when it asks for
// none. It writes into the ledger each time it does something.
func FromEnv(w *ledger.Writer) (*Plant, error) {
	name := os.Getenv(Env)
	if name == "" {
		return nil, nil
	}
	p, err := New(name, func() { w.Write(ledger.Line{Event: ledger.PlantFired, Fault: name}) })
	if queues := os.Getenv(QueuesEnv); err == nil && queues != "" {
		p.queues = strings.Split(queues, ",")
	}
	return p, err
}

// Options are opts with what the plant has to see or to change.
func (p *Plant) Options(opts broker.Options) broker.Options {
	if p == nil {
		return opts
	}
	observe := opts.Observe
	opts.Observe = func(e broker.Event) {
		if e.Kind == broker.Arrived {
			p.arrive(e.Delivery)
		}
		if observe != nil {
			observe(e)
		}
	}
	return opts
}

func (p *Plant) arrive(d *broker.Delivery) {
	if p.name == MarkLies && d.Seen == broker.SeenAgain {
		d.Seen = broker.SeenFirst
		p.fired()
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.arrived = append(p.arrived, d)
}

// Wrap is b with the plant in it.
func (p *Plant) Wrap(b broker.Broker) broker.Broker {
	if p == nil {
		return b
	}
	return &planted{Broker: b, plant: p}
}

// Once reports true the nth time it is called, and fires.
func (p *Plant) once(nth int) bool {
	p.mu.Lock()
	p.count++
	hit := p.count == nth
	p.mu.Unlock()
	if hit {
		p.fired()
	}
	return hit
}

// planted is a broker with a plant.
type planted struct {
	broker.Broker
	plant *Plant
}

// dropped is which publish is thrown away.
const dropped = 3

// Publish may throw one message away, take an ETA or a priority off, choose another
// queue, or keep a retry to itself until the delivery that failed is settled.
func (b *planted) Publish(ctx context.Context, msgs ...*task.Message) []error {
	switch b.plant.name {
	case PublishDropped:
	case DelayIgnored:
		return b.Broker.Publish(ctx, b.plant.hurried(msgs)...)
	case SuccessorDropped:
		return b.withoutSuccessor(ctx, msgs)
	case OrderIgnored:
		return b.Broker.Publish(ctx, b.plant.levelled(msgs)...)
	case Misrouted:
		return b.Broker.Publish(ctx, b.plant.misrouted(msgs)...)
	case RetrySettled:
		var errs []error
		for _, m := range msgs {
			errs = append(errs, b.retryLater(ctx, m))
		}
		return errs
	default:
		return b.Broker.Publish(ctx, msgs...)
	}
	return b.without(ctx, slices.IndexFunc(msgs, func(*task.Message) bool { return b.plant.once(dropped) }), msgs)
}

// Census may leave out one message.
func (b *planted) Census(ctx context.Context, queue string) iter.Seq2[broker.Held, error] {
	if b.plant.name != CensusOmits {
		return b.Broker.Census(ctx, queue)
	}
	return func(yield func(broker.Held, error) bool) {
		omitted := false
		for h, err := range b.Broker.Census(ctx, queue) {
			if err == nil && !omitted {
				omitted = true
				b.plant.fired()
				continue
			}
			if !yield(h, err) {
				return
			}
		}
	}
}

// Consume wraps the consumer.
func (b *planted) Consume(ctx context.Context, s broker.Subscription) (broker.Consumer, error) {
	if b.plant.name == OrderIgnored {
		s = b.plant.inTurns(s)
	}
	c, err := b.Broker.Consume(ctx, s)
	if err != nil {
		return nil, err
	}
	b.plant.mu.Lock()
	b.plant.flush = c.Flush
	b.plant.mu.Unlock()
	return &consumer{Consumer: c, plant: b.plant}, nil
}

type consumer struct {
	broker.Consumer
	plant *Plant
	mu    sync.Mutex
	again *broker.Delivery
}

// twice is which delivery is handed out a second time.
const twice = 1

// Receive hands out deliveries whose settlement is in the plant's hands.
func (c *consumer) Receive(ctx context.Context) (*broker.Delivery, error) {
	c.mu.Lock()
	d := c.again
	c.again = nil
	c.mu.Unlock()
	if d != nil {
		c.plant.fired()
		return d, nil
	}
	d, err := c.Consumer.Receive(ctx)
	if err != nil {
		return nil, err
	}
	p := c.plant
	d.Settler = &settler{Settler: d.Settler, plant: p}
	switch p.name {
	case DeliveredTwice:
		p.mu.Lock()
		p.count++
		second := p.count == twice
		p.mu.Unlock()
		if second {
			c.mu.Lock()
			c.again = &broker.Delivery{
				Message: d.Message, Malformed: d.Malformed, Queue: d.Queue, Session: d.Session, Seen: d.Seen, Count: d.Count, Settler: deaf{},
			}
			c.mu.Unlock()
		}
	case EarlyInLate:
		if err := d.Settler.(*settler).Settler.Ack(ctx, d); err == nil {
			c.Consumer.Flush(ctx)
			p.fired()
		}
		d.Settler = deaf{}
	}
	return d, nil
}
