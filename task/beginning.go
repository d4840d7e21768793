package task

import (
	"encoding/json"
	"fmt"
	"slices"
)

// beginning makes the messages by which a workflow begins.
type beginning struct {
	// alone are the links of a task that has none but the callback of its chord, by
	// that: its members share the bytes.
	alone map[*Signature][]byte
}

// messages are those by which s begins, given the arguments; rest are the steps
// that follow it in its chain.
func (b *beginning) messages(s *Signature, given []json.RawMessage, rest []*Signature) ([]*Message, error) {
	if err := s.announce(); err != nil {
		return nil, err
	}
	if s.Shape != Single && !s.Immutable {
		given = slices.Concat(given, s.Args)
	}
	switch s.Shape {
	case ChainShape:
		return b.messages(s.Tasks[0], given, s.Tasks[1:])
	case ChordShape:
		if len(s.Tasks) == 0 {
			return b.messages(s.Body, []json.RawMessage{json.RawMessage("[]")}, nil)
		}
		fallthrough
	case GroupShape:
		var all []*Message
		for _, member := range s.Tasks {
			some, err := b.messages(member, given, nil)
			if err != nil {
				return nil, err
			}
			all = append(all, some...)
		}
		return all, nil
	}
	m := s.message(given)
	var err error
	if m.Embed, err = b.embed(s, rest); err != nil {
		return nil, fmt.Errorf("the links of task %q: %w", s.Name, err)
	}
	if size := len(m.Embed); size > MaxSize {
		return nil, fmt.Errorf("task %q: what follows it takes %d bytes in its message, at most %d are possible", s.Name, size, MaxSize)
	}
	return []*Message{m}, nil
}

// announce has the tasks that the members of a chord end with know its callback:
// the chord begins. Each holds all of it, so its size counts as often.
func (s *Signature) announce() error {
	if len(s.ends) == 0 {
		return nil
	}
	callback, err := json.Marshal(s.Body)
	if err != nil {
		return fmt.Errorf("the callback of a chord: %w", err)
	}
	if size := len(callback) * len(s.ends); size > maxCallbacks {
		return fmt.Errorf("a chord whose callback, with all that follows it, takes %d bytes in each of %d members, at most %d are possible together", len(callback), len(s.ends), maxCallbacks)
	}
	for _, end := range s.ends {
		end.chord = s.Body
	}
	return nil
}

// embed is what the message of s says about what follows it; nil: nothing does.
func (b *beginning) embed(s *Signature, rest []*Signature) ([]byte, error) {
	linked := len(s.Link)+len(s.LinkError)+len(rest) > 0
	if !linked && s.chord == nil {
		return nil, nil
	}
	if known := b.alone[s.chord]; known != nil && !linked {
		return known, nil
	}
	embed, err := json.Marshal(Links{Callbacks: s.Link, Errbacks: s.LinkError, Chain: rest, Chord: s.chord})
	if !linked && err == nil {
		if b.alone == nil {
			b.alone = map[*Signature][]byte{}
		}
		b.alone[s.chord] = embed
	}
	return embed, err
}
