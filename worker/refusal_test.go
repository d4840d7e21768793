package worker_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"acklab/broker"
	"acklab/internal/ledger"
	"acklab/task"
	"acklab/worker"
)

// bothModes runs a test under early and under late acknowledgement.
func bothModes(t *testing.T, test func(*bench)) {
	t.Helper()
	t.Parallel()
	for _, mode := range []worker.AckMode{worker.Early, worker.Late} {
		t.Run(string(mode), func(t *testing.T) {
			inBubble(t, func(b *bench) {
				b.cfg.Ack = mode
				test(b)
			})
		})
	}
}

// parked checks that one task is dead for a reason, and that nothing ran.
func (b *bench) parked(reason string) {
	b.t.Helper()
	b.holds(0, 0, 1)
	for what, got := range map[string]string{
		"the dead letter":    strings.Join(b.deadReasons(), ", "),
		"the line rejecting": b.one(ledger.Rejecting).Reason,
	} {
		if !strings.Contains(got, reason) {
			b.t.Errorf("%s says %q; want %q in it", what, got, reason)
		}
	}
	if ran := b.lines(ledger.Started, ledger.AckSending); len(ran) > 0 {
		b.t.Errorf("it was run or acknowledged: %+v", ran)
	}
	b.alive()
}

// alive checks that the worker still runs tasks.
func (b *bench) alive() {
	b.t.Helper()
	m := b.publish("noop")
	b.settle()
	if life := b.life(m); len(life) == 0 || b.lines(ledger.Finished)[len(b.lines(ledger.Finished))-1].Task != m.TaskID {
		b.t.Errorf("the next task came to %v", life)
	}
}

func TestAnUnknownTaskGoesToTheDeadLettersAndItsNameIsSaid(t *testing.T) {
	bothModes(t, func(b *bench) {
		m := b.publish("nobody_knows")
		b.start()
		b.lived(m, ledger.Received, ledger.Accepted, ledger.Rejecting, ledger.Rejected)
		b.parked("nobody_knows")
	})
}

func TestAMalformedMessageGoesToTheDeadLetters(t *testing.T) {
	bothModes(t, func(b *bench) {
		b.must("put", b.server.PutRaw(queue, []byte("what is this")))
		b.start()
		b.parked("not a task message")
	})
}

func TestWhereNobodyHoldsDelaysATaskForLaterGoesToTheDeadLettersAndTheMomentIsSaid(t *testing.T) {
	bothModes(t, func(b *bench) {
		eta := time.Now().Add(time.Minute)
		b.early(b.publish("noop"), eta)
		b.delays(broker.Absent)
		b.start()
		b.parked(eta.Format(time.RFC3339))
	})
}

func TestATaskWhoseTimeHasComeRuns(t *testing.T) {
	bothModes(t, func(b *bench) {
		m := b.publishWith(task.Options{Queue: queue, ETA: time.Now(), Expires: time.Now().Add(time.Minute)}, "noop")
		b.start()
		if b.one(ledger.Finished).Task != m.TaskID {
			b.t.Error("another task finished")
		}
	})
}

func TestAnExpiredTaskIsNotRunAndIsAcknowledged(t *testing.T) {
	bothModes(t, func(b *bench) {
		m := b.publishWith(task.Options{Queue: queue, Expires: time.Now().Add(time.Second)}, "noop")
		b.sleep(2 * time.Second)
		b.start()
		b.lived(m, ledger.Received, ledger.Accepted, ledger.Expired, ledger.AckSending, ledger.AckSent)
		b.holds(0, 0, 0)
		b.alive()
	})
}

func TestAFailureIsFinalAcknowledgedAndNotTriedAgain(t *testing.T) {
	t.Parallel()
	for mode, want := range map[worker.AckMode][]ledger.Event{
		worker.Early: {ledger.Received, ledger.Accepted, ledger.AckSending, ledger.AckSent, ledger.Started, ledger.Failed},
		worker.Late:  {ledger.Received, ledger.Accepted, ledger.Started, ledger.Failed, ledger.AckSending, ledger.AckSent},
	} {
		t.Run(string(mode), func(t *testing.T) {
			inBubble(t, func(b *bench) {
				b.cfg.Ack = mode
				b.handler("fail", func(context.Context) error { return errBoom })
				m := b.publish("fail")
				b.start()
				b.lived(m, want...)
				if l := b.one(ledger.Failed); !l.Final || l.Reason != "boom" || l.Name != "fail" || l.Message != m.ID || l.Queue != queue {
					t.Errorf("failed: %+v", l)
				}
				b.sleep(time.Hour)
				b.holds(0, 0, 0)
				b.lived(m, want...)
				b.alive()
			})
		})
	}
}

// fallOver is in the stack that the ledger shows.
func fallOver(context.Context) error { panic("the ground is gone") }

func TestAPanicIsAFailureWithItsStackAndTheWorkerGoesOn(t *testing.T) {
	bothModes(t, func(b *bench) {
		b.handler("panic", fallOver)
		b.publish("panic")
		b.start()
		l := b.one(ledger.Failed)
		if !l.Final || !strings.Contains(l.Reason, "panic: the ground is gone") || !strings.Contains(l.Reason, "worker_test.fallOver") {
			b.t.Errorf("failed: %+v", l)
		}
		b.holds(0, 0, 0)
		b.alive()
	})
}

func TestATaskBeyondItsHardLimitIsStoppedAndFailed(t *testing.T) {
	bothModes(t, func(b *bench) {
		b.publishWith(task.Options{Queue: queue, HardLimit: 3 * time.Second}, "sleep", 60)
		b.start()
		b.sleep(3*time.Second - time.Millisecond)
		if n := len(b.lines(ledger.Failed)); n != 0 {
			b.t.Fatal("it was stopped before its time")
		}
		b.sleep(time.Millisecond)
		if l := b.one(ledger.Failed); !l.Final || !strings.Contains(l.Reason, "deadline exceeded") {
			b.t.Errorf("failed: %+v", l)
		}
		b.sleep(time.Second)
		b.holds(0, 0, 0)
		b.alive()
	})
}

func TestATaskWithinItsHardLimitFinishes(t *testing.T) {
	bothModes(t, func(b *bench) {
		b.publishWith(task.Options{Queue: queue, HardLimit: 3 * time.Second}, "sleep", 2)
		b.start()
		b.sleep(2 * time.Second)
		b.one(ledger.Finished)
	})
}
