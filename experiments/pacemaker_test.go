package experiments

import (
	"context"
	"testing"
	"testing/synctest"
	"time"
)

func TestThePacemakerOfAMachineThatIsNeverLateMeasuresNothing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second+paceEvery/2)
		defer cancel()
		if late := pace(ctx); late != 0 {
			t.Errorf("%s late", late)
		}
		if ctx.Err() == nil {
			t.Error("it ended before it was told")
		}
	})
}
