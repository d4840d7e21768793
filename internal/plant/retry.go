package plant

import (
	"context"
	"slices"
	"time"

	"acklab/broker"
	"acklab/task"
)

// hurried are the messages, the first one with an ETA without it.
func (p *Plant) hurried(msgs []*task.Message) []*task.Message {
	late := slices.IndexFunc(msgs, func(m *task.Message) bool { return !m.ETA.IsZero() && p.once(1) })
	if late < 0 {
		return msgs
	}
	now := *msgs[late]
	now.ETA = time.Time{}
	msgs = slices.Clone(msgs)
	msgs[late] = &now
	return msgs
}

// retryLater does what a worker must not: it settles the delivery that failed,
// for good, and says of its retry that it is confirmed. The retry is published
// when the worker settles the delivery itself; one that dies before that has
// lost both. A delivery that was acknowledged early leaves nothing to do.
func (b *planted) retryLater(ctx context.Context, m *task.Message) error {
	p := b.plant
	failed := p.failedFor(m)
	if failed == nil {
		return b.Broker.Publish(ctx, m)[0]
	}
	if err := unwrap(failed.Settler).Ack(ctx, failed); err != nil {
		return b.Broker.Publish(ctx, m)[0]
	}
	p.mu.Lock()
	flush := p.flush
	if p.retries == nil {
		p.retries = map[*broker.Delivery]func(context.Context) error{}
	}
	p.retries[failed] = func(ctx context.Context) error { return b.Broker.Publish(ctx, m)[0] }
	p.mu.Unlock()
	flush(ctx)
	p.fired()
	return nil
}

// failedFor is the unsettled delivery of the try before m.
func (p *Plant) failedFor(m *task.Message) *broker.Delivery {
	p.mu.Lock()
	defer p.mu.Unlock()
	i := slices.IndexFunc(p.arrived, func(d *broker.Delivery) bool {
		return d.Message.TaskID == m.TaskID && d.Message.Retries == m.Retries-1 && !d.Settled() && p.retries[d] == nil
	})
	if i < 0 {
		return nil
	}
	return p.arrived[i]
}

// retryOf is the publish that was kept for the delivery, and is not kept on.
func (p *Plant) retryOf(d *broker.Delivery) func(context.Context) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	publish := p.retries[d]
	delete(p.retries, d)
	return publish
}
