package redisbroker

import (
	"context"
	"errors"
	"testing"
)

func TestAFlushTellsEachFailureOnceAlsoWhereTheyWereFoundInAnotherOrder(t *testing.T) {
	t.Parallel()
	early, late := errors.New("the second settlement"), errors.New("the third settlement")
	c := &Consumer{}
	c.desk.handed = 2 // a Flush from here covers the second, and not the third
	c.decided(&hold{seq: 3}, late)
	c.decided(&hold{seq: 2}, early)
	if err := c.Flush(t.Context()); !errors.Is(err, early) || errors.Is(err, late) {
		t.Errorf("the first flush says %v", err)
	}
	c.desk.handed = 3
	if err := c.Flush(t.Context()); !errors.Is(err, late) || errors.Is(err, early) {
		t.Errorf("the second flush says %v", err)
	}
	if err := c.Flush(t.Context()); err != nil || len(c.desk.failed) != 0 {
		t.Errorf("a third flush says %v, %d are remembered", err, len(c.desk.failed))
	}
}

// Nobody may be there to hear what a flush says whose context has ended.
func TestAFlushThatIsCutShortLeavesItsFailuresToTheNext(t *testing.T) {
	t.Parallel()
	gone := errors.New("the first settlement")
	c := &Consumer{}
	c.desk.handed = 2
	c.desk.pending = []*hold{{seq: 2}}
	c.decided(&hold{seq: 1}, gone)
	ended, end := context.WithCancel(t.Context())
	end()
	if err := c.Flush(ended); !errors.Is(err, context.Canceled) {
		t.Errorf("the flush that is cut short says %v", err)
	}
	c.desk.pending = nil
	if err := c.Flush(t.Context()); !errors.Is(err, gone) {
		t.Errorf("the next flush says %v", err)
	}
	if err := c.Flush(t.Context()); err != nil || len(c.desk.failed) != 0 {
		t.Errorf("a third flush says %v, %d are remembered", err, len(c.desk.failed))
	}
}
