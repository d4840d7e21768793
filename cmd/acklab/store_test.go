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
			// With one that says nothing every task waits: all of them take too long.
			if !tr.mute {
				c.emptied(w, q)
			}
			w.rests(tr.name)
			before := len(lines(t, log, ledger.ResultStored))
			tr.end(t, store)

			c.emptied(w, q)
			// Who could not connect is told so for up to a second more, without
			// another attempt: the client library tries that often.
			between := 0
			if !eventually(func() bool {
				if len(lines(t, log, ledger.ResultStored)) > before {
					return true
				}
				c.put(q, "noop")
				between++
				c.emptied(w, q)
				return false
			}) {
				t.Fatalf("the store is back, and none of %d results is stored", between)
			}
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
			all := load + between + later
			stored, lost := lines(t, log, ledger.ResultStored), lines(t, log, ledger.ResultLost)
			if runs := len(lines(t, log, ledger.Finished)); runs != all || len(stored)+len(lost) != runs {
				t.Errorf("%d runs, %d results stored and %d lost; want one word on each of %d", runs, len(stored), len(lost), all)
			}
			for _, l := range lost {
				if last[l.Task] {
					t.Errorf("the store is back, and this result is lost: %+v", l)
				}
			}
			t.Logf("%d results lost of %d, %d tasks between the return of the store and the first that was stored", len(lost), all, between)
			if bad := lines(t, log, ledger.Lost, ledger.AckUnsure, ledger.StaleAck); len(bad) > 0 {
				t.Errorf("the broker was there all the time, and the ledger says %+v", bad)
			}
		})
	}
}
