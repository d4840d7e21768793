package main

import (
	"os"
	"strings"
	"syscall"
	"testing"

	"acklab/internal/ledger"
)

// write puts a file into the box.
func (b *box) write(name, text string) string {
	b.t.Helper()
	if err := os.WriteFile(b.path(name), []byte(text), 0o644); err != nil {
		b.t.Fatal(err)
	}
	return b.path(name)
}

func schedule(lines ...string) string {
	return "schedules:\n  - " + strings.Join(lines, "\n    ") + "\n"
}

func TestWrongSchedulesAreSaidInOneLine(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		yaml, want string
		args       []string
	}{
		"30 February":        {yaml: schedule("name: a", "task: noop", "cron: 0 0 30 2 *"), want: `beat.yaml:4:5: schedule "a": cron: "0 0 30 2 \*": there is no such day`},
		"an unknown zone":    {yaml: schedule("name: a", "task: noop", "cron: 0 0 * * *", "zone: Europe/Berln"), want: `beat.yaml:5:5: schedule "a": zone: "Europe/Berln" is unknown`},
		"a name twice":       {yaml: schedule("name: a", "task: noop", "every: 10s") + "  - name: a\n    task: noop\n    every: 1s\n", want: `beat.yaml:5:5: the name "a" comes twice, first in line 2`},
		"six fields":         {yaml: schedule("name: a", "task: noop", "cron: 0 0 * * * *"), want: `beat.yaml:4:5: .*has 6 fields, not the five`},
		"an unknown key":     {yaml: schedule("name: a", "task: noop", "evry: 10s"), want: `beat.yaml:4:5: evry: unknown, there are name, task, `},
		"no duration":        {yaml: schedule("name: a", "task: noop", "every: 10"), want: `beat.yaml:4:5: every: 10 is not a duration such as 10s`},
		"not YAML":           {yaml: "schedules:\n  - name: [a\n", want: `beat.yaml:\d+:\d+: `},
		"a tab":              {yaml: "schedules:\n\t- name: a\n", want: `beat.yaml:2:1: `},
		"empty":              {yaml: "", want: `beat.yaml:1:1: it is empty`},
		"no list":            {yaml: "schedules: 5\n", want: `beat.yaml:1:12: schedules: want a list`},
		"no task":            {yaml: schedule("name: a", "every: 10s"), want: `beat.yaml:2:5: schedule "a": task: missing`},
		"skip without store": {yaml: schedule("name: a", "task: noop", "every: 10s", "overlap: skip"), want: `overlap: skip asks the result store.*--result`},
		"no such file":       {args: []string{"--file", "nowhere.yaml"}, want: `nowhere.yaml: no such file`},
		"a wrong route":      {yaml: schedule("name: a", "task: noop", "every: 10s"), args: []string{"--route", "noop"}, want: `--route: route "noop": it has no =`},
		"no file of routes":  {yaml: schedule("name: a", "task: noop", "every: 10s"), args: []string{"--routes", "nowhere"}, want: `--routes: open nowhere: no such file`},
		"no file":            {args: []string{"--loglevel", "info"}, want: `no schedules: name a YAML file with --file`},
		"from alone":         {args: []string{"--from", "2026-01-01T00:00:00Z"}, want: `--from needs --until`},
		"from after until":   {args: []string{"--from", "2026-01-02T00:00:00Z", "--until", "2026-01-01T00:00:00Z"}, want: `is not before --until`},
		"no moment":          {args: []string{"--until", "tomorrow"}, want: `--until: "tomorrow" is no moment`},
		"no state folder":    {yaml: schedule("name: a", "task: noop", "every: 10s"), args: []string{"--state", "nowhere/x"}, want: `state file's lock: open nowhere/x.lock: no such file`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBox(t)
			args := append([]string{"scheduler", "-b", "memory://", "--loglevel", "error"}, c.args...)
			if c.args == nil || c.yaml != "" {
				b.write("beat.yaml", c.yaml)
				args = append(args, "--file", "beat.yaml")
			}
			b.refuses(c.want, args...)
		})
	}
}

func TestASchedulerSendsAndReloadsAndRemembers(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, url string) {
		b, c := newBox(t), dial(t, url)
		q, log := c.newQueue(), b.path("first.jsonl")
		file := b.write("beat.yaml", schedule("name: a", "task: noop", "every: 200ms", "queue: "+q))
		p := b.start("scheduler", "-b", url, "--file", file, "--ledger", log)
		p.await(log, ledger.Confirmed, 3)

		// A second one on the same state file is refused.
		b.refuses(`is another scheduler's`, "scheduler", "-b", url, "--file", file, "--loglevel", "error")

		// A broken file leaves the old in force, for longer than it takes to see it.
		b.write("beat.yaml", schedule("name: a", "task: noop", "every: soon"))
		p.await(log, ledger.Confirmed, len(lines(t, log, ledger.Confirmed))+25)

		// A new one counts at once.
		b.write("beat.yaml", schedule("name: b", "task: sleep", "args: [0]", "every: 200ms", "queue: "+q))
		if !eventually(func() bool {
			all := lines(t, log, ledger.Planned)
			return all[len(all)-1].Detail["schedule"] == "b"
		}) {
			t.Fatalf("b is never due:\n%s", p.quit())
		}
		p.signal(syscall.SIGKILL)
		p.wait()
		if said := p.stderr.String(); !strings.Contains(said, "beat.yaml:4:5: every") {
			t.Errorf("it does not say what is broken:\n%s", said)
		}

		// Who follows remembers what was sent.
		again := b.path("second.jsonl")
		p = b.start("scheduler", "-b", url, "--file", file, "--ledger", again)
		p.await(again, ledger.Confirmed, 3)
		p.signal(syscall.SIGTERM)
		p.ended(0)
		times := map[string]int{}
		for _, l := range append(lines(t, log, ledger.Confirmed), lines(t, again, ledger.Confirmed)...) {
			times[l.Task]++
		}
		held := map[string]bool{}
		for h, err := range c.Census(within(t), q) {
			if err != nil {
				t.Fatal(err)
			}
			held[h.Message.TaskID] = true
		}
		twice := 0
		for id, n := range times {
			twice += n - 1
			if !held[id] {
				t.Errorf("the broker does not hold task %s, which it confirmed", id)
			}
		}
		if twice > 1 {
			t.Errorf("%d ticks were sent twice; want at most the one that was under way at the kill", twice)
		}
	})
}

func TestASimulatedClockEndsByItself(t *testing.T) {
	t.Parallel()
	url := "redis://" + redisAddr(t) + "/1"
	b, c := newBox(t), dial(t, url)
	q, log := c.newQueue(), b.path("scheduler.jsonl")
	file := b.write("beat.yaml", schedule("name: report", "task: noop", "cron: 0 0 * * *", "zone: Asia/Beirut", "queue: "+q))
	b.run("scheduler", "-b", url, "--file", file, "--from", "2026-01-01T00:00:00+02:00", "--until", "2027-12-31T23:59:59+02:00",
		"--ledger", log, "--loglevel", "error").ended(0)
	if n := len(lines(t, log, ledger.Confirmed)); n != 729 { // the midnight at which it begins is not owed
		t.Errorf("%d reports in two years, want 729", n)
	}
	if _, err := os.Stat(file + ".state"); err == nil {
		t.Error("a simulation is remembered")
	}
}

func TestASchedulesTaskIsRoutedUnlessItNamesAQueue(t *testing.T) {
	t.Parallel()
	url := "redis://" + redisAddr(t) + "/1"
	b, c := newBox(t), dial(t, url)
	routed, other, own, log := c.newQueue(), c.newQueue(), c.newQueue(), b.path("scheduler.jsonl")
	file := b.write("beat.yaml", schedule("name: a", "task: noop", "every: 1h")+
		"  - {name: b, task: noop, every: 1h, queue: "+own+"}\n  - {name: c, task: sleep, args: [0], every: 1h}\n")
	routes := b.write("routes", "# the first that fits\nnoop="+other+"\nsl*="+other+"\n")
	b.run("scheduler", "-b", url, "--file", file, "--from", "2026-01-01T00:30:00Z", "--until", "2026-01-01T01:30:00Z",
		"--route", "no*="+routed, "--routes", routes, "--ledger", log, "--loglevel", "error").ended(0)
	got := map[string]string{}
	for _, l := range lines(t, log, ledger.Planned) {
		got[l.Detail["schedule"]] = l.Queue
	}
	for name, want := range map[string]string{"a": routed, "b": own, "c": other} {
		held := 0
		for _, err := range c.Census(within(t), want) {
			if err != nil {
				t.Fatal(err)
			}
			held++
		}
		if got[name] != want || held != 1 {
			t.Errorf("%s is planned for %q, want %q, which holds %d", name, got[name], want, held)
		}
	}
}
