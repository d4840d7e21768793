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

// misrouted are the messages, the first that is for one of the queues sent to the one
// after that. Where there are no others, none is.
func (p *Plant) misrouted(msgs []*task.Message) []*task.Message {
	if len(p.queues) < 2 {
		return msgs
	}
	i := slices.IndexFunc(msgs, func(m *task.Message) bool { return slices.Contains(p.queues, m.Queue) && p.once(1) })
	if i < 0 {
		return msgs
	}
	astray := *msgs[i]
	astray.Queue = p.queues[(slices.Index(p.queues, astray.Queue)+1)%len(p.queues)]
	msgs = slices.Clone(msgs)
	msgs[i] = &astray
	return msgs
}
