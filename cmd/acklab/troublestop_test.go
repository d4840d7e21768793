package main

import (
	"strings"
	"syscall"
	"testing"

	"acklab/internal/ledger"
	"acklab/internal/server"
)

func TestAWorkerThatIsToldToStopInATroubleOfItsRedisEndsAndAnotherRunsTheRest(t *testing.T) {
	t.Parallel()
	for _, tr := range troubles {
		t.Run(tr.name, func(t *testing.T) {
			t.Parallel()
			r := ownRedis(t, server.RedisOptions{Persistence: server.AOFAlways})
			url := r.URL("") + "?visibility=5s&restore=500ms"
			b, c := newBox(t), dial(t, url)
			q, sent := c.newQueue(), b.path("producer.jsonl")
			work := func(log string) *running {
				return b.start("worker", "-b", url, "-Q", q, "-c", "4", "--acks-late", "--ledger", log)
			}
			b.run("producer", "-b", url, "-q", q, "-n", "200", "--task", "sleep", "--args", "[0.02]", "--ledger", sent).ended(0)
			one, two := b.path("one.jsonl"), b.path("two.jsonl")
			w := work(one)
			w.await(one, ledger.Finished, 20)

			tr.begin(t, r)
			w.signal(syscall.SIGTERM)
			// What it could not give back is said, and comes back with its lease.
			want := exitUnsettled
			if tr.gives {
				want = 0
			}
			if code, said := w.wait(), w.stderr.String(); code != want || (code != 0) != strings.Contains(said, "some may run again") {
				t.Errorf("it ended with %d and said:\n%s", code, said)
			}
			tr.end(t, r)

			w = work(two)
			c.emptied(w, q)
			w.signal(syscall.SIGTERM)
			w.ended(0)
			left := tasks(lines(t, sent, ledger.Confirmed))
			for _, l := range append(lines(t, one, ledger.Finished), lines(t, two, ledger.Finished)...) {
				delete(left, l.Task)
			}
			if len(left) > 0 {
				t.Errorf("%d confirmed tasks were not run: %v", len(left), left)
			}
			if held := c.holds(q); len(held) > 0 {
				t.Errorf("the broker holds %v", held)
			}
		})
	}
}
