package experiments

import (
	"context"
	"errors"
	"fmt"
	"time"

	"acklab/internal/ledger"
	"acklab/internal/publishing"
	"acklab/internal/server"
	"acklab/task"
)

// PublishThroughOneQueue publishes n tasks that shall wait long and then n
// that shall wait short, through one delay queue with a time to live on each
// message. The runner itself is the producer, for no driver does this.
func PublishThroughOneQueue(n int, long, short time.Duration) Step {
	return Step{fmt.Sprintf("publish %d tasks for in %s and then %d for in %s, through one delay queue", n, long, n, short), func(ctx context.Context, t *Trial) error {
		if t.run.plants(plantIdleVictim) {
			return nil
		}
		rabbit, ok := t.server.(*server.Rabbit)
		if !ok {
			return fmt.Errorf("%s has no delay queues", t.server.Name())
		}
		var messages []*task.Message
		var later []server.Later
		for i := range 2 * n {
			m, err := task.New("noop", task.Options{Queue: t.queue})
			if err != nil {
				return err
			}
			wire, err := m.Encode()
			if err != nil {
				return err
			}
			wait := long
			if i >= n {
				wait = short
			}
			messages = append(messages, m)
			later = append(later, server.Later{
				ID: wire.MessageID, TaskID: wire.CorrelationID, ContentType: wire.ContentType, ContentEncoding: wire.ContentEncoding,
				Headers: wire.Headers, Body: wire.Body, Wait: wait,
			})
			attempted := publishing.Intent(m)
			attempted.ETA = ledger.MonoAt(time.Now().Add(wait))
			if err := t.write(attempted); err != nil {
				return err
			}
		}
		kind := "classic"
		if t.cell.System.Name == "rabbitmq-quorum" {
			kind = "quorum"
		}
		errs, err := rabbit.PublishThroughOneQueue(ctx, kind, t.queue+".delay.any", t.queue, later)
		if err != nil {
			return err
		}
		return t.confirmed(messages, errs)
	}}
}

// confirmed writes what became of the runner's own publishes.
func (t *Trial) confirmed(messages []*task.Message, errs []error) error {
	for i, m := range messages {
		if err := t.write(publishing.Outcome(m, errs[i])); err != nil {
			return err
		}
	}
	return nil
}

// MeasureOvertaking measures, of tasks with two delays, how long the short
// ones waited from their publish to their receipt, and how many of them came
// before the first of the long ones.
func MeasureOvertaking(short, long time.Duration) Step {
	return Step{"measure whether short delays overtook long ones", func(_ context.Context, t *Trial) error {
		o := overtaking{between: int64(short+long) / 2, sent: map[string]ledger.Line{}}
		names := []string{"runner", "long", "short", "worker"} // who publishes comes first
		for _, name := range names {
			if _, ok := t.members[name]; !ok && name != "runner" {
				continue
			}
			lines, err := t.read(name)
			if err != nil {
				return err
			}
			for _, l := range lines {
				o.take(l)
			}
		}
		if len(o.waits) == 0 {
			return errors.New("measure overtaking: no task with a short delay has arrived")
		}
		return errors.Join(
			t.Measure(overtook, float64(o.before)), t.Measure(shortLeast, quantile(o.waits, 0)), t.Measure(shortMost, quantile(o.waits, 1)),
		)
	}}
}

// overtaking follows the receipts of tasks with two delays.
type overtaking struct {
	between int64 // a delay that is neither short nor long
	sent    map[string]ledger.Line
	waits   []float64 // of the short ones, in milliseconds
	before  int       // short ones that came before any long one
	long    bool      // one of those has come
}

func (o *overtaking) take(l ledger.Line) {
	switch l.Event {
	case ledger.Attempted:
		o.sent[l.Message] = l
	case ledger.Received:
		sent, ok := o.sent[l.Message]
		delete(o.sent, l.Message) // only its first receipt counts
		switch {
		case !ok:
		case sent.ETA-sent.Mono > o.between:
			o.long = true
		default:
			o.waits = append(o.waits, milliseconds(sent.Mono, l.Mono))
			if !o.long {
				o.before++
			}
		}
	}
}
