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
// handed over, and up to which the broker is known to have processed them.
type flusher struct {
	mu            sync.Mutex
	session       int
	handed, known int64
}

func (f *flusher) handedOver(session int, line int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.session, f.handed = session, max(f.handed, line)
}

func (f *flusher) pending() (session int, line int64, some bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.session, f.handed, f.handed > f.known
}

func (f *flusher) processed(line int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.known = max(f.known, line)
}

// flush makes sure of every acknowledgement handed over until now and writes
// acked. When it cannot be sure it writes nothing: the absence is the truth.
func (w *Worker) flush(ctx context.Context) {
	session, line, some := w.flusher.pending()
	if !some {
		return
	}
	if err := w.consumer.Flush(ctx); err != nil {
		w.log.Debug("flush of acknowledgements", "err", err)
		return
	}
	w.write(ledger.Line{Event: ledger.Acked, Session: session, Upto: line})
	w.flusher.processed(line)
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
