package memoryresult

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"acklab/result"
)

// chord is what has joined one.
type chord struct {
	parts             map[int]result.Part
	failed            int
	last, firstFailed int       // -1: none yet
	expires           time.Time // zero: never
}

func (c *chord) gone(now time.Time) bool { return !c.expires.IsZero() && !now.Before(c.expires) }

// Join implements result.Store.
func (c *Store) Join(ctx context.Context, p result.Part) (result.Joined, error) {
	if err := errors.Join(p.Validate(), c.usable(ctx)); err != nil {
		return result.Joined{}, fmt.Errorf("join member %d of chord %s in memory: %w", p.Member, p.Chord, err)
	}
	p.Value = bytes.Clone(p.Value)
	return c.server.join(p, c.expires), nil
}

// Values implements result.Store.
func (c *Store) Values(ctx context.Context, chord string, size int) ([]json.RawMessage, error) {
	err := errors.Join(result.CheckChord(chord, size), c.usable(ctx))
	var values []json.RawMessage
	if err == nil {
		values, err = c.server.values(chord, size)
	}
	if err != nil {
		return nil, fmt.Errorf("get the values of chord %s from memory: %w", chord, err)
	}
	return values, nil
}

func (s *Server) join(p result.Part, expires time.Duration) result.Joined {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	sweepSome(s.chords, now)
	c := s.chords[p.Chord]
	if c == nil || c.gone(now) {
		c = &chord{parts: map[int]result.Part{}, last: -1, firstFailed: -1}
		s.chords[p.Chord] = c
	}
	if expires > 0 {
		c.expires = now.Add(expires)
	}
	if _, joined := c.parts[p.Member]; !joined {
		c.parts[p.Member] = p
		if p.Failed {
			if c.failed++; c.failed == 1 {
				c.firstFailed = p.Member
			}
		}
		if len(c.parts) == p.Size {
			c.last = p.Member
		}
	}
	return result.Joined{
		Members: len(c.parts), Failed: c.failed, Last: c.last == p.Member, FirstFailed: c.firstFailed == p.Member,
	}
}

func (s *Server) values(id string, size int) ([]json.RawMessage, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	values := make([]json.RawMessage, size)
	for i := range values {
		var part result.Part
		ok := false
		if c := s.chords[id]; c != nil && !c.gone(time.Now()) {
			part, ok = c.parts[i]
		}
		if !ok || part.Failed {
			return nil, result.NoValue(i)
		}
		if values[i] = bytes.Clone(part.Value); part.Value == nil {
			values[i] = json.RawMessage("null")
		}
	}
	return values, nil
}
