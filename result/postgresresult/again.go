package postgresresult

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5/pgconn"

	"acklab/result"
)

// undefinedTable is the SQLSTATE of a statement whose table is not there.
const undefinedTable = "42P01"

// bounded runs one statement of the tables as again does, within the patience of a client where
// ctx has no deadline, and says what its failure means.
func (s *Store) bounded(ctx context.Context, need *tables, statement func(context.Context) error) error {
	if s.life.Err() != nil {
		return result.ErrClosed
	}
	if _, ends := ctx.Deadline(); !ends {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, patience)
		defer cancel()
	}
	return s.unavailable(s.again(ctx, need, func() error { return statement(ctx) }))
}

// again runs a statement, and a second time where the first can have failed for
// what is mended by now: a connection that had died unnoticed, or a table that
// somebody has dropped. Each of ours can be repeated.
func (s *Store) again(ctx context.Context, need *tables, statement func() error) error {
	err := s.ensure(ctx, need)
	if err == nil {
		err = statement()
	}
	if err == nil || ctx.Err() != nil {
		return err
	}
	refusal, refused := errors.AsType[*pgconn.PgError](err)
	switch {
	case refused && refusal.Code == undefinedTable:
		need.seen.Store(false)
	case refused && !dying(refusal):
		return err
	default:
		s.pool.Reset() // its idle connections may have died with this one
	}
	if err := s.ensure(ctx, need); err != nil {
		return err
	}
	return statement()
}

// dying tells whether the server has ended the connection with this error: class
// 57P is an administrator's or a crash's.
func dying(e *pgconn.PgError) bool { return len(e.Code) == 5 && e.Code[:3] == "57P" }

// unavailable says what a failed statement means; nil stays nil.
func (s *Store) unavailable(err error) error {
	switch {
	case err == nil:
		return nil
	case s.life.Err() != nil:
		return result.ErrClosed
	}
	return result.Unavailable(err)
}
