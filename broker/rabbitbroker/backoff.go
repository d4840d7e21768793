package rabbitbroker

import (
	"context"
	"math/rand/v2"
	"time"
)

// The pauses between attempts to connect again grow from backoffMin to
// backoffMax.
const (
	backoffMin = 20 * time.Millisecond
	backoffMax = 2 * time.Second
)

// backoff hands out growing pauses; the zero value begins anew.
type backoff struct{ next time.Duration }

// wait pauses for a random time between half of the next step and the whole,
// so that many clients do not come back in one moment. It reports false when
// ctx ended first.
func (b *backoff) wait(ctx context.Context) bool {
	b.next = min(max(b.next*2, backoffMin), backoffMax)
	t := time.NewTimer(b.next/2 + rand.N(b.next/2+1))
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
