package redisbroker

import (
	"context"
	"fmt"
	"iter"
	"strconv"

	"acklab/broker"
)

// Census yields what the queue's lists, its delayed messages, its dead letters
// and the unacknowledged ones held, all at one moment. It consumes nothing.
// What is delayed and due counts as queued. A message that has no id is named
// after its place. The last value is an error when they could not be read.
func (b *Broker) Census(ctx context.Context, queue string) iter.Seq2[broker.Held, error] {
	return func(yield func(broker.Held, error) bool) {
		all, err := b.read(ctx, queue)
		if err == nil {
			err = b.each(all, queue, func(h broker.Held) bool { return yield(h, nil) })
		}
		if err != nil {
			yield(broker.Held{}, b.failed(fmt.Sprintf("census of queue %q", queue), err))
		}
	}
}

// snapshot is a queue at one moment: what the script says of it.
type snapshot struct {
	now           int64 // ms since 1970
	unacked, dead []any // tag, entry, tag, entry...; letters
	parts         [][]any
}

func (b *Broker) read(ctx context.Context, queue string) (s snapshot, err error) {
	answer, err := censusScript.Run(ctx, b.client, queueKeys(queue)).Slice()
	if err == nil && len(answer) != 3+2*len(steps) {
		err = fmt.Errorf("redis answered with %d parts", len(answer))
	}
	if err != nil {
		return s, err
	}
	s.now, _ = answer[0].(int64)
	for _, part := range answer[1:] {
		list, _ := part.([]any)
		s.parts = append(s.parts, list)
	}
	s.unacked, s.dead, s.parts = s.parts[0], s.parts[1], s.parts[2:]
	return s, nil
}

// queueKeys are the keys of a queue as the scripts that read all of it want
// them: unacked, unacked_index, the dead letters, then pairs of a list and its
// set of delayed messages.
func queueKeys(queue string) []string {
	keys := []string{unackedKey, indexKey, deadKey(queue)}
	for _, step := range steps {
		keys = append(keys, listKey(queue, step), delayedKey(queue, step))
	}
	return keys
}

// each calls yield with what is held until that returns false. The error is
// that of an entry of unacked that cannot be told to belong to another queue.
func (b *Broker) each(s snapshot, queue string, yield func(broker.Held) bool) error {
	for i, step := range steps {
		list, delayed := s.parts[2*i], s.parts[2*i+1]
		for at := len(list) - 1; at >= 0; at-- { // in the order in which they are taken
			if !yield(b.held(list[at], "", queue, broker.Queued, fmt.Sprintf("no-id-%s-%d", listKey(queue, step), at))) {
				return nil
			}
		}
		for at := 0; at+1 < len(delayed); at += 2 {
			state := broker.Delayed
			score, _ := delayed[at+1].(string)
			if due, err := strconv.ParseFloat(score, 64); err != nil || int64(due) <= s.now {
				state = broker.Queued
			}
			if !yield(b.held(delayed[at], "", queue, state, fmt.Sprintf("no-id-%s-%d", delayedKey(queue, step), at))) {
				return nil
			}
		}
	}
	for at := 0; at+1 < len(s.unacked); at += 2 {
		tag, _ := s.unacked[at].(string)
		value, _ := s.unacked[at+1].(string)
		e, err := readEntry([]byte(value))
		if err != nil {
			return fmt.Errorf("unacknowledged message %q: %w", tag, err)
		}
		if e.routingKey == queue && !yield(b.held(string(e.message), tag, queue, broker.Unacked, "")) {
			return nil
		}
	}
	for at, letter := range s.dead {
		if !yield(b.held(letter, "", queue, broker.Dead, fmt.Sprintf("no-id-%s-%d", deadKey(queue), at))) {
			return nil
		}
	}
	return nil
}

func (b *Broker) held(raw any, tag, queue string, state broker.State, substitute string) broker.Held {
	text, _ := raw.(string)
	m, _, reason, _ := b.decode([]byte(text), tag, queue, substitute)
	h := broker.Held{Message: m, Queue: queue, State: state}
	if state == broker.Dead {
		h.Reason = reason
	}
	return h
}
