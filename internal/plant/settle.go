package plant

import (
	"context"
	"errors"
	"slices"

	"acklab/broker"
)

// heldBack is how many acknowledgements are held back.
const heldBack = 4

// letGo sends the oldest acknowledgement when enough have come after it.
func (p *Plant) letGo() {
	p.mu.Lock()
	var ack func()
	if len(p.held) > heldBack {
		ack, p.held = p.held[0], p.held[1:]
	}
	p.mu.Unlock()
	if ack != nil {
		ack()
	}
}

// settler is the evil side of a delivery.
type settler struct {
	broker.Settler
	plant *Plant
}

// Ack may be held back, or settle another delivery.
func (s *settler) Ack(ctx context.Context, d *broker.Delivery) error {
	switch s.plant.name {
	case LateInEarly:
		s.plant.fired()
		s.plant.mu.Lock()
		s.plant.held = append(s.plant.held, func() { s.Settler.Ack(ctx, d) })
		s.plant.mu.Unlock()
		s.plant.letGo()
		return nil
	case NeighbourAcked:
		if other := s.plant.neighbour(d); other != nil {
			s.plant.fired()
			return unwrap(other.Settler).Ack(ctx, other)
		}
	case StaleHonoured:
		err := s.Settler.Ack(ctx, d)
		if errors.Is(err, broker.ErrStale) {
			s.plant.fired()
			return nil
		}
		return err
	case RetrySettled:
		if publish := s.plant.retryOf(d); publish != nil {
			return publish(ctx)
		}
	}
	return s.Settler.Ack(ctx, d)
}

// Requeue may be an acknowledgement.
func (s *settler) Requeue(ctx context.Context, d *broker.Delivery) error {
	if s.plant.name == RequeueForgotten {
		s.plant.fired()
		return s.Settler.Ack(ctx, d)
	}
	return s.Settler.Requeue(ctx, d)
}

// neighbour is another delivery that has arrived and was not used for this
// before: the newest.
func (p *Plant) neighbour(d *broker.Delivery) *broker.Delivery {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i := len(p.arrived) - 1; i >= 0; i-- {
		if other := p.arrived[i]; other != d && !other.Settled() {
			p.arrived = slices.Delete(p.arrived, i, i+1)
			return other
		}
	}
	return nil
}

func unwrap(s broker.Settler) broker.Settler {
	if evil, ok := s.(*settler); ok {
		return evil.Settler
	}
	return s
}

// deaf settles nothing.
type deaf struct{}

func (deaf) Ack(context.Context, *broker.Delivery) error            { return nil }
func (deaf) Requeue(context.Context, *broker.Delivery) error        { return nil }
func (deaf) Reject(context.Context, *broker.Delivery, string) error { return nil }
