package celery_test

import (
	"flag"
	"fmt"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"acklab/internal/celery"
	"acklab/internal/ledger"
	"acklab/task"
)

var pools = []celery.Pool{celery.Prefork, celery.Solo, celery.Threads}

// onBoth runs the test on both brokers.
func onBoth(t *testing.T, test func(t *testing.T, b *bench)) {
	t.Parallel()
	t.Run("redis", func(t *testing.T) { t.Parallel(); test(t, onRedis(t)) })
	t.Run("rabbitmq", func(t *testing.T) { t.Parallel(); test(t, onRabbit(t)) })
}

func TestOurMessagesRunAndTheLedgerTellsIt(t *testing.T) {
	onBoth(t, func(t *testing.T, b *bench) {
		for _, pool := range pools {
			for _, late := range []bool{false, true} {
				if late && pool != celery.Prefork && b.rabbit != nil {
					continue // each waits 10 or 20 s for Celery's loop to wake up
				}
				t.Run(fmt.Sprintf("%s/late=%v", pool, late), func(t *testing.T) { t.Parallel(); work(t, b, pool, late) })
			}
		}
	})
}

// work has one of each kind of task run.
func work(t *testing.T, b *bench, pool celery.Pool, late bool) {
	queue := fmt.Sprintf("work-%s-%v", pool, late)
	add, email := message(t, "add", 4, 4), message(t, "send_email", "grüße@例え.jp", 1)
	slow, broken, stranger := message(t, "sleep", 0.05), message(t, "panic", "on purpose"), message(t, "no_such_task")
	flaky, badly := message(t, "fail_n_times", 2), message(t, "add", 4)
	all := []*task.Message{add, email, slow, broken, stranger, flaky, badly}
	b.publish(t, queue, all...)
	w := b.start(t, queue, celery.Options{Pool: pool, AcksLate: late, Multiplier: 20, MaxRetries: 3, RetryDelay: 20 * time.Millisecond, ConfirmPublish: true})
	// 7 messages and 2 retries: 4 finish; 5 fail, 3 of them for good. One is
	// rejected; the others are acknowledged.
	w.await(ledger.Finished, 4)
	w.await(ledger.Failed, 5)
	w.await(ledger.AckSent, 8)
	w.await(ledger.Rejected, 1)
	f := w.stop()

	order := "received started finished"
	ran := []ledger.Event{ledger.Received, ledger.Started, ledger.Finished, ledger.Failed}
	for _, m := range []*task.Message{add, email, slow} {
		if got := events(f, m.TaskID, ran...); got != order {
			t.Errorf("%s: %s, want %s", m.Name, got, order)
		}
		r := f.Lines[slices.IndexFunc(f.Lines, func(l ledger.Line) bool { return l.Task == m.TaskID })]
		if r.Event != ledger.Received || r.Message != m.ID || r.Hash != m.Hash() || r.Name != m.Name || r.Queue != queue || r.Seen != "first" || r.Session != 1 {
			t.Errorf("%s was received as %+v", m.Name, r)
		}
		settled := events(f, m.TaskID, ledger.Finished, ledger.AckSending, ledger.AckSent)
		if want := "finished ack-sending ack-sent"; (late || pool == celery.Solo) && settled != want {
			t.Errorf("%s: %s, want %s", m.Name, settled, want)
		} else if want := "ack-sending ack-sent finished"; m == slow && pool == celery.Prefork && !late && settled != want {
			t.Errorf("%s: %s, want %s", m.Name, settled, want)
		}
	}
	if got, want := events(f, broken.TaskID, ran...), "received started failed"; got != want {
		t.Errorf("panic: %s, want %s", got, want)
	}
	if got, want := events(f, stranger.TaskID, ledger.Received, ledger.Failed, ledger.Rejecting, ledger.Rejected), "received failed rejecting rejected"; got != want {
		t.Errorf("a stranger: %s, want %s", got, want)
	}
	retried := append(ran, ledger.Attempted) // when it is confirmed may be after it has come back
	once := "received started failed attempted "
	if n := count(f, ledger.Confirmed); n != 2 {
		t.Errorf("%d retries are confirmed, want 2", n)
	}
	if got, want := events(f, flaky.TaskID, retried...), once+once+order; got != want {
		t.Errorf("fail_n_times: %s, want %s", got, want)
	}
	checkRetries(t, f, flaky)
	for _, l := range f.Lines {
		if l.Event == ledger.Failed && l.Final != (l.Task != flaky.TaskID) {
			t.Errorf("a failure for good is one that is not tried again: %+v", l)
		}
		if l.Event == ledger.Failed && l.Task == broken.TaskID && !strings.Contains(l.Reason, "on purpose") {
			t.Errorf("the planted break says %q", l.Reason)
		}
	}
	if left := b.held(t, queue); left != 0 {
		t.Errorf("the broker still holds %d messages", left)
	}
}

// checkRetries: a retry is received as it was published, under its own id, and not
// begun before its time.
func checkRetries(t *testing.T, f ledger.File, m *task.Message) {
	t.Helper()
	sent := map[string]ledger.Line{}
	for _, l := range f.Lines {
		switch {
		case l.Task != m.TaskID:
		case l.Event == ledger.Attempted:
			sent[l.Message] = l
		case l.Event == ledger.Received && l.Retries > 0:
			if s := sent[l.Message]; s.Retries != l.Retries || s.Hash != l.Hash || s.Queue != l.Queue {
				t.Errorf("a retry was published as %+v and received as %+v", s, l)
			}
		case l.Event == ledger.Started && sent[l.Message].ETA > l.Mono:
			t.Errorf("a retry began %v before its time", time.Duration(sent[l.Message].ETA-l.Mono))
		}
	}
	if len(sent) != 2 {
		t.Errorf("%d retries were published, want 2", len(sent))
	}
}

// every runs all cells of the crash test and not only those that differ.
var every = flag.Bool("every-crash", false, "crash at every checkpoint of every pool on every broker")

// crash is one cell. keeps: the broker still has the task afterwards.
type crash struct {
	pool  celery.Pool
	late  bool
	at    string
	keeps bool
}

// crashes are the cells that differ from one another; with -every-crash all.
func crashes() []crash {
	cells := []crash{
		{celery.Prefork, false, "started", false}, {celery.Prefork, false, "mid", false}, {celery.Prefork, false, "finished", false},
		{celery.Prefork, false, "result-stored", false}, {celery.Prefork, true, "started", true}, {celery.Prefork, true, "result-stored", true},
		{celery.Solo, false, "mid", true}, {celery.Solo, true, "finished", true}, {celery.Threads, false, "mid", false}, {celery.Threads, true, "mid", true},
	}
	if !*every {
		return cells
	}
	cells = nil
	for _, pool := range pools {
		for _, late := range []bool{false, true} {
			for _, at := range celery.Points {
				cells = append(cells, crash{pool, late, at, late || pool == celery.Solo})
			}
		}
	}
	return cells
}

func TestACrashEndsTheGroupAtItsCheckpoint(t *testing.T) {
	onBoth(t, func(t *testing.T, b *bench) {
		for _, c := range crashes() {
			t.Run(fmt.Sprintf("%s/late=%v/%s", c.pool, c.late, c.at), func(t *testing.T) { t.Parallel(); crashOnce(t, b, c) })
		}
	})
}

func crashOnce(t *testing.T, b *bench, c crash) {
	queue := fmt.Sprintf("crash-%s-%v-%s", c.pool, c.late, c.at)
	victim, next, last := message(t, "sleep", 0.05), message(t, "sleep", 0.05), message(t, "sleep", 0.05)
	b.publish(t, queue, victim, next, last)
	w := b.start(t, queue, celery.Options{Pool: c.pool, AcksLate: c.late, Multiplier: 3, CrashAt: c.at, PauseAt: "started"})
	w.await(ledger.Holding, 1)
	if c.pool != celery.Solo {
		// All are in its hands: on Redis a crash while kombu is between taking a
		// message from the list and noting it as unacknowledged loses that one.
		w.await(ledger.Received, 3)
	}
	w.send(syscall.SIGUSR1)
	f := w.crashed(c.at)
	if task := f.Lines[len(f.Lines)-1].Task; task != victim.TaskID {
		t.Errorf("it crashed at task %s, want the first, %s", task, victim.TaskID)
	}
	if n := count(f, ledger.Started); n != 1 {
		t.Errorf("%d tasks had begun, want 1", n)
	}
	want := 2
	if c.keeps {
		want = 3
	}
	b.awaitHeld(t, queue, want)
}

func TestAPausedTaskHoldsStillAndAPoliteStopGivesBackTheRest(t *testing.T) {
	onBoth(t, func(t *testing.T, b *bench) {
		// Under threads a polite stop waits 10 s for Celery's loop to wake up.
		for _, pool := range []celery.Pool{celery.Prefork, celery.Solo} {
			t.Run(string(pool), func(t *testing.T) { t.Parallel(); pauseAndStop(t, b, pool) })
		}
	})
}

func pauseAndStop(t *testing.T, b *bench, pool celery.Pool) {
	queue := "stop-" + string(pool)
	var all []*task.Message
	for range 6 {
		all = append(all, message(t, "noop"))
	}
	b.publish(t, queue, all...)
	w := b.start(t, queue, celery.Options{Pool: pool, AcksLate: true, Multiplier: 4, PauseAt: "started"})
	w.await(ledger.Holding, 1)
	if pool != celery.Solo {
		w.await(ledger.Received, 4)
	}
	w.send(syscall.SIGTERM)
	w.await(ledger.Draining, 1)
	w.send(syscall.SIGUSR1)
	f := w.ended()
	t.Logf("%s: received %d, finished %d, acked %d, given back %d, requeued %d, left %d", pool, count(f, ledger.Received),
		count(f, ledger.Finished), count(f, ledger.AckSent), count(f, ledger.GivenBack), count(f, ledger.Requeued), b.held(t, queue))
	over := count(f, ledger.AckSent) + count(f, ledger.GivenBack) + count(f, ledger.Requeued)
	if got := count(f, ledger.Received); got != over {
		t.Errorf("%d were received, %d settled or given back", got, over)
	}
	b.awaitHeld(t, queue, len(all)-count(f, ledger.AckSent))
}
