package worker

import (
	"context"
	"errors"
	"sync"
	"time"

	"acklab/internal/ledger"
)

// flushEvery is how often acknowledgements that were handed over are made
// sure of. It costs one round trip to the broker; the pause keeps that away
// from the throughput.
const flushEvery = 100 * time.Millisecond

// flusher remembers up to which line of the ledger acknowledgements were
// handed over, and up to which their fate is decided: the broker is known to
// have processed them, or it can never be known.
type flusher struct {
	// turn lets one flush through at a time: a driver may tell only one caller
	// that settlements went down with a session.
	turn chan struct{}

	mu            sync.Mutex
	outlive       bool // deliveries end with their lease, and not with their session
	session       int
	ended         int // sessions up to this one are over
	handed, known int64
	givenUp       int // how often a flush has given up
}

// leased says that deliveries outlive their session: what was handed over in one
// that has ended is still for the driver to bring to the broker.
func (f *flusher) leased() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.outlive = true
}

// before is asked before a settlement is handed over. dead: the deliveries of the
// session have ended with it. givenUp is for handedOver.
func (f *flusher) before(session int) (dead bool, givenUp int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return session <= f.ended && !f.outlive, f.givenUp
}

// handedOver has the line of a settlement written and remembers it. It says why not,
// and has nothing written, when the session is over, or a flush has given up since
// before: what became of the settlement may have been said by then, and no later line
// may seem to cover this one.
func (f *flusher) handedOver(session, givenUp int, write func() int64) (doubt string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case session <= f.ended && !f.outlive:
		return "the session ended as it was handed over"
	case givenUp != f.givenUp:
		return "a flush failed as it was handed over"
	}
	f.session, f.handed = session, max(f.handed, write())
	return ""
}

func (f *flusher) pending() (session int, line int64, some bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.session, f.handed, f.handed > f.known
}

// processed reports false when the line was given up meanwhile.
func (f *flusher) processed(line int64) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if line <= f.known {
		return false
	}
	f.known = line
	return true
}

// giveUp decides that the fate of all that was handed over stays unknown, also of
// what came after the flush had begun: it may be what the driver has told of, and
// a driver tells once.
func (f *flusher) giveUp() (upto int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.givenUp++
	f.known = f.handed
	return f.known
}

// over is giveUp for a session that has ended, with its deliveries; some: there
// was something to give up.
func (f *flusher) over(session int) (upto int64, some bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.ended = max(f.ended, session)
	if f.session > f.ended || f.outlive || f.known == f.handed {
		return 0, false
	}
	f.known = f.handed
	return f.known, true
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
	case err != nil && ctx.Err() != nil && errors.Is(err, ctx.Err()): // cut short: what the driver knows is for the next
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
