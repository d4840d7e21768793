package main

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// TestAKilledRunLeavesNothingBehind kills `acklab run` at random moments.
func TestAKilledRunLeavesNothingBehind(t *testing.T) {
	t.Parallel()
	available(t)
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	var alive, most atomic.Int64
	t.Run("of twenty", func(t *testing.T) {
		for n := range 20 {
			moment := time.Duration(rng.Int64N(int64(7 * time.Second)))
			trials := rng.Uint64N(1 << 40)
			t.Run(fmt.Sprint(n), func(t *testing.T) {
				t.Parallel()
				b := newBox(t)
				p := wideRun(b, trials)
				select {
				case <-p.done:
					t.Fatalf("it ended by itself with %d:\n%s", p.code(), &p.stderr)
				case <-time.After(moment):
				}
				family := int64(len(mentioning(b.root)))
				p.signal(syscall.SIGKILL)
				begin := time.Now()
				p.ended(-int(syscall.SIGKILL))
				b.nothingLeft()
				t.Logf("killed after %v, %d processes, all gone after %v", moment.Round(time.Millisecond), family, time.Since(begin).Round(time.Millisecond))
				if family > 2 {
					alive.Add(1)
				}
				most.Store(max(most.Load(), family))
			})
		}
	})
	if !t.Failed() && alive.Load() < 10 {
		t.Errorf("only %d of 20 runs had servers or workers when they were killed (at most %d processes): the test shows little", alive.Load(), most.Load())
	}
}

func TestCtrlCEndsARunAndLeavesNothingBehind(t *testing.T) {
	t.Parallel()
	b := newBox(t)
	p := wideRun(b, 1)
	if !eventually(func() bool { return len(mentioning(b.root)) > 4 || !p.alive() }) {
		t.Fatal("it starts nothing")
	}
	if err := syscall.Kill(-p.cmd.Process.Pid, syscall.SIGINT); err != nil { // as a terminal does: the whole group
		t.Fatal(err)
	}
	begin := time.Now()
	p.ended(exitInterrupted)
	b.nothingLeft()
	t.Logf("gone after %v", time.Since(begin).Round(time.Millisecond))
	said := strings.Split(strings.TrimSpace(p.stderr.String()), "\n")
	if last := said[len(said)-1]; !strings.HasPrefix(last, "acklab: interrupted; what was written is in "+b.path("runs")) {
		t.Errorf("its last word is %q", last)
	}
}
