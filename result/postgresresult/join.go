package postgresresult

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/jackc/pgx/v5"

	"acklab/result"
)

// freshText ends a chord that has expired and was not tidied away yet, so that a
// member which joins it now begins it anew. It runs in one transaction with joinText.
const freshText = "DELETE FROM acklab_chords WHERE chord = $1 AND expires <= now()"

// joinText notes that a member has ended, unless it is noted already, and counts
// it in the row of its chord, which is locked by that: whoever comes at the same
// moment sees the sum of both.
const joinText = `
WITH part AS (
	INSERT INTO acklab_chord_members (chord, member, value) VALUES ($1, $2, $4::json)
	ON CONFLICT DO NOTHING RETURNING 1
), new AS (
	SELECT count(*)::int4 AS n FROM part
)
INSERT INTO acklab_chords AS c (chord, joined, failed, last, first_failed, expires)
SELECT $1, n, CASE WHEN $4 IS NULL THEN n ELSE 0 END, CASE WHEN $3::int4 = n THEN $2 END,
	CASE WHEN $4 IS NULL AND n = 1 THEN $2 END, now() + make_interval(secs => $5::float8)
FROM new
ON CONFLICT (chord) DO UPDATE SET joined = c.joined + excluded.joined, failed = c.failed + excluded.failed,
	last = CASE WHEN excluded.joined > 0 AND c.joined + excluded.joined = $3::int4 THEN $2 ELSE c.last END,
	first_failed = coalesce(c.first_failed, excluded.first_failed), expires = excluded.expires
RETURNING joined, failed, coalesce(last = $2, false), coalesce(first_failed = $2, false)`

// valuesText fetches what the members of a chord have returned.
const valuesText = `
SELECT m.member, m.value::text FROM acklab_chord_members AS m JOIN acklab_chords AS c USING (chord)
WHERE m.chord = $1 AND m.member < $2 AND (c.expires IS NULL OR c.expires > now())`

// Join implements result.Store.
func (s *Store) Join(ctx context.Context, p result.Part) (result.Joined, error) {
	var joined result.Joined
	err := p.Validate()
	if err == nil {
		err = s.bounded(ctx, s.chords, func(ctx context.Context) error {
			var both pgx.Batch // without a BEGIN of its own it is one transaction
			both.Queue(freshText, p.Chord)
			both.Queue(joinText, p.Chord, p.Member, p.Size, valueText(p), s.seconds()).QueryRow(func(row pgx.Row) error {
				return row.Scan(&joined.Members, &joined.Failed, &joined.Last, &joined.FirstFailed)
			})
			return s.pool.SendBatch(ctx, &both).Close()
		})
	}
	if err != nil {
		return result.Joined{}, fmt.Errorf("join member %d of chord %s in %s: %w", p.Member, p.Chord, s.address.shown, err)
	}
	s.tidy()
	return joined, nil
}

// valueText is the value as the table holds it; SQL's NULL: the member has failed.
func valueText(p result.Part) *string {
	text := "null"
	switch {
	case p.Failed:
		return nil
	case p.Value != nil:
		text = string(p.Value)
	}
	return &text
}

// Values implements result.Store.
func (s *Store) Values(ctx context.Context, chord string, size int) ([]json.RawMessage, error) {
	err := result.CheckChord(chord, size)
	var values []json.RawMessage
	if err == nil {
		values = make([]json.RawMessage, size)
		err = s.bounded(ctx, s.chords, func(ctx context.Context) error {
			rows, err := s.pool.Query(ctx, valuesText, chord, size)
			if err != nil {
				return err
			}
			var member int
			var text *string
			_, err = pgx.ForEachRow(rows, []any{&member, &text}, func() error {
				if text != nil {
					values[member] = json.RawMessage(*text)
				}
				return nil
			})
			return err
		})
	}
	for i := 0; err == nil && i < size; i++ {
		if values[i] == nil {
			err = result.NoValue(i)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("get the values of chord %s from %s: %w", chord, s.address.shown, err)
	}
	return values, nil
}
