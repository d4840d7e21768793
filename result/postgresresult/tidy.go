package postgresresult

import (
	"context"
	"time"
)

// tidyText removes some of what has expired, and leaves alone what another client
// removes at this moment.
const tidyText = `
DELETE FROM acklab_results WHERE task_id IN (
	SELECT task_id FROM acklab_results WHERE expires <= now() ORDER BY expires LIMIT 1000 FOR UPDATE SKIP LOCKED);
DELETE FROM acklab_chords WHERE chord IN (
	SELECT chord FROM acklab_chords WHERE expires <= now() ORDER BY expires LIMIT 1000 FOR UPDATE SKIP LOCKED)`

// tidyPause is the time between two clean-ups of a client. What has expired is
// not shown to anybody before it is removed.
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
		if _, err := s.pool.Exec(ctx, tidyText); err != nil && s.life.Err() == nil {
			s.opts.Logger().Debug("cannot remove expired results", "store", s.address.shown, "err", err)
		}
	})
}
