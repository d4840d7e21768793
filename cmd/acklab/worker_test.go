package main

import (
	"fmt"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"acklab/internal/ledger"
	"acklab/task"
	"acklab/worker"
)

// queues numbers the queues of tests.
var queues atomic.Int64

func TestAWorkerThatIsToldToStopUnderLoadGivesBackWhatItHasNotBegun(t *testing.T) {
	t.Parallel()
	for _, ack := range []worker.AckMode{worker.Early, worker.Late} {
		t.Run(string(ack), func(t *testing.T) {
			onEach(t, func(t *testing.T, url string) { stopUnderLoad(t, url, ack) })
		})
	}
}

func stopUnderLoad(t *testing.T, url string, ack worker.AckMode) {
	const load = 200
	b, c := newBox(t), dial(t, url)
	q := c.newQueue()
	b.env = []string{"ACKLAB_BROKER_URL=" + url}
	b.run("producer", "-q", q, "-n", fmt.Sprint(load), "--task", "sleep", "--args", "[0.02]", "--ledger", b.path("producer.jsonl")).ended(0)
	all := map[string]bool{}
	for _, l := range lines(t, b.path("producer.jsonl"), ledger.Confirmed) {
		all[l.Task] = true
	}
	if len(all) != load {
		t.Fatalf("%d of %d confirmed", len(all), load)
	}

	w := b.start("worker", "-Q", q, "-c", "2", fmt.Sprintf("--acks-late=%t", ack == worker.Late), "--ledger", b.path("worker.jsonl"))
	w.await(b.path("worker.jsonl"), ledger.Started, 20)
	w.signal(syscall.SIGTERM)
	w.ended(0)

	f, err := ledger.Read(b.path("worker.jsonl"))
	if err != nil || f.Damage != "" || f.Torn || !f.Closed() {
		t.Fatalf("the worker's ledger: %v, %q, torn %t, closed %t", err, f.Damage, f.Torn, f.Closed())
	}
	done := map[string]int{}
	for _, l := range f.Lines {
		switch l.Event {
		case ledger.Finished:
			done[l.Task]++
		case ledger.AckUnsure, ledger.StaleAck, ledger.Interrupted, ledger.Failed, ledger.Lost:
			t.Errorf("the ledger says %s: %+v", l.Event, l)
		}
	}
	if len(lines(t, b.path("worker.jsonl"), ledger.Draining)) != 1 {
		t.Error("it did not say that it drains")
	}
	held := c.holds(q)
	for id := range all {
		if _, back := held[id]; done[id]+btoi(back) != 1 {
			t.Errorf("task %s finished %d times and is held: %t", id, done[id], back)
		}
	}
	if len(held) == 0 || len(done)+len(held) != load {
		t.Errorf("%d finished and %d held of %d", len(done), len(held), load)
	}
	t.Logf("%d finished, %d held", len(done), len(held))
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

func TestASecondSignalOrSIGQUITStopsAtOnce(t *testing.T) {
	t.Parallel()
	for _, ack := range []worker.AckMode{worker.Early, worker.Late} {
		for name, polite := range map[string]syscall.Signal{"SIGTERM twice": syscall.SIGTERM, "SIGINT, then SIGTERM": syscall.SIGINT, "SIGQUIT": 0} {
			t.Run(fmt.Sprintf("%s %s", name, ack), func(t *testing.T) {
				onEach(t, func(t *testing.T, url string) { stopAtOnce(t, url, ack, polite) })
			})
		}
	}
}

func stopAtOnce(t *testing.T, url string, ack worker.AckMode, polite syscall.Signal) {
	b, c := newBox(t), dial(t, url)
	q, log := c.newQueue(), b.path("worker.jsonl")
	id := c.put(q, "sleep", 3600)
	w := b.start("worker", "-b", url, "-Q", q, "-c", "1", fmt.Sprintf("--acks-late=%t", ack == worker.Late), "--grace", "1h", "--ledger", log)
	w.await(log, ledger.Started, 1)
	last := syscall.SIGQUIT
	if polite != 0 {
		w.signal(polite)
		w.await(log, ledger.Draining, 1)
		select {
		case <-w.done:
			t.Fatal("a polite stop did not wait for the running task")
		case <-time.After(300 * time.Millisecond):
		}
		last = syscall.SIGTERM
	}
	begin := time.Now()
	w.signal(last)
	w.ended(0)
	if took := time.Since(begin); took > patience/2 {
		t.Errorf("it took %v", took)
	}
	held := c.holds(q)
	if _, back := held[id]; back != (ack == worker.Late) || len(held) > 1 {
		t.Errorf("under %s acknowledgement the broker holds %d tasks", ack, len(held))
	}
	over := map[worker.AckMode]ledger.Event{worker.Early: ledger.Interrupted, worker.Late: ledger.Requeued}[ack]
	if n := len(lines(t, log, over)); n != 1 {
		t.Errorf("%d lines %s", n, over)
	}
}

func TestAWorkerDiesAtTheCheckpointItWasToldTo(t *testing.T) {
	t.Parallel()
	for _, ack := range []worker.AckMode{worker.Early, worker.Late} {
		for _, point := range worker.Points(ack) {
			t.Run(fmt.Sprintf("%s %s", ack, point), func(t *testing.T) {
				onEach(t, func(t *testing.T, url string) {
					b, c := newBox(t), dial(t, url)
					q := c.newQueue()
					name, arg := taskFor(point)
					var id string
					if point == worker.LinksSent {
						first, err := task.NewSignature(name, task.Options{}, arg)
						if err != nil {
							t.Fatal(err)
						}
						plan, _ := c.flow(task.Chain(first, adding(t, 1)), task.Options{Queue: q})
						id = plan.Root
					} else {
						id = c.put(q, name, arg)
					}
					c.put(q, "noop")
					diesAt(b, point, id, "worker", "-b", url, "-Q", q, "-c", "1", "--max-retries", "1", fmt.Sprintf("--acks-late=%t", ack == worker.Late))
				})
				t.Run("memory", func(t *testing.T) {
					t.Parallel()
					if point == worker.LinksSent {
						t.Skip("inprocess publishes no workflows")
					}
					name, arg := taskFor(point)
					diesAt(newBox(t), point, "", "inprocess", "-n", "2", "-c", "1", "--max-retries", "1", "--task", name, "--args", fmt.Sprintf("[%v]", arg), fmt.Sprintf("--acks-late=%t", ack == worker.Late))
				})
			})
		}
	}
}

// taskFor is a task that meets the checkpoint.
func taskFor(point worker.Point) (name string, arg float64) {
	if point == worker.Failed || point == worker.RetrySent {
		return "fail_n_times", 1
	}
	return "sleep", 0.01
}

// diesAt runs a worker into the checkpoint of the task with the id, or of its
// first one.
func diesAt(b *box, point worker.Point, id string, args ...string) {
	b.t.Helper()
	log := b.path("victim.jsonl")
	if id != "" && point != worker.BeforeFetch {
		args = append(args, "--crash-task", id)
	}
	if point == worker.ResultStored {
		args = append(args, "--result", "memory://")
	}
	b.run(append(args, "--crash-at", string(point), "--ledger", log)...).ended(-int(syscall.SIGKILL))
	f, err := ledger.Read(log)
	if err != nil || f.Damage != "" || f.Torn {
		b.t.Fatalf("the ledger: %v, %q, torn %t", err, f.Damage, f.Torn)
	}
	last := f.Lines[len(f.Lines)-1]
	if last.Event != ledger.Checkpoint || last.Point != string(point) || point != worker.BeforeFetch && id != "" && last.Task != id {
		b.t.Errorf("its last line is %+v", last)
	}
}

func TestAPausedWorkerGoesOnAfterSIGUSR1(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, url string) {
		b, c := newBox(t), dial(t, url)
		q, log := c.newQueue(), b.path("worker.jsonl")
		c.put(q, "noop")
		c.put(q, "noop")
		w := b.start("worker", "-b", url, "-Q", q, "-c", "1", "--pause-at", "started", "--crash-nth", "2", "--ledger", log)
		w.await(log, ledger.Holding, 1)
		if n := len(lines(t, log, ledger.Finished)); n != 1 {
			t.Errorf("%d tasks are finished; want the one before", n)
		}
		w.signal(syscall.SIGUSR1)
		w.await(log, ledger.Finished, 2)
		w.signal(syscall.SIGTERM)
		w.ended(0)
	})
}
