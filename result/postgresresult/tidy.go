package postgresresult

import (
	"context"
	"time"
)

// tidyResults and tidyChords remove some of what has expired, and leave alone what
// another client removes at this moment. The members of a chord go with it, so
// chords are taken until they have so many members.
const (
	tidyResults = `
DELETE FROM acklab_results WHERE task_id IN (
	SELECT task_id FROM acklab_results WHERE expires <= now() ORDER BY expires LIMIT 1000 FOR UPDATE SKIP LOCKED)`
	tidyChords = `
DELETE FROM acklab_chords WHERE chord IN (
	SELECT chord FROM (
		SELECT chord, sum(joined) OVER (ORDER BY expires, chord) - joined AS before FROM (
			SELECT chord, expires, joined FROM acklab_chords WHERE expires <= now() ORDER BY expires LIMIT 1000 FOR UPDATE SKIP LOCKED
		) AS gone
	) AS counted WHERE before < 10000)`
)

// tidyPause is the time between two clean-ups of a client. What has expired is
// not shown to anybody before it is removed, and a member that joins a chord which has
// expired begins it anew.
const tidyPause = time.Minute

// tidy begins a clean-up beside the calls, if it is time. A client that stores
// nothing cleans nothing up.
func (s *Store) tidy() {
	now := time.Now().UnixNano()
	last := s.tidied.Load()
	if s.address.expires == 0 || now-last < int64(tidyPause) || !s.tidied.CompareAndSwap(last, now) {
		return
	}
	s.work.Go(func() {
		ctx, cancel := context.WithTimeout(s.life, patience)
		defer cancel()
		for _, of := range []struct {
			tables *tables
			text   string
		}{{s.results, tidyResults}, {s.chords, tidyChords}} {
			if !of.tables.seen.Load() {
				continue // this client has put nothing there
			}
			if _, err := s.pool.Exec(ctx, of.text); err != nil && s.life.Err() == nil {
				s.opts.Logger().Debug("cannot remove what has expired", "store", s.address.shown, "table", of.tables.names[0], "err", err)
			}
		}
	})
}
