package postgresresult

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
)

// resultsText makes the table of results. meta is Celery's JSON, as Redis would
// hold it; the other columns are for the rules of the contract and for people. A
// result without expires stays.
const resultsText = `
CREATE TABLE IF NOT EXISTS acklab_results (
	task_id  text PRIMARY KEY,
	state    text NOT NULL,
	retries  integer NOT NULL,
	standing bigint NOT NULL,
	done     timestamptz,
	stored   timestamptz NOT NULL,
	expires  timestamptz,
	meta     json NOT NULL
);
CREATE INDEX IF NOT EXISTS acklab_results_expires ON acklab_results (expires) WHERE expires IS NOT NULL`

// chordsText makes the tables of chords. The members of a chord go with it; one
// whose value is NULL has failed.
const chordsText = `
CREATE TABLE IF NOT EXISTS acklab_chords (
	chord        text PRIMARY KEY,
	joined       integer NOT NULL,
	failed       integer NOT NULL,
	last         integer,
	first_failed integer,
	expires      timestamptz
);
CREATE INDEX IF NOT EXISTS acklab_chords_expires ON acklab_chords (expires) WHERE expires IS NOT NULL;
CREATE TABLE IF NOT EXISTS acklab_chord_members (
	chord  text NOT NULL REFERENCES acklab_chords ON DELETE CASCADE,
	member integer NOT NULL,
	value  json,
	PRIMARY KEY (chord, member)
)`

// tableLock is the advisory lock under which the tables are made: IF NOT EXISTS
// alone fails for one of two that make it at the same moment.
const tableLock = 0x61636b6c6162 // "acklab"

// tables are those that a statement needs, and whether they have been seen.
type tables struct {
	names []string
	text  string // makes them
	seen  atomic.Bool
	turn  chan struct{} // taken by who looks or makes them
}

func newTables(text string, names ...string) *tables {
	return &tables{names: names, text: text, turn: make(chan struct{}, 1)}
}

// ensure makes the tables unless all of them are there: a role that may not make
// tables can use those that somebody else has made. Of many that ask at once one
// looks, and the others wait for it no longer than their contexts allow.
func (s *Store) ensure(ctx context.Context, need *tables) error {
	if need.seen.Load() {
		return nil
	}
	select {
	case need.turn <- struct{}{}:
		defer func() { <-need.turn }()
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	if need.seen.Load() {
		return nil
	}
	var there bool
	const question = "SELECT bool_and(to_regclass(name) IS NOT NULL) FROM unnest($1::text[]) AS name"
	if err := s.pool.QueryRow(ctx, question, need.names).Scan(&there); err != nil {
		return err
	}
	if !there {
		if err := s.makeTables(ctx, need); err != nil {
			return err
		}
	}
	need.seen.Store(true)
	return nil
}

func (s *Store) makeTables(ctx context.Context, need *tables) error {
	tx, err := s.pool.Begin(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback(ctx) }() // after a commit it does nothing
	if _, err := tx.Exec(ctx, "SELECT pg_advisory_xact_lock($1)", int64(tableLock)); err != nil {
		return err
	}
	if _, err := tx.Exec(ctx, need.text); err != nil {
		return fmt.Errorf("make %s: %w", strings.Join(need.names, " and "), err)
	}
	return tx.Commit(ctx)
}
