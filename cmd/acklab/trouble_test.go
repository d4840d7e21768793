package main

import (
	"context"
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	"acklab/broker"
	"acklab/internal/ledger"
	"acklab/internal/server"
)

// trouble is what can befall a Redis that holds the tasks and their results.
type trouble struct {
	name       string
	begin, end func(t *testing.T, r *server.Redis)
	gives      bool   // it still hands out the tasks that it has
	breaks     bool   // connections do not last, and publishes may be unsure
	mute       bool   // who asks waits until he gives up
	refusal    string // what a publish is refused for
}

var troubles = []trouble{
	{
		name:    "read-only",
		begin:   func(t *testing.T, r *server.Redis) { command(t, r, "REPLICAOF", "127.0.0.1", "1") }, // nobody is there
		end:     func(t *testing.T, r *server.Redis) { command(t, r, "REPLICAOF", "NO", "ONE") },
		refusal: "refused (read-only)",
	},
	{
		name:  "full",
		begin: func(t *testing.T, r *server.Redis) { command(t, r, "CONFIG", "SET", "maxmemory", "1") },
		end:   func(t *testing.T, r *server.Redis) { command(t, r, "CONFIG", "SET", "maxmemory", "0") },
		gives: true, refusal: "refused (full)",
	},
	{
		name:   "dead",
		begin:  func(t *testing.T, r *server.Redis) { must(t, r.Kill) },
		end:    func(t *testing.T, r *server.Redis) { must(t, r.Boot) },
		breaks: true, refusal: "refused (unreachable)",
	},
	{
		name:   "frozen",
		begin:  func(t *testing.T, r *server.Redis) { must(t, r.Freeze) },
		end:    func(t *testing.T, r *server.Redis) { must(t, r.Thaw) },
		breaks: true, mute: true, refusal: "refused (unreachable)",
	},
}

func must(t *testing.T, do func(context.Context) error) {
	t.Helper()
	if err := do(within(t)); err != nil {
		t.Fatal(err)
	}
}

// command tells the server something on a connection of its own.
func command(t *testing.T, r *server.Redis, words ...any) {
	t.Helper()
	c := r.Client()
	defer c.Close()
	if err := c.Do(within(t), words...).Err(); err != nil {
		t.Fatalf("%v: %v", words, err)
	}
}

func TestAWorkerOutlivesTheTroublesOfItsRedisWithoutSpinningAndLosesNothing(t *testing.T) {
	t.Parallel()
	for _, tr := range troubles {
		t.Run(tr.name, func(t *testing.T) {
			t.Parallel()
			outlive(t, tr)
		})
	}
}

func outlive(t *testing.T, tr trouble) {
	const load, later = 300, 20
	r := ownRedis(t, server.RedisOptions{Persistence: server.AOFAlways})
	url := r.URL("") + "?visibility=20s&restore=500ms"
	b, c := newBox(t), dial(t, url)
	q, log := c.newQueue(), b.path("worker.jsonl")
	first, second := b.path("first.jsonl"), b.path("second.jsonl")
	publish := func(log string, more ...string) *running {
		return b.start(append([]string{"producer", "-b", url, "-q", q, "-n", fmt.Sprint(load), "--task", "sleep", "--args", "[0.02]", "--ledger", log}, more...)...)
	}
	publish(first).ended(0)
	w := b.start("worker", "-b", url, "-Q", q, "-c", "4", "--acks-late", "--result", "redis://"+r.Addr()+"/3", "--ledger", log)
	w.await(log, ledger.ResultStored, 20)
	p := publish(second, "--rate", "60")
	p.await(second, ledger.Confirmed, 10)

	tr.begin(t, r)
	// What the worker has, it runs; with a store that is away that takes a while.
	if !eventually(func() bool {
		return w.idle(log) && (!tr.gives || len(missing(t, log, first, second)) == 0)
	}) {
		t.Fatalf("the worker is still busy; it said:\n%s", w.quit())
	}
	w.rests(tr.name)
	tr.end(t, r)

	p.ended(0)
	for range later {
		c.put(q, "noop")
	}
	c.emptied(w, q)
	if left := missing(t, log, first, second); len(left) > 0 {
		t.Errorf("%d confirmed tasks were not run: %v", len(left), left)
	}
	w.signal(syscall.SIGTERM)
	w.ended(0)
	if held := c.holds(q); len(held) > 0 {
		t.Errorf("the broker holds %v", held)
	}
	tr.told(t, log, second)
}

// rests checks that the worker, who can do nothing, takes little of a core.
func (p *running) rests(trouble string) {
	p.t.Helper()
	share := p.busy(3 * time.Second)
	p.t.Logf("%s: the idle worker took %.1f %% of a core", trouble, 100*share)
	if share > 0.05 {
		p.t.Errorf("%s: the worker spins: it took %.1f %% of a core", trouble, 100*share)
	}
}

// emptied waits until the worker has settled all that is on the queue.
func (c *client) emptied(w *running, queue string) {
	c.t.Helper()
	ctx := within(c.t)
	var d broker.Depth
	var err error
	if !eventually(func() bool {
		d, err = c.Depth(ctx, queue)
		return err == nil && *d.Ready+*d.Unacked == 0 || !w.alive()
	}) || !w.alive() {
		c.t.Fatalf("the queue holds %+v, %v; the worker said:\n%s", d, err, w.quit())
	}
}

// told checks what worker and producer have written down.
func (tr trouble) told(t *testing.T, log, produced string) {
	t.Helper()
	for _, l := range lines(t, produced, ledger.Refused) {
		if !strings.Contains(l.Reason, tr.refusal) {
			t.Errorf("a publish was refused for another reason: %+v", l)
		}
	}
	phantoms, unsure := tasks(lines(t, produced, ledger.Refused)), len(lines(t, produced, ledger.Unsure))
	if !tr.breaks && (len(phantoms) == 0 || unsure > 0) {
		t.Errorf("%d publishes were refused, %d unsure; want some refused", len(phantoms), unsure)
	}
	done := map[string]int{}
	for _, l := range lines(t, log, ledger.Finished) {
		if done[l.Task]++; phantoms[l.Task] {
			t.Errorf("the refused task %s was run", l.Task)
		}
	}
	if n := len(lines(t, log, ledger.Lost)); tr.breaks && n == 0 {
		t.Error("the worker did not see that its connection is lost")
	}
	if f, err := ledger.Read(log); err != nil || f.Damage != "" || f.Torn || !f.Closed() {
		t.Errorf("the worker's ledger: %v, %q, torn %t, closed %t", err, f.Damage, f.Torn, f.Closed())
	}
	stored, lost := lines(t, log, ledger.ResultStored, ledger.ResultKept), lines(t, log, ledger.ResultLost)
	runs := lines(t, log, ledger.Finished)
	if len(lost) == 0 || len(stored)+len(lost) != len(runs) {
		t.Errorf("%d runs, %d results stored and %d lost; want one word on each, and some lost", len(runs), len(stored), len(lost))
	}
	t.Logf("%d tasks in %d runs, %d results lost, %d publishes refused, %d unsure, %d sessions", len(done), len(runs), len(lost),
		len(phantoms), unsure, len(lines(t, log, ledger.Connected)))
}

// tasks are the ids of the lines' tasks.
func tasks(all []ledger.Line) map[string]bool {
	ids := map[string]bool{}
	for _, l := range all {
		ids[l.Task] = true
	}
	return ids
}

// missing are the tasks that the producers' ledgers have as confirmed and the
// worker's does not have as finished.
func missing(t *testing.T, log string, producers ...string) []string {
	t.Helper()
	done := tasks(lines(t, log, ledger.Finished))
	var left []string
	for _, path := range producers {
		for id := range tasks(lines(t, path, ledger.Confirmed)) {
			if !done[id] {
				left = append(left, id)
			}
		}
	}
	return left
}
