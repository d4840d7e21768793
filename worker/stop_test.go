package worker_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"acklab/broker"
	"acklab/internal/ledger"
	"acklab/worker"
)

func TestAPoliteStopLetsARunningTaskEndAndGivesBackWhatHasNotBegun(t *testing.T) {
	bothModes(t, func(b *bench) {
		running := b.publish("sleep", 5)
		waits, also := b.publish("noop"), b.publish("noop")
		b.start()
		b.stop()
		b.settle()
		b.one(ledger.Draining)
		for _, m := range []string{waits.TaskID, also.TaskID} {
			if !slices.ContainsFunc(b.lines(ledger.GivenBack), func(l ledger.Line) bool { return l.Task == m }) {
				b.t.Errorf("task %s was not given back at once", m)
			}
		}
		if b.hasEnded() {
			b.t.Fatal("it did not wait for the running task")
		}
		b.publish("noop") // comes too late for this worker
		b.must("stop", b.wait())
		b.lived(waits, ledger.Received, ledger.GivenBack)
		life := b.life(running)
		if !slices.Contains(life, ledger.Finished) || !slices.Contains(life, ledger.AckSent) {
			b.t.Errorf("the running task came to %v", life)
		}
		b.holds(3, 0, 0)
		b.must("what is left in the ledger", b.cfg.Ledger.Err())
	})
}

func TestATaskLongerThanTheGracePeriodIsInterrupted(t *testing.T) {
	t.Parallel()
	for mode, c := range map[worker.AckMode]struct {
		life  []ledger.Event
		ready int
	}{
		worker.Early: {[]ledger.Event{ledger.Received, ledger.Accepted, ledger.AckSending, ledger.AckSent, ledger.Started, ledger.Interrupted}, 0},
		worker.Late:  {[]ledger.Event{ledger.Received, ledger.Accepted, ledger.Started, ledger.Requeuing, ledger.Requeued}, 1},
	} {
		t.Run(string(mode), func(t *testing.T) {
			inBubble(t, func(b *bench) {
				b.cfg.Ack = mode
				m := b.publish("sleep", 60)
				b.start()
				begin := time.Now()
				b.stop()
				b.must("stop", b.wait())
				if took := time.Since(begin); took != b.cfg.Grace {
					t.Errorf("the stop took %v; want the grace period of %v", took, b.cfg.Grace)
				}
				b.lived(m, c.life...)
				b.holds(c.ready, 0, 0)
			})
		})
	}
}

func TestAHandlerThatFinishesAlthoughInterruptedHasFinished(t *testing.T) {
	bothModes(t, func(b *bench) {
		b.handler("calm", func(ctx context.Context) error { <-ctx.Done(); return nil })
		b.publish("calm")
		b.start()
		b.end()
		b.one(ledger.Finished)
		b.holds(0, 0, 0)
	})
}

func TestAFailureBeforeTheStopIsAFailureAndNoInterruption(t *testing.T) {
	bothModes(t, func(b *bench) {
		b.handler("fail", func(context.Context) error { time.Sleep(3 * time.Second); return errBoom })
		b.publish("fail")
		b.start()
		b.end()
		b.one(ledger.Failed)
		b.holds(0, 0, 0)
	})
}

func TestNowStopsAtOnceWhateverTheGracePeriod(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ polite, now bool }{"a second word": {true, true}, "the only word": {false, true}} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(b *bench) {
				b.cfg.Ack, b.cfg.Grace = worker.Late, time.Hour
				b.publish("sleep", 3600)
				b.start()
				begin := time.Now()
				if c.polite {
					b.stop()
					b.sleep(time.Minute)
					if b.hasEnded() {
						t.Fatal("the polite stop did not wait")
					}
					begin = time.Now()
				}
				close(b.now)
				b.must("stop", b.wait())
				if took := time.Since(begin); took != 0 {
					t.Errorf("it took %v", took)
				}
				b.one(ledger.Requeued)
				b.holds(1, 0, 0)
			})
		})
	}
}

func TestAHandlerThatIgnoresItsContextIsLeftBehind(t *testing.T) {
	t.Parallel()
	for mode, ready := range map[worker.AckMode]int{worker.Early: 0, worker.Late: 1} {
		t.Run(string(mode), func(t *testing.T) {
			inBubble(t, func(b *bench) {
				b.cfg.Ack, b.cfg.Grace = mode, 0
				obey := make(chan struct{})
				b.handler("deaf", func(context.Context) error { <-obey; return nil })
				b.publish("deaf")
				b.start()
				begin := time.Now()
				b.stop()
				b.must("stop", b.wait())
				if took := time.Since(begin); took < time.Second || took > 5*time.Second {
					t.Errorf("it waited %v for a handler that does not obey", took)
				}
				b.holds(ready, 0, 0)
				close(obey)
				b.settle()
				b.holds(ready, 0, 0)
				if acks := len(b.lines(ledger.AckSent)); mode == worker.Late && acks != 0 {
					t.Error("a delivery that was given back was acknowledged")
				}
			})
		})
	}
}

func TestAnIdleWorkerStopsAtOnce(t *testing.T) {
	inBubble(t, func(b *bench) {
		b.start()
		begin := time.Now()
		b.stop()
		b.must("stop", b.wait())
		if took := time.Since(begin); took != 0 {
			t.Errorf("it took %v", took)
		}
	})
}

func TestAStaleEarlyAcknowledgementDoesNotRunTheHandler(t *testing.T) {
	inBubble(t, func(b *bench) {
		b.cfg.Pause = &worker.Trigger{At: worker.Fetched, Nth: 1}
		m := b.publish("noop")
		b.start()
		b.one(ledger.Holding)
		b.server.CloseConnections() // the broker takes it back and sends it again
		close(b.resume)
		b.settle()
		b.lived(m, ledger.Received, ledger.Accepted, ledger.Holding, ledger.Received, // twice here
			ledger.AckSending, ledger.StaleAck,
			ledger.Accepted, ledger.AckSending, ledger.AckSent, ledger.Started, ledger.Finished)
		if l := b.lines(ledger.Received)[1]; l.Seen != "again" || l.Count != 2 || l.Session != 2 {
			t.Errorf("the second delivery: %+v", l)
		}
		b.holds(0, 0, 0)
	})
}

func TestALateAcknowledgementThatComesTooLateLetsTheTaskRunAgain(t *testing.T) {
	inBubble(t, func(b *bench) {
		b.cfg.Ack = worker.Late
		m := b.publish("sleep", 1)
		b.start()
		b.server.CloseConnections()
		b.sleep(3 * time.Second)
		if n := len(b.lines(ledger.Finished)); n != 2 {
			t.Errorf("%v: finished %d times; want 2", b.life(m), n)
		}
		b.one(ledger.StaleAck)
		b.one(ledger.AckSent)
		b.holds(0, 0, 0)
	})
}

func TestWhatWaitedWhenTheSessionEndedIsDropped(t *testing.T) {
	inBubble(t, func(b *bench) {
		b.publish("sleep", 1)
		waits := b.publish("noop")
		b.start()
		b.server.CloseConnections()
		b.settle()
		b.lived(waits, ledger.Received, ledger.Dropped, ledger.Received)
	})
}

// deaf is a consumer whose broker does not answer its goodbye.
type deaf struct{ broker.Consumer }

func (d deaf) Close(ctx context.Context) error {
	return errors.Join(broker.ErrUnsure, d.Consumer.Close(ctx))
}

func TestAStopThatTheBrokerDoesNotAnswerIsUnsettled(t *testing.T) {
	inBubble(t, func(b *bench) {
		b.meddled(func(c broker.Consumer) broker.Consumer { return deaf{c} })
		b.start()
		b.stop()
		if err := b.wait(); !errors.Is(err, worker.ErrUnsettled) || !errors.Is(err, broker.ErrUnsure) {
			t.Errorf("it ended with: %v", err)
		}
	})
}
