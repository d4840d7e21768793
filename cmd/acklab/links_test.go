package main

import (
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/uuid"

	"acklab/internal/connect"
	"acklab/internal/ledger"
	"acklab/result"
	"acklab/task"
	"acklab/worker"
)

// returning are systems that give back what a dead worker held within a second.
var returning = []system{
	{"redis", func(t *testing.T) string { return "redis://" + redisAddr(t) + "/1?visibility=1s&restore=1s" }},
	{"rabbitmq", func(t *testing.T) string { return "amqp://guest:guest@" + rabbitAddr(t) + "/" }},
}

// flow publishes a workflow and returns its tasks in their order.
func (c *client) flow(s *task.Signature, opts task.Options) (*task.Plan, []string) {
	c.t.Helper()
	p, err := s.Plan(opts)
	if err != nil {
		c.t.Fatal(err)
	}
	for _, err := range c.Publish(within(c.t), p.First...) {
		if err != nil {
			c.t.Fatal(err)
		}
	}
	var ids []string
	for _, step := range p.Owed {
		ids = append(ids, step.Task)
	}
	return p, ids
}

func adding(t *testing.T, n int) *task.Signature {
	t.Helper()
	s, err := task.NewSignature("add", task.Options{}, n)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// awaitValue waits for the result of a task.
func awaitValue(t *testing.T, store, id string) string {
	t.Helper()
	s, err := connect.OpenResult(t.Context(), store, result.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close(within(t))
	r, err := s.Wait(within(t), id)
	if err != nil {
		t.Fatal(err)
	}
	if r.Error != nil {
		return r.Error.Error()
	}
	return string(r.Value)
}

// drained waits until nothing is on the queue and the worker has acknowledged all
// that it has received.
func (c *client) drained(w *running, log, queue string) {
	c.t.Helper()
	ctx := within(c.t)
	if !eventually(func() bool {
		d, err := c.Depth(ctx, queue)
		return err == nil && *d.Ready == 0 && (d.Unacked == nil || *d.Unacked == 0) && len(lines(c.t, log, ledger.Consuming)) > 0 &&
			len(lines(c.t, log, ledger.Received)) == len(lines(c.t, log, ledger.AckSent)) || !w.alive()
	}) || !w.alive() {
		c.t.Fatalf("the queue is not drained; the worker said:\n%s", w.quit())
	}
}

func TestAChainWhoseWorkerDiesBetweenTwoLinks(t *testing.T) {
	t.Parallel()
	store := "redis://" + redisAddr(t) + "/3"
	for _, c := range []struct {
		ack        worker.AckMode
		at         worker.Point
		once       bool
		runs       string // of each task of the chain, least and most
		collapsing bool
	}{
		{worker.Late, worker.ResultStored, false, "2-2 1-1 1-1", false},
		{worker.Late, worker.LinksSent, false, "2-2 2-2 2-4", false}, // the second step is published twice
		{worker.Late, worker.LinksSent, true, "1-1 1-1 1-1", true},
		{worker.Early, worker.ResultStored, false, "1-1 0-0 0-0", false}, // the rest is never published
		{worker.Early, worker.LinksSent, false, "1-1 1-1 1-1", false},
	} {
		for _, system := range returning {
			t.Run(fmt.Sprintf("%s %s %s once=%t", system.name, c.ack, c.at, c.once), func(t *testing.T) {
				t.Parallel()
				url := system.url(t)
				b, client := newBox(t), dial(t, url)
				q := client.newQueue()
				first := adding(t, 1)
				first.TaskID = uuid.NewString()
				first.Args = append(first.Args, []byte("2"))
				_, ids := client.flow(task.Chain(first, adding(t, 10), adding(t, 100)), task.Options{Queue: q, Once: c.once})
				common := []string{"worker", "-b", url, "-Q", q, "-c", "1", "--result", store, fmt.Sprintf("--acks-late=%t", c.ack == worker.Late), "--ledger"}
				died, log := b.path("victim.jsonl"), b.path("worker.jsonl")
				b.run(append(common, died, "--crash-at", string(c.at), "--crash-task", first.TaskID)...).ended(-int(syscall.SIGKILL))

				w := b.start(append(common, log)...)
				last := 2
				if strings.HasSuffix(c.runs, "0-0") {
					last = 0
				} else if got := awaitValue(t, store, ids[2]); got != "113" {
					t.Errorf("the chain came to %s", got)
				}
				client.drained(w, log, q)
				if c.collapsing {
					w.await(log, ledger.Collapsed, 1)
				}
				w.signal(syscall.SIGTERM)
				w.ended(0)
				finished := append(lines(t, died, ledger.Finished), lines(t, log, ledger.Finished)...)
				for i, want := range strings.Fields(c.runs) {
					n := 0
					for _, l := range finished {
						if l.Task == ids[i] {
							n++
						}
					}
					var least, most int
					if _, err := fmt.Sscanf(want, "%d-%d", &least, &most); err != nil {
						t.Fatal(err)
					}
					if n < least || n > most {
						t.Errorf("step %d finished %d times, want %s", i+1, n, want)
					}
				}
				if last == 0 {
					if held := client.holds(q); len(held) != 0 {
						t.Errorf("the broker holds %v", held)
					}
				}
			})
		}
	}
}

func TestAChordWhoseWorkerDiesBetweenItsLastMemberAndTheCallback(t *testing.T) {
	t.Parallel()
	store := "redis://" + redisAddr(t) + "/3"
	for _, system := range returning {
		for _, at := range []worker.Point{worker.ResultStored, worker.LinksSent} {
			t.Run(fmt.Sprintf("%s %s", system.name, at), func(t *testing.T) {
				t.Parallel()
				url := system.url(t)
				b, client := newBox(t), dial(t, url)
				q := client.newQueue()
				const size = 6
				members := make([]*task.Signature, size)
				for i := range members {
					members[i] = adding(t, i)
					members[i].Args = append(members[i].Args, []byte("1"))
				}
				back, err := task.NewSignature("noop", task.Options{})
				if err != nil {
					t.Fatal(err)
				}
				back.Immutable = true
				plan, _ := client.flow(task.Chord(members, back), task.Options{Queue: q})
				common := []string{"worker", "-b", url, "-Q", q, "-c", "1", "--result", store, "--acks-late", "--ledger"}
				died, log := b.path("victim.jsonl"), b.path("worker.jsonl")
				b.run(append(common, died, "--crash-at", string(at), "--crash-nth", fmt.Sprint(size))...).ended(-int(syscall.SIGKILL))
				w := b.start(append(common, log)...)
				if got := awaitValue(t, store, plan.Results[0]); got != "" {
					t.Errorf("the callback returned %s", got)
				}
				client.drained(w, log, q)
				w.signal(syscall.SIGTERM)
				w.ended(0)
				calls := 0
				for _, l := range append(lines(t, died, ledger.Finished), lines(t, log, ledger.Finished)...) {
					if l.Task == plan.Results[0] {
						calls++
					}
				}
				if calls != 1 {
					t.Errorf("called back %d times", calls)
				}
			})
		}
	}
}

func TestADeadMemberOfTheChainSaysSoToWhoeverWaits(t *testing.T) {
	t.Parallel()
	store := "redis://" + redisAddr(t) + "/3"
	onEach(t, func(t *testing.T, url string) {
		b, client := newBox(t), dial(t, url)
		q, log := client.newQueue(), b.path("worker.jsonl")
		bad, err := task.NewSignature("panic", task.Options{}, "oh")
		if err != nil {
			t.Fatal(err)
		}
		plan, _ := client.flow(task.Chain(bad, adding(t, 1), adding(t, 2)), task.Options{Queue: q})
		w := b.start("worker", "-b", url, "-Q", q, "--result", store, "--ledger", log)
		began := time.Now()
		if got := awaitValue(t, store, plan.Results[0]); !strings.HasPrefix(got, "UpstreamError: task "+plan.First[0].TaskID+" has failed: PanicError") {
			t.Errorf("after %v: %s", time.Since(began), got)
		}
		if off := lines(t, log, ledger.CalledOff); len(off) != 2 {
			t.Errorf("called off: %+v", off)
		}
		w.signal(syscall.SIGTERM)
		w.ended(0)
	})
}
