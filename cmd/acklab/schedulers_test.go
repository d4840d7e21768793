package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"acklab/internal/ledger"
	"acklab/internal/server"
	"acklab/task"
)

// Two schedulers on one store: one leads, and what happens to the ticks when it
// is killed or frozen.

// pair is two schedulers, of which the first leads.
type pair struct {
	*testing.T
	box           *box
	store         *server.Redis // of the schedules; the broker is another one
	queue         string
	client        *client
	leader, other *running
	ledgers       map[*running]string
	names         []string
	from          time.Time // from here on ticks are owed
}

// schedulePeriod is how often each schedule is due: with ten of them 20 ticks a
// second.
const schedulePeriod = 500 * time.Millisecond

func newPair(t *testing.T, lease time.Duration) *pair {
	t.Helper()
	p := &pair{T: t, box: newBox(t), ledgers: map[*running]string{}, store: ownRedis(t, server.RedisOptions{Persistence: server.AOFAlways})}
	broker := "redis://" + redisAddr(t) + "/8"
	p.client = dial(t, broker)
	p.queue = p.client.newQueue()
	p.box.env = []string{"ACKLAB_STORE_URL=redis://" + p.store.Addr() + "/0", "ACKLAB_BROKER_URL=" + broker}
	for i := range 10 {
		name := fmt.Sprintf("s%d", i)
		p.names = append(p.names, name)
		p.box.run("schedule", "add", name, "--task", "noop", "--queue", p.queue, "--every", schedulePeriod.String(),
			"--phase", (time.Duration(i) * 50 * time.Millisecond).String(), "--catch-up", "all", "--window", "10m").ended(0)
	}
	start := func(name string) *running {
		path := p.box.path(name + ".jsonl")
		r := p.box.start("scheduler", "--lease", lease.String(), "--ledger", path)
		p.ledgers[r] = path
		return r
	}
	p.leader = start("first")
	p.leader.await(p.ledgers[p.leader], ledger.Confirmed, 20)
	p.from = time.Now()
	p.other = start("second")
	return p
}

// stopAt stops who is left, after whole rounds of ticks, and says until when ticks
// are owed.
func (p *pair) stopAt(all ...*running) time.Time {
	p.Helper()
	until := time.Now()
	<-time.After(2 * time.Second) // what is due by then is sent by then
	for _, r := range all {
		r.signal(syscall.SIGTERM)
		r.ended(0)
	}
	return until
}

// accounts checks that each tick that was due is planned in a ledger and was
// published, and returns how many were, and how many more messages there are.
func (p *pair) accounts(until time.Time) (ticks, doubles int) {
	p.Helper()
	planned := map[string]bool{}
	for _, path := range p.ledgers {
		for _, line := range lines(p.T, path, ledger.Planned) {
			planned[line.Task] = true
		}
	}
	copies := map[string]int{}
	for h, err := range p.client.Census(within(p.T), p.queue) {
		if err != nil {
			p.Fatal(err)
		}
		copies[h.Message.TaskID]++
		if h.Message.ID != h.Message.TaskID {
			p.Errorf("message %s of task %s: want one id", h.Message.ID, h.Message.TaskID)
		}
	}
	for i, name := range p.names {
		phase := time.Duration(i) * 50 * time.Millisecond
		for due := p.from.Truncate(schedulePeriod).Add(phase + schedulePeriod); due.Before(until); due = due.Add(schedulePeriod) {
			id := task.TickID(name, due)
			ticks++
			if !planned[id] {
				p.Errorf("%s at %s is not planned", name, due.UTC())
			}
			if copies[id] == 0 {
				p.Errorf("%s at %s was not sent", name, due.UTC())
			}
		}
	}
	if ticks == 0 {
		p.Error("no tick was due: this shows nothing")
	}
	for _, n := range copies {
		doubles += n - 1
	}
	return ticks, doubles
}

// takesOver waits until the other one sends, and says how long after a moment
// that is.
func (p *pair) takesOver(at time.Time) time.Duration {
	p.Helper()
	first := p.other.await(p.ledgers[p.other], ledger.Confirmed, 1)[0]
	return first.Wall.Sub(at)
}

func TestAKilledSchedulersTicksAreSentByTheOther(t *testing.T) {
	t.Parallel()
	const lease = 5 * time.Second
	p := newPair(t, lease)
	if list := p.box.run("schedule", "list"); !strings.Contains(list.stdout.String(), " leads, in term ") {
		t.Errorf("the list does not say who leads:\n%s", &list.stdout)
	}
	<-time.After(2 * time.Second)
	if n := len(lines(t, p.ledgers[p.other], ledger.Attempted)); n > 0 {
		t.Errorf("two send: %d attempts by the one that does not lead", n)
	}
	p.leader.signal(syscall.SIGKILL)
	at := time.Now()
	took := p.takesOver(at)
	if took > lease+5*time.Second { // a busy machine
		t.Errorf("the other one sends %v after the kill; the lease is %v", took, lease)
	}
	<-time.After(time.Second)
	ticks, doubles := p.accounts(p.stopAt(p.other))
	t.Logf("the other one sends %.1f s after the kill (lease %v); %d ticks, none missing, %d doubles", took.Seconds(), lease, ticks, doubles)
	if doubles > len(p.names) { // what was claimed and not settled
		t.Errorf("%d doubles", doubles)
	}
}

func TestAFrozenSchedulerSendsNothingOfItsOldTerm(t *testing.T) {
	t.Parallel()
	const lease = 2 * time.Second
	p := newPair(t, lease)
	<-time.After(time.Second)
	p.leader.signal(syscall.SIGSTOP)
	took := p.takesOver(time.Now())
	<-time.After(2 * time.Second)
	before := len(lines(t, p.ledgers[p.leader], ledger.Attempted))
	p.leader.signal(syscall.SIGCONT)
	p.leader.await(p.ledgers[p.leader], ledger.Deposed, 1)
	late := len(lines(t, p.ledgers[p.leader], ledger.Attempted)) - before
	<-time.After(time.Second)
	ticks, doubles := p.accounts(p.stopAt(p.leader, p.other))
	t.Logf("the other one sends %.1f s after the freeze (lease %v); %d ticks, none missing, %d doubles, %d attempts of the old term after the thaw",
		took.Seconds(), lease, ticks, doubles, late)
	if doubles > len(p.names) {
		t.Errorf("%d doubles", doubles)
	}
}

func TestWhatIsDueWhileTheScheduleStoreIsAwayIsSentAfterwards(t *testing.T) {
	t.Parallel()
	for name, away := range map[string]func(context.Context, *server.Redis) error{
		"frozen": func(ctx context.Context, r *server.Redis) error {
			return errors.Join(r.Freeze(ctx), rest(ctx, 4*time.Second), r.Thaw(ctx))
		},
		"restarted": func(ctx context.Context, r *server.Redis) error {
			return errors.Join(r.Kill(ctx), rest(ctx, 4*time.Second), r.Boot(ctx))
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPair(t, 2*time.Second)
			<-time.After(time.Second)
			before := p.sent()
			if err := away(within(t), p.store); err != nil {
				t.Fatal(err)
			}
			if !eventually(func() bool { return p.sent() > before+100 }) { // what four seconds owe, and more
				t.Fatalf("%d ticks were sent; the schedulers said\n%s\n%s", p.sent()-before, p.leader.quit(), p.other.quit())
			}
			ticks, doubles := p.accounts(p.stopAt(p.leader, p.other))
			t.Logf("%d ticks, none missing, %d doubles", ticks, doubles)
			if doubles > len(p.names) {
				t.Errorf("%d doubles", doubles)
			}
		})
	}
}

func TestASchedulerThatIsStoppedIsFollowedAtOnce(t *testing.T) {
	t.Parallel()
	p := newPair(t, time.Minute)
	<-time.After(time.Second)
	p.leader.signal(syscall.SIGTERM)
	at := time.Now()
	p.leader.ended(0)
	took := p.takesOver(at)
	<-time.After(time.Second)
	if took > 20*time.Second { // nobody waits for the lease
		t.Errorf("the other one sends %v after the stop", took)
	}
	ticks, doubles := p.accounts(p.stopAt(p.other))
	t.Logf("the other one sends %.2f s after the stop; %d ticks, none missing, %d doubles", took.Seconds(), ticks, doubles)
	if doubles > 0 {
		t.Errorf("%d doubles though the first had settled everything", doubles)
	}
}

// sent is how many ticks both say that the broker has.
func (p *pair) sent() int {
	n := 0
	for _, path := range p.ledgers {
		n += len(lines(p.T, path, ledger.Confirmed))
	}
	return n
}

func rest(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func TestASharedStoreThatMakesNoSenseIsSaidInOneLine(t *testing.T) {
	t.Parallel()
	wrongInput(t, []string{"ACKLAB_BROKER_URL=memory://"}, []wrong{
		{"scheduler", "no schedules: name a YAML file with --file, or a store with --store"},
		{"scheduler --store redis://:s3cret@127.0.0.1:1/0", "connection refused"},
		{"scheduler --store amqp://u:s3cret@h/", `store URL has scheme "amqp"`},
		{"scheduler --store redis://h/0 --lease 1s", "lease 1s: use 2s to 10m0s"},
		{"scheduler --store redis://h/0 --lease soon", `"soon"`},
		{"scheduler --store redis://h/0 --state x", "--state and --store"},
		{"scheduler --store redis://h/0 --from 2026-01-01T00:00:00Z --until 2026-01-02T00:00:00Z", "--from and --store"},
		{"scheduler --file beat.yaml --lease 5s", "none is named"},
		{"scheduler --file beat.yaml --no-lock", "none is named"},
	})
}

func TestAFilesSchedulesAreSentAndListedBesideTheStores(t *testing.T) {
	t.Parallel()
	b := newBox(t)
	broker := "redis://" + redisAddr(t) + "/8"
	c := dial(t, broker)
	queue := c.newQueue()
	b.env = []string{"ACKLAB_STORE_URL=" + ownRedis(t, server.RedisOptions{}).URL(""), "ACKLAB_BROKER_URL=" + broker}
	file := b.path("beat.yaml")
	write := func(name string) {
		t.Helper()
		text := "schedules:\n  - name: " + name + "\n    task: noop\n    queue: " + queue + "\n    every: 200ms\n"
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write("of the file")
	b.run("schedule", "add", "of the store", "--task", "noop", "--queue", queue, "--every", "200ms").ended(0)
	path := b.path("scheduler.jsonl")
	s := b.start("scheduler", "--file", file, "--ledger", path)
	s.await(path, ledger.Confirmed, 10)
	lists := func(want ...string) {
		t.Helper()
		var said string
		if !eventually(func() bool {
			p := b.run("schedule", "list")
			said = p.stdout.String()
			return !slices.ContainsFunc(want, func(w string) bool { return !regexp.MustCompile(w).MatchString(said) })
		}) {
			t.Fatalf("the list says\n%s\nwant %q; the scheduler said\n%s", said, want, s.quit())
		}
	}
	lists(`of the file .* file\n`, `of the store .* store\n`, ` leads, in term `)
	b.refuses("it belongs to the scheduler's file: edit it there", "schedule", "edit", "of the file", "--every", "1m")
	b.refuses("it belongs to the scheduler's file", "schedule", "add", "of the file", "--task", "noop", "--every", "1m")

	asked := b.run("schedule", "run-now", "of the file")
	asked.ended(0)
	id := strings.TrimSpace(asked.stdout.String())
	if !eventually(func() bool {
		return slices.ContainsFunc(lines(t, path, ledger.Confirmed), func(l ledger.Line) bool { return l.Task == id })
	}) {
		t.Errorf("what was asked for was not sent; the scheduler said\n%s", s.quit())
	}
	past := b.run("schedule", "history", "of the file")
	if !strings.Contains(past.stdout.String(), "sent (by hand)") {
		t.Errorf("the history says\n%s", &past.stdout)
	}

	// Edits are in force while it runs.
	write("another")
	b.run("schedule", "disable", "of the store").ended(0)
	lists(`another .* file\n`, `of the store .* disabled `)
	if said := b.run("schedule", "list").stdout.String(); strings.Contains(said, "of the file") {
		t.Errorf("the old one is still listed:\n%s", said)
	}
	s.signal(syscall.SIGTERM)
	s.ended(0)
	lists("no scheduler leads")
}
