package main

import (
	"fmt"
	"syscall"
	"testing"

	"acklab/internal/ledger"
	"acklab/internal/server"
)

func TestTasksGoOnWhileTheirResultStoreIsAwayAndWhatIsLostIsSaid(t *testing.T) {
	t.Parallel()
	for _, tr := range troubles {
		t.Run(tr.name, func(t *testing.T) {
			t.Parallel()
			const load, later = 200, 10
			store := ownRedis(t, server.RedisOptions{Persistence: server.AOFAlways})
			url := "redis://" + redisAddr(t) + "/1?visibility=10m"
			b, c := newBox(t), dial(t, url)
			q, log, sent := c.newQueue(), b.path("worker.jsonl"), b.path("producer.jsonl")
			b.run("producer", "-b", url, "-q", q, "-n", fmt.Sprint(load), "--task", "sleep", "--args", "[0.02]", "--ledger", sent).ended(0)
			w := b.start("worker", "-b", url, "-Q", q, "-c", "4", "--acks-late", "--result", "redis://"+store.Addr()+"/3", "--ledger", log)
			w.await(log, ledger.ResultStored, 20)

			tr.begin(t, store)
			w.await(log, ledger.ResultLost, 12) // of four slots: none of them is stuck
			tr.end(t, store)

			c.emptied(w, q)
			if left := missing(t, log, sent); len(left) > 0 {
				t.Errorf("%d confirmed tasks were not run: %v", len(left), left)
			}
			last := map[string]bool{}
			for range later {
				last[c.put(q, "noop")] = true
			}
			c.emptied(w, q)
			w.signal(syscall.SIGTERM)
			w.ended(0)
			stored, lost := lines(t, log, ledger.ResultStored), lines(t, log, ledger.ResultLost)
			if runs := len(lines(t, log, ledger.Finished)); runs != load+later || len(stored)+len(lost) != runs {
				t.Errorf("%d runs, %d results stored and %d lost; want one word on each of %d", runs, len(stored), len(lost), load+later)
			}
			for _, l := range lost {
				if last[l.Task] {
					t.Errorf("the store is back, and this result is lost: %+v", l)
				}
			}
			t.Logf("%d results lost of %d", len(lost), load+later)
			if bad := lines(t, log, ledger.Lost, ledger.AckUnsure, ledger.StaleAck); len(bad) > 0 {
				t.Errorf("the broker was there all the time, and the ledger says %+v", bad)
			}
		})
	}
}
