package main

import (
	"encoding/json"
	"strings"
	"testing"

	"acklab/internal/server"
	"acklab/scheduler"
	"acklab/scheduler/redisstore"
)

func TestAScheduleThatMakesNoSenseIsNamedInOneLine(t *testing.T) {
	t.Parallel()
	url := "redis://:s3cret@127.0.0.1:1/0"
	wrongInput(t, []string{"ACKLAB_STORE_URL=" + url}, []wrong{
		{"schedule nosuch", `no command "nosuch": use list, add, edit`},
		{"schedule add", "needs the name of one schedule"},
		{"schedule add a b --task noop --every 10s", "needs the name of one schedule"},
		{"schedule remove", "schedule remove needs the name"},
		{"schedule list a", "takes no words"},
		{"schedule add a --every 10s", "--task: missing"},
		{"schedule add a --task noop", "every, cron or at"},
		{"schedule add a --task noop --every 10s --cron '* * * * *'", "only one of every, cron and at"},
		{"schedule add a --task noop --every 10", `--every: "10" is not a duration`},
		{"schedule add a --task noop --every 1ms", "--every: 1ms is outside"},
		{"schedule add a --task noop --cron '0 0 30 2 *'", "--cron: .* never be due"},
		{"schedule add a --task noop --cron '0 0 0 * * *'", "--cron: .* 6 fields"},
		{"schedule add a --task noop --cron '0 25 * * *'", "--cron: "},
		{"schedule add a --task noop --cron '0 0 * * *' --zone Europe/Berln", `--zone: "Europe/Berln" is unknown`},
		{"schedule add a --task noop --every 10s --zone UTC", "--zone: only with cron"},
		{"schedule add a --task noop --at tomorrow", `--at: "tomorrow" is no moment`},
		{"schedule add a --task noop --at 2020-01-01T00:00:00Z", "--at: .* is over"},
		{"schedule add a --task noop --every 10s --args '[4, 4'", "--args: .*character 6"},
		{"schedule add a --task noop --every 10s --kwargs [4]", "--kwargs: .*want a JSON object"},
		{"schedule add a --task noop --every 10s --priority high", `--priority: "high" is not a whole number`},
		{"schedule add a --task noop --every 10s --max-runs -1", "--max-runs: -1 is negative"},
		{"schedule add a --task noop --every 10s --catch-up twice", `--catch-up: "twice"`},
		{"schedule add a --task noop --every 10s --catch-up all", "--window: "},
		{"schedule add a --task noop --every 10s --overlap maybe", `--overlap: "maybe"`},
		{"schedule add a --task noop --every 10s --jitter 11s", "--jitter: 11s is more than every"},
		{"schedule edit a", "needs to know what to change"},
		{"schedule edit a --revision x --every 10s", `"x"`},
		{"schedule list", "connection refused"},
		{"schedule run-now a", "connection refused"},
		{"schedule list --store amqp://u:s3cret@h/", `store URL has scheme "amqp"`},
		{"schedule list --store redis://:s3cret@h/0?x=1", `unknown option "x"`},
	})
	wrongInput(t, nil, []wrong{
		{"schedule list", "no store of schedules: give --store or set ACKLAB_STORE_URL"},
		{"schedule add a --task noop --every 10s", "no store of schedules"},
	})
}

func TestSchedulesAreEditedFromTheCommandLine(t *testing.T) {
	t.Parallel()
	b := newBox(t)
	b.env = []string{"ACKLAB_STORE_URL=" + ownRedis(t, server.RedisOptions{}).URL("")}
	says := func(want string, args ...string) string {
		t.Helper()
		p := b.run(append([]string{"schedule"}, args...)...)
		p.ended(0)
		if !strings.Contains(p.stdout.String(), want) {
			t.Fatalf("%s says\n%s\nwant %q in it", args, &p.stdout, want)
		}
		return p.stdout.String()
	}
	list := func() map[string]redisstore.Entry {
		t.Helper()
		var all []redisstore.Entry
		if err := json.Unmarshal([]byte(says("", "list", "--json")), &all); err != nil {
			t.Fatal(err)
		}
		byName := map[string]redisstore.Entry{}
		for _, e := range all {
			byName[e.Schedule.Name] = e
		}
		return byName
	}
	says("no schedules", "list")
	says(`added "report"`, "add", "report", "--task", "send_email", "--args", `["daily"]`, "--cron", "0 0 * * *", "--zone", "Europe/Berlin")
	says("not enabled", "add", "beat", "--task", "noop", "--every", "10s", "--phase", "3s", "--disabled")
	b.refuses(`there is one of this name`, "schedule", "add", "beat", "--task", "noop", "--every", "1m")
	first := list()["beat"]
	if s := first.Schedule; s.Enabled || s.Phase.Seconds() != 3 || s.Queue != "" || s.CatchUp != scheduler.CatchUpOnce {
		t.Errorf("added %+v", s)
	}
	says(`enabled "beat"`, "enable", "beat")
	b.refuses("look at it again", "schedule", "edit", "beat", "--every", "1m", "--revision", first.Revision.String())
	says(`changed "beat"`, "edit", "beat", "--cron", "*/5 * * * *", "--max-runs", "7", "--revision", list()["beat"].Revision.String())
	if s := list()["beat"].Schedule; !s.Enabled || s.Every != 0 || s.Phase != 0 || s.Cron != "*/5 * * * *" || s.MaxRuns != 7 || s.Task != "noop" {
		t.Errorf("edited to %+v", s)
	}
	says("0 of 7", "list")
	says(`disabled "beat"`, "disable", "beat")
	says("disabled", "list")
	says("nothing was due yet", "history", "beat")
	p := b.run("schedule", "run-now", "beat")
	p.ended(0)
	if !strings.Contains(p.stderr.String(), "no scheduler leads") {
		t.Errorf("run-now says %q", &p.stderr)
	}
	says(`removed "beat"`, "remove", "beat")
	b.refuses("there is none of this name", "schedule", "history", "beat")
	if _, is := list()["beat"]; is {
		t.Error("it is still there")
	}
}

func TestAListIsShownWithoutWhatCannotBeRead(t *testing.T) {
	t.Parallel()
	b, r := newBox(t), ownRedis(t, server.RedisOptions{})
	b.env = []string{"ACKLAB_STORE_URL=" + r.URL("")}
	b.run("schedule", "add", "good", "--task", "noop", "--every", "10s").ended(0)
	c := r.Client()
	defer c.Close()
	if err := c.HSet(t.Context(), "acklab:schedule:entries", "bad", `7 {"name":"bad","task":"noop","every":"1ms"}`, "worse", "7").Err(); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"schedule", "list"}, {"schedule", "list", "--json"}} {
		p := b.run(args...)
		p.ended(1)
		if out := p.stdout.String(); !strings.Contains(out, "good") || strings.Contains(out, "bad") {
			t.Errorf("%s shows\n%s", args, out)
		}
		said := p.stderr.String()
		if strings.Count(said, "\n") != 1 || !strings.Contains(said, `schedule "bad": every: 1ms is outside`) || !strings.Contains(said, `schedule "worse": `) {
			t.Errorf("%s says\n%s", args, said)
		}
	}
	b.refuses(`schedule "bad": every: 1ms`, "schedule", "edit", "bad", "--task", "add") // not --every, which was not given
	b.refuses(`run schedule "bad" now .*schedule "bad": every: 1ms`, "schedule", "run-now", "bad")
	b.run("schedule", "remove", "good").ended(0)
	p := b.run("schedule", "list")
	p.ended(1)
	if out := p.stdout.String(); !strings.HasPrefix(out, "no schedule that can be read\n") {
		t.Errorf("list shows\n%s", out)
	}
	if err := c.LPush(t.Context(), "acklab:schedule:history:bad", "7").Err(); err != nil {
		t.Fatal(err)
	}
	p = b.run("schedule", "history", "bad")
	p.ended(1)
	if out := p.stdout.String(); out != "no outcome that can be read\n" || !strings.Contains(p.stderr.String(), `outcome 1 of schedule "bad": `) {
		t.Errorf("history shows\n%s%s", out, &p.stderr)
	}
	for _, name := range []string{"bad", "worse"} {
		b.run("schedule", "remove", name).ended(0)
	}
	b.run("schedule", "list").ended(0)
}
