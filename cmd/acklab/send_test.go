package main

import (
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/uuid"

	"acklab/broker"
	"acklab/internal/ledger"
)

func TestSendPrintsTheIDOfATaskThatAWorkerThenRuns(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, url string) {
		b, c := newBox(t), dial(t, url)
		q, log := c.newQueue(), b.path("worker.jsonl")
		w := b.start("worker", "-b", url, "-Q", q, "--ledger", log)
		w.await(log, ledger.Consuming, 1)

		b.env = []string{"ACKLAB_BROKER_URL=" + url}
		s := b.run("send", "add", "[4, 4]", "-q", q)
		s.ended(0)
		id := strings.TrimSuffix(s.stdout.String(), "\n")
		if _, err := uuid.Parse(id); err != nil || s.stderr.Len() > 0 {
			t.Fatalf("send printed %q and said %q", &s.stdout, &s.stderr)
		}
		if l := w.await(log, ledger.Finished, 1)[0]; l.Task != id {
			t.Errorf("finished: %+v; want task %s", l, id)
		}
		if l := lines(t, log, ledger.Started); len(l) != 1 || l[0].Task != id {
			t.Errorf("started: %+v", l)
		}
		w.signal(syscall.SIGTERM)
		w.ended(0)
	})
}

func TestATaskWithACountdownDoesNotRunBefore(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, url string) {
		b, c := newBox(t), dial(t, url)
		q, log, sent := c.newQueue(), b.path("worker.jsonl"), b.path("send.jsonl")
		w := b.start("worker", "-b", url, "-Q", q, "--ledger", log)
		w.await(log, ledger.Consuming, 1)
		b.run("send", "noop", "-b", url, "-q", q, "--countdown", "1200ms", "--ledger", sent).ended(0)
		at := lines(t, sent, ledger.Attempted)[0]
		if wait := time.Duration(at.ETA - at.Mono); wait < time.Second || wait > 1200*time.Millisecond {
			t.Errorf("the ledger has it due %v after the attempt", wait)
		}
		c.put(q, "noop") // one that is not delayed runs in the meantime
		w.await(log, ledger.Finished, 2)
		runs := lines(t, log, ledger.Started)
		if len(runs) != 2 || runs[0].Task == at.Task || runs[1].Task != at.Task {
			t.Fatalf("it started %+v; want the one without a countdown first", runs)
		}
		if early := time.Duration(at.ETA - runs[1].Mono); early > 0 {
			t.Errorf("it started %v before its countdown was over", early)
		}
		w.signal(syscall.SIGTERM)
		w.ended(0)
	})
}

func TestATaskThatNoWorkerKnowsGoesToTheDeadLettersOfItsQueue(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, url string) {
		b, c := newBox(t), dial(t, url)
		q, log := c.newQueue(), b.path("worker.jsonl")
		b.run("producer", "-b", url, "-q", q, "--task", "of_somebody_else", "--ledger", b.path("producer.jsonl")).ended(0)
		id := lines(t, b.path("producer.jsonl"), ledger.Confirmed)[0].Task
		w := b.start("worker", "-b", url, "-Q", q, "--ledger", log)
		if l := w.await(log, ledger.Rejected, 1)[0]; l.Task != id {
			t.Errorf("rejected: %+v", l)
		}
		next := c.put(q, "noop")
		if l := w.await(log, ledger.Finished, 1)[0]; l.Task != next {
			t.Errorf("finished: %+v", l)
		}
		w.signal(syscall.SIGTERM)
		w.ended(0)
		held := c.holds(q)
		if h := held[id]; len(held) != 1 || h.State != broker.Dead || !strings.Contains(h.Reason, `unknown task "of_somebody_else"`) {
			t.Errorf("the broker holds %+v", held)
		}
	})
}
