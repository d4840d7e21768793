package worker

import (
	"context"
	"errors"
	"slices"
	"time"

	"acklab/broker"
	"acklab/internal/publishing"
	"acklab/task"
)

// publishWithin bounds one publish by a worker.
const publishWithin = 10 * time.Second

// publish sends a message of the worker's own; see publishAll.
func (w *Worker) publish(ctx context.Context, m *task.Message) error {
	return w.publishAll(ctx, []*task.Message{m})[0]
}

// publishAll sends messages of the worker's own, between their ledger lines, and
// returns the broker's word on each. Without the line that says so first, nothing
// is sent. Late, what comes after a batch of which the broker said nothing is not
// attempted: the delivery goes back, and all of them will be.
func (w *Worker) publishAll(ctx context.Context, ms []*task.Message) []error {
	errs := make([]error, 0, len(ms))
	for some := range slices.Chunk(ms, batch) {
		if w.ackMode == Late && len(errs) > 0 && silent(errs[len(errs)-batch:]) {
			return append(errs, slices.Repeat(errs[len(errs)-1:], len(ms)-len(errs))...)
		}
		errs = append(errs, w.publishSome(ctx, some)...)
	}
	return errs
}

// silent tells whether the broker has said nothing of any message.
func silent(errs []error) bool {
	return !slices.ContainsFunc(errs, func(err error) bool { return err == nil || errors.Is(err, broker.ErrRefused) })
}

func (w *Worker) publishSome(ctx context.Context, ms []*task.Message) []error {
	w.declare(ctx, ms)
	sent := make([]*task.Message, len(ms))
	for i, m := range ms {
		if w.write(publishing.Intent(m)) < 0 {
			return slices.Repeat([]error{w.ledger.Err()}, len(ms))
		}
		sent[i] = m.SentAt(time.Now())
	}
	ctx, cancel := context.WithTimeout(ctx, publishWithin)
	defer cancel()
	errs := w.broker.Publish(ctx, sent...)
	for i, err := range errs {
		if broker.RefusedAs(err, broker.Unroutable) {
			w.declared.drop(ms[i].Queue)
		}
		if _, err := publishing.Heard(w.ledger, w.metrics, ms[i], err); err != nil {
			errs[i] = err
		}
	}
	return errs
}

// impossible tells whether the message can never be published: the next
// attempt would be refused for the same reason.
func impossible(err error) bool { return broker.RefusedAs(err, broker.TooLarge, broker.Invalid) }
