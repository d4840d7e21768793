package worker_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"acklab/internal/ledger"
	"acklab/result"
	"acklab/task"
)

// deafStore is a store that takes nothing for the task b.
type deafStore struct{ inner }

func (d deafStore) Store(ctx context.Context, r result.Result) error {
	if r.TaskID == "b" {
		return result.Unavailable(errors.New("nobody answers"))
	}
	return d.inner.Store(ctx, r)
}

func TestWhatIsCalledOffAndCannotBeToldIsInTheLedger(t *testing.T) {
	inFlow(t, func(b *bench, s result.Store) {
		b.cfg.Results = deafStore{s}
		ignored := call("c", "same")
		ignored.Options.IgnoreResult = true
		b.flow(task.Chain(call("a", "boom"), call("b", "same"), ignored), 1)
		b.start()
		b.sleep(time.Minute)
		if l := b.one(ledger.Untold); l.Task != "b" || l.State != "FAILURE" {
			b.t.Errorf("untold: %+v", l)
		}
		if got := value(b.t, s, "c"); got != "PENDING" {
			b.t.Errorf("c ignores its result, which is %s", got)
		}
	})
}
