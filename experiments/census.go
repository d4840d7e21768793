package experiments

import (
	"context"
	"time"

	"acklab/broker"
	"acklab/internal/ledger"
)

// censusWithin bounds the census of one trial.
const censusWithin = 60 * time.Second

// census writes down all that the broker still holds for the trial's queues,
// after the last consumer has gone, and what the broker itself says it holds
// just before. Its own reads may raise marks and counts, so nothing comes
// after it.
func (t *Trial) census(ctx context.Context) {
	if t.client == nil {
		return // the queue is inside a member: see ledger.Expect.QueueDiesWith
	}
	within, cancel := context.WithTimeout(ctx, censusWithin)
	defer cancel()
	for _, queue := range t.manifest.Queues {
		held, err := t.heldInAll(within, queue)
		if err != nil {
			t.note("depth", err)
			return
		}
		t.write(ledger.Line{Event: ledger.DepthSeen, Queue: queue, N: held})
		WriteCensus(within, t.ledger, t.client, queue)
	}
}

// WriteCensus takes the census of one queue into the ledger. What goes wrong
// is the reason of its closing line: then it is not complete.
func WriteCensus(ctx context.Context, w *ledger.Writer, b broker.Broker, queue string) {
	w.Write(ledger.Line{Event: ledger.CensusOpened, Queue: queue})
	n, reason := 0, ""
	for held, err := range b.Census(ctx, queue) {
		if err != nil {
			reason = err.Error()
			break
		}
		n++
		w.Write(ledger.Line{
			Event: ledger.Held, Queue: queue, Task: held.Message.TaskID, Message: held.Message.ID,
			State: string(held.State), Count: held.Count, Reason: held.Reason,
		})
	}
	w.Write(ledger.Line{Event: ledger.CensusClosed, Queue: queue, N: n, Reason: reason})
}
