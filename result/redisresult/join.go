package redisresult

import (
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"strconv"

	"github.com/redis/go-redis/v9"

	"acklab/result"
)

// chordPrefix is of the key of a chord. Celery counts the members of its chords
// under other keys, in another way (celery/backends/redis.py,
// on_chord_part_return), so the two never count each other's.
const chordPrefix = "acklab-chord-"

//go:embed join.lua
var joinText string

var joinScript = redis.NewScript(joinText)

// Join implements result.Store.
func (s *Store) Join(ctx context.Context, p result.Part) (result.Joined, error) {
	err := p.Validate()
	var joined result.Joined
	if err == nil {
		joined, err = call(ctx, s, func(ctx context.Context) (result.Joined, error) { return s.join(ctx, p) })
	}
	if err != nil {
		return result.Joined{}, fmt.Errorf("join member %d of chord %s in %s: %w", p.Member, p.Chord, s.address, err)
	}
	return joined, nil
}

func (s *Store) join(ctx context.Context, p result.Part) (result.Joined, error) {
	text := []byte("x")
	switch {
	case p.Failed:
	case p.Value == nil:
		text = []byte("vnull")
	default:
		text = append([]byte("v"), p.Value...)
	}
	ttl := strconv.FormatInt(s.address.expires.Milliseconds(), 10)
	now, err := joinScript.Run(ctx, s.client, []string{chordPrefix + p.Chord}, p.Member, text, p.Size, ttl).Int64Slice()
	switch {
	case err != nil:
		return result.Joined{}, s.unavailable(err)
	case len(now) != 4:
		return result.Joined{}, result.Unavailable(fmt.Errorf("the script answers %v", now))
	}
	return result.Joined{Members: int(now[0]), Failed: int(now[1]), Last: now[2] == 1, FirstFailed: now[3] == 1}, nil
}

// Values implements result.Store.
func (s *Store) Values(ctx context.Context, chord string, size int) ([]json.RawMessage, error) {
	err := result.CheckChord(chord, size)
	var values []json.RawMessage
	if err == nil {
		values, err = call(ctx, s, func(ctx context.Context) ([]json.RawMessage, error) { return s.values(ctx, chord, size) })
	}
	if err != nil {
		return nil, fmt.Errorf("get the values of chord %s from %s: %w", chord, s.address, err)
	}
	return values, nil
}

func (s *Store) values(ctx context.Context, chord string, size int) ([]json.RawMessage, error) {
	places := make([]string, size)
	for i := range places {
		places[i] = strconv.Itoa(i)
	}
	parts, err := s.client.HMGet(ctx, chordPrefix+chord, places...).Result()
	if err != nil {
		return nil, s.unavailable(err)
	}
	values := make([]json.RawMessage, size)
	for i, part := range parts {
		text, _ := part.(string)
		if len(text) < 2 || text[0] != 'v' {
			return nil, result.NoValue(i)
		}
		values[i] = json.RawMessage(text[1:])
	}
	return values, nil
}
