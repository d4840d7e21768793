package plant

import (
	"slices"

	"acklab/broker"
	"acklab/task"
)

// levelled are the messages without their priorities.
func (p *Plant) levelled(msgs []*task.Message) []*task.Message {
	all := slices.Clone(msgs)
	for i, m := range all {
		if m.Priority == 0 {
			continue
		}
		level := *m
		level.Priority = 0
		all[i] = &level
		p.fired()
	}
	return all
}

// inTurns is the subscription with queues that take turns, whatever was asked.
func (p *Plant) inTurns(s broker.Subscription) broker.Subscription {
	if len(s.Sources) < 2 {
		return s
	}
	p.fired()
	s.Order = broker.Weighted
	s.Sources = slices.Clone(s.Sources)
	for i := range s.Sources {
		s.Sources[i].Weight = 1
	}
	return s
}
