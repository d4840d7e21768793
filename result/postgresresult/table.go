package postgresresult

import (
	"context"
	"fmt"
	"sync/atomic"
)

// tableText makes the tables. meta is Celery's JSON, as Redis would hold it; the
// other columns are for the rules of the contract and for people. A result
// without expires stays. The members of a chord go with it; one whose value is
// NULL has failed.
const tableText = `
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
CREATE INDEX IF NOT EXISTS acklab_results_expires ON acklab_results (expires) WHERE expires IS NOT NULL;
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

// table knows whether the tables have been seen.
type table struct {
	seen atomic.Bool
	turn chan struct{} // taken by who looks or makes it
}

func newTable() table { return table{turn: make(chan struct{}, 1)} }

// ensure makes the tables unless the last of them is there: a role that may not make
// tables can use those that somebody else has made. Of many that ask at once one looks, and the
// others wait for it no longer than their contexts allow.
func (s *Store) ensure(ctx context.Context) error {
	if s.table.seen.Load() {
		return nil
	}
	select {
	case s.table.turn <- struct{}{}:
		defer func() { <-s.table.turn }()
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	if s.table.seen.Load() {
		return nil
	}
	var there bool
	if err := s.pool.QueryRow(ctx, "SELECT to_regclass('acklab_chord_members') IS NOT NULL").Scan(&there); err != nil {
		return err
	}
	if !there {
		if err := s.makeTables(ctx); err != nil {
			return err
		}
	}
	s.table.seen.Store(true)
	return nil
}

func (s *Store) makeTables(ctx context.Context) error {
	tx, err := s.pool.Begin(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback(ctx) }() // after a commit it does nothing
	if _, err := tx.Exec(ctx, "SELECT pg_advisory_xact_lock($1)", int64(tableLock)); err != nil {
		return err
	}
	if _, err := tx.Exec(ctx, tableText); err != nil {
		return fmt.Errorf("make the tables acklab_results, acklab_chords and acklab_chord_members: %w", err)
	}
	return tx.Commit(ctx)
}

// unseen has the next call look for the tables again.
func (s *Store) unseen() { s.table.seen.Store(false) }
