package worker

import (
	"context"
	"sync"
	"time"

	"acklab/internal/ledger"
)

// flushEvery is how often acknowledgements that were handed over are made
// sure of. It costs one round trip to the broker; the pause keeps that away
// from the throughput.
const flushEvery = 100 * time.Millisecond

// flusher remembers up to which line of the ledger acknowledgements were
// handed over, and up to which the broker is known to have processed them. A
// lost session takes its open acknowledgements with it: nothing that a later
// session says can be about them.
type flusher struct {
	mu            sync.Mutex
	session       int // of the newest acknowledgement
	lost          int // the newest session that was lost
	handed, known int64
}

func (f *flusher) handedOver(session int, line int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if session > f.lost {
		f.session, f.handed = max(f.session, session), max(f.handed, line)
	}
}

// lose gives up what is open of the session and of those before it.
func (f *flusher) lose(session int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.lost = max(f.lost, session); f.session <= f.lost {
		f.known = f.handed
	}
}

func (f *flusher) pending() (session int, line int64, some bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.session, f.handed, f.handed > f.known
}

// processed reports whether the session still stood, so that the flush was
// about its acknowledgements.
func (f *flusher) processed(session int, line int64) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if session <= f.lost {
		return false
	}
	f.known = max(f.known, line)
	return true
}

// flush makes sure of every acknowledgement handed over until now and writes
// acked. When it cannot be sure it writes ack-unsure, and never acked for
// those: a later flush that goes well is about later ones.
func (w *Worker) flush(ctx context.Context) {
	select {
	case w.flusher.turn <- struct{}{}:
		defer func() { <-w.flusher.turn }()
	case <-ctx.Done():
		return
	}
	session, line, some := w.flusher.pending()
	if !some {
		return
	}
	err := w.consumer.Flush(ctx)
	switch {
	case err != nil && ctx.Err() != nil: // nobody waits any more; the next flush tells
	case err != nil:
		w.log.Debug("flush of acknowledgements", "err", err)
		w.write(ledger.Line{Event: ledger.AckUnsure, Session: session, Upto: w.flusher.giveUp(), Reason: err.Error()})
	case w.flusher.processed(line):
		w.write(ledger.Line{Event: ledger.Acked, Session: session, Upto: line})
	}
}

// flushLoop flushes from time to time until ctx ends.
func (w *Worker) flushLoop(ctx context.Context) {
	tick := time.NewTicker(flushEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			w.flush(ctx)
		}
	}
}
