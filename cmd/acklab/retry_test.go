package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"acklab/internal/ledger"
)

func TestAWorkerRetriesAsItsFlagsSay(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, url string) {
		b, c := newBox(t), dial(t, url)
		q, log := c.newQueue(), b.path("worker.jsonl")
		c.put(q, "fail_n_times", 100)
		c.put(q, "fail_n_times", 2)
		c.put(q, "fail_n_times", 100, "fatal")
		w := b.start("worker", "-b", url, "-Q", q, "-c", "1", "--acks-late", "--max-retries", "3", "--retry-delay", "1s", "--ledger", log)
		w.await(log, ledger.Failed, 3+1+2+1)
		w.await(log, ledger.Finished, 1)
		w.signal(syscall.SIGTERM)
		w.ended(0)
		tries, final := map[string]int{}, map[string]bool{}
		for _, l := range lines(t, log, ledger.Failed, ledger.Finished) {
			tries[l.Task]++
			final[l.Task] = final[l.Task] || l.Final
		}
		var shown []string
		for id, n := range tries {
			shown = append(shown, fmt.Sprintf("%d %t", n, final[id]))
		}
		if got := strings.Join(shown, ", "); !sameWords(got, "4 true, 3 false, 1 true") {
			t.Errorf("tries, and whether they failed for good: %s", got)
		}
		if held := c.holds(q); len(held) != 0 {
			t.Errorf("the broker holds %v", held)
		}
		notEarly(t, log)
	})
}

func sameWords(a, b string) bool {
	count := func(s string) map[string]int {
		all := map[string]int{}
		for _, w := range strings.Split(s, ", ") {
			all[w]++
		}
		return all
	}
	return fmt.Sprint(count(a)) == fmt.Sprint(count(b))
}

// notEarly checks that no retry came before its ETA, nor a second and a half
// after it.
func notEarly(t *testing.T, log string) {
	t.Helper()
	due := map[string]int64{}
	for _, l := range lines(t, log, ledger.Attempted) {
		due[l.Message] = l.ETA
	}
	retries := 0
	for _, l := range lines(t, log, ledger.Started) {
		at, retry := due[l.Message]
		if !retry {
			continue
		}
		retries++
		if late := time.Duration(l.Mono - at); at == 0 || late < 0 {
			t.Errorf("a retry began %v after its ETA", late)
		} else {
			t.Logf("a retry began %v after its ETA", late)
		}
	}
	if retries == 0 {
		t.Error("nothing was retried")
	}
}

func TestAFlakyServiceIsRetriedUntilItAnswers(t *testing.T) {
	t.Parallel()
	var asked atomic.Int64
	flaky := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if asked.Add(1) < 3 {
			w.WriteHeader(http.StatusBadGateway)
		}
	}))
	t.Cleanup(flaky.Close)
	b := newBox(t)
	log := b.path("inprocess.jsonl")
	w := b.start("inprocess", "-n", "1", "-c", "1", "--task", "fetch_url", "--args", fmt.Sprintf("[%q]", flaky.URL), "--retry-backoff", "10ms", "--ledger", log)
	w.await(log, ledger.Finished, 1)
	w.signal(syscall.SIGTERM)
	w.ended(0)
	if n := asked.Load(); n != 3 {
		t.Errorf("it was asked %d times", n)
	}
}
