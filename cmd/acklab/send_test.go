package main

import (
	"strings"
	"syscall"
	"testing"

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
