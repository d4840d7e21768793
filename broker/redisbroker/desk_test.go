package redisbroker

import (
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
