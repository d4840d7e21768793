package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"acklab/experiments"
	"acklab/internal/check"
	"acklab/internal/ledger"
	"acklab/internal/report"
	"acklab/internal/server"
	"acklab/worker"
)

// smoke runs the suite smoke on the in-process queue and returns the folder.
func smoke(t *testing.T, b *box) string {
	t.Helper()
	b.run("run", "smoke", "--systems", "memory", "--out", b.path("runs")).ended(0)
	return b.path("runs/latest")
}

func TestTheSmokeSuiteRunsOnTheInProcessQueue(t *testing.T) {
	t.Parallel()
	b := newBox(t)
	dir := smoke(t, b)
	raw, err := os.ReadFile(filepath.Join(dir, "report.json"))
	if err != nil {
		t.Fatal(err)
	}
	var run struct {
		Schema      int
		Experiments []struct {
			Name  string
			Cells []struct {
				System, Outcome, Reason string
				Trials                  []struct{ Counts map[string]int }
			}
		}
	}
	if err := json.Unmarshal(raw, &run); err != nil {
		t.Fatal(err)
	}
	trials := 0
	for _, e := range run.Experiments {
		for _, c := range e.Cells {
			if c.System != "memory" || c.Outcome != "as predicted" && c.Outcome != "not run" || c.Outcome == "not run" && c.Reason == "" {
				t.Errorf("%s: %+v", e.Name, c)
			}
			for _, trial := range c.Trials {
				trials++
				for _, name := range check.Names {
					if _, there := trial.Counts[name]; !there {
						t.Errorf("%s: the count %s is missing", e.Name, name)
					}
				}
				if trial.Counts["attempted"] == 0 {
					t.Errorf("%s: nothing was attempted", e.Name)
				}
			}
		}
	}
	if run.Schema != report.Schema || trials == 0 {
		t.Errorf("schema %d, %d trials", run.Schema, trials)
	}
	for _, file := range []string{"report.md", "index.html", "ledger", "logs"} {
		if _, err := os.Stat(filepath.Join(dir, file)); err != nil {
			t.Error(err)
		}
	}
	b.run("recheck", dir).ended(0)
}

func TestExplainTellsOneTaskAndAsksForMoreOfAnAmbiguousID(t *testing.T) {
	t.Parallel()
	b := newBox(t)
	dir := smoke(t, b)
	ids := taskIDs(t, dir)
	p := b.run("explain", dir, ids[0])
	p.ended(0)
	if !strings.Contains(p.stdout.String(), ids[0]) {
		t.Errorf("it tells of another task:\n%s", &p.stdout)
	}
	b.refuses("no task|no such task", "explain", dir, "no-such-id")
	b.refuses("is empty", "explain", dir, "")
	b.refuses(ids[0][:1]+".*(ambiguous|several|more than one)", "explain", dir, ambiguous(t, ids))
}

// taskIDs are the ids of all tasks of a run, sorted.
func taskIDs(t *testing.T, dir string) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "ledger", "*", "*.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]bool{}
	for _, file := range files {
		for _, l := range lines(t, file, ledger.Attempted) {
			found[l.Task] = true
		}
	}
	var ids []string
	for id := range found {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	if len(ids) < 20 {
		t.Fatalf("only %d tasks in %v", len(ids), files)
	}
	return ids
}

// ambiguous is the beginning of two ids; of more than sixteen two begin alike.
func ambiguous(t *testing.T, sorted []string) string {
	t.Helper()
	for i := range sorted[1:] {
		if sorted[i][0] == sorted[i+1][0] {
			return sorted[i][:1]
		}
	}
	t.Fatal("no two ids begin alike")
	return ""
}

func TestADryRunSaysWhatItWouldDoAndStartsNothing(t *testing.T) {
	t.Parallel()
	b := newBox(t)
	p := b.run("run", "--dry-run", "flagship", "--out", b.path("runs"))
	p.ended(0)
	for _, want := range []string{"worker-crash", "rabbitmq", "asynq", "ack=late crash_at=mid", "trials, predicted", "1. declare the queue", "about"} {
		if !strings.Contains(p.stdout.String(), want) {
			t.Errorf("it does not say %q:\n%.2000s", want, &p.stdout)
		}
	}
	if _, err := os.Stat(b.path("runs")); err == nil {
		t.Error("it made the folder for runs")
	}
}

func TestTheListHasAllClaimsOnceBuiltOrNot(t *testing.T) {
	t.Parallel()
	b := newBox(t)
	p := b.run("list", "--json")
	p.ended(0)
	var list struct {
		Experiments []struct {
			Name, Question          string
			Claims, Systems, Suites []string
			Cells                   int
			Seconds                 float64
		}
		NotBuilt []string `json:"not_built"`
	}
	if err := json.Unmarshal(p.stdout.Bytes(), &list); err != nil {
		t.Fatal(err)
	}
	where := map[string]string{}
	for _, e := range list.Experiments {
		if e.Name == "" || e.Question == "" || e.Claims == nil || len(e.Systems) == 0 || !slices.Contains(e.Suites, "full") || e.Cells == 0 || e.Seconds <= 0 {
			t.Errorf("an entry is not complete: %+v", e)
		}
		for _, c := range e.Claims {
			where[c] += e.Name
		}
	}
	for _, c := range list.NotBuilt {
		if where[c] != "" {
			t.Errorf("claim %s is not built and in %s", c, where[c])
		}
		where[c] += "not built"
	}
	if len(where) != 87 || len(list.Experiments) != len(experiments.Catalogue) || len(list.NotBuilt) != len(experiments.NotBuilt) {
		t.Errorf("%d claims (want 87) in %d experiments, %d not built", len(where), len(list.Experiments), len(list.NotBuilt))
	}
	b.run("list").ended(0)
}

func TestWithoutAServerItsCellsAreNotRunAndTheStatusSaysSo(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ system, env, names string }{
		{"asynq", "ACKLAB_REDIS_SERVER=/nonexistent", "redis"},
		{"rabbitmq", "ACKLAB_RABBITMQ_HOME=/nonexistent", "rabbitmq"},
	} {
		t.Run(c.system, func(t *testing.T) {
			t.Parallel()
			b := newBox(t)
			b.env = []string{c.env}
			b.run("run", "C1", "B6", "--systems", "memory,"+c.system, "--trials", "1", "--out", b.path("runs")).ended(3)
			run, err := report.Load(b.path("runs/latest"))
			if err != nil {
				t.Fatal(err)
			}
			missing, ran := 0, 0
			for _, e := range run.Experiments {
				for _, cell := range e.Cells {
					switch {
					case cell.System == "memory" && cell.Outcome == report.AsPredicted:
						ran++
					case cell.System == c.system:
						missing++
						if cell.Outcome != report.NotRun || !cell.Missing || !strings.Contains(cell.Reason, c.names) || len(cell.Trials) > 0 {
							t.Errorf("%s %v: %s, missing %t, %s", e.Name, cell.Setting, cell.Outcome, cell.Missing, cell.Reason)
						}
					}
				}
			}
			if missing == 0 || ran == 0 {
				t.Errorf("%d cells for want of a tool, %d others", missing, ran)
			}
		})
	}
}

func TestTheCheckpointsOfTheExperimentsAreThoseOfTheWorker(t *testing.T) {
	t.Parallel()
	plan, err := experiments.NewPlan(experiments.Choice{What: []string{"full"}})
	if err != nil {
		t.Fatal(err)
	}
	used := map[string]map[string]bool{"early": {}, "late": {}}
	for _, e := range plan.Experiments {
		for _, c := range e.Cells() {
			at := c.Setting["crash_at"]
			if at == "" {
				continue
			}
			ack := c.Setting["ack"]
			used[ack][at] = true
		}
	}
	for ack, points := range used {
		var want []string
		for _, p := range worker.Points(worker.AckMode(ack)) {
			want = append(want, string(p))
			if !points[string(p)] {
				t.Errorf("no experiment crashes a worker at %s under %s", p, ack)
			}
			delete(points, string(p))
		}
		for p := range points {
			t.Errorf("an experiment crashes a worker at %s under %s; it knows only %v", p, ack, want)
		}
	}
}

// available are the systems that can be run here.
func available(t *testing.T) string {
	t.Helper()
	systems := "memory"
	if _, err := server.FindRedis(); err == nil {
		systems += ",asynq"
	}
	if _, err := server.FindRabbit(); err == nil {
		systems += ",rabbitmq"
	}
	if systems == "memory" {
		t.Skip("neither redis-server nor rabbitmq-server is here; make test installs them (apt-get install redis-server rabbitmq-server)")
	}
	return systems
}

// wideRun starts a run with servers, workers and tasks that wait for leases.
func wideRun(b *box, seed uint64) *running {
	b.t.Helper()
	return b.start("run", "B1", "B6", "A4", "--systems", available(b.t), "--trials", "1", "--seed", fmt.Sprint(seed), "--out", b.path("runs"))
}
