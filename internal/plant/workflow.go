package plant

import (
	"context"
	"slices"

	"acklab/result"
	"acklab/task"
)

// withoutSuccessor says of the first message that follows another task that it is
// confirmed, and throws it away.
func (b *planted) withoutSuccessor(ctx context.Context, msgs []*task.Message) []error {
	gone := slices.IndexFunc(msgs, func(m *task.Message) bool { return m.ParentID != "" && b.plant.once(1) })
	return b.without(ctx, gone, msgs)
}

// without publishes all but one of the messages; negative: all.
func (b *planted) without(ctx context.Context, gone int, msgs []*task.Message) []error {
	if gone < 0 {
		return b.Broker.Publish(ctx, msgs...)
	}
	errs := b.Broker.Publish(ctx, slices.Delete(slices.Clone(msgs), gone, gone+1)...)
	return slices.Insert(errs, gone, nil)
}

// generous is a store in which one member of a chord counts for two: for itself and
// for the one after it.
type generous struct {
	store
	plant *Plant
}

// Join implements result.Store.
func (g *generous) Join(ctx context.Context, p result.Part) (result.Joined, error) {
	if p.Size > 1 && g.plant.once(1) {
		other := p
		other.Member = (p.Member + 1) % p.Size
		if _, err := g.store.Join(ctx, other); err != nil {
			return result.Joined{}, err
		}
	}
	return g.store.Join(ctx, p)
}
