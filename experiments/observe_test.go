package experiments

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"

	"acklab/internal/check"
	"acklab/internal/ledger"
	"acklab/internal/metrics"
	"acklab/internal/observe"
	"acklab/internal/report"
	"acklab/internal/server"
)

// observedCell has a worker killed in the middle of a load of some seconds,
// and a second one that goes on. Other steps may come before the kill.
func observedCell(sys System, before ...Step) Cell {
	hands := Hands{Ack: "late", Concurrency: 2, Multiplier: 1}
	job := Job{Count: 300, Name: "sleep", Args: []any{0.01}, Rate: 75}
	c := Cell{
		System: sys, Setting: Setting{}, Trials: 1, Pace: Alone, Load: job.Count, Observe: true, Seconds: 10,
		Expect:    ledger.Expect{Victim: "victim", Faults: []string{faultKill}},
		Predicted: check.Bounds{"restarted": {0, 2}, "redelivered": {0, 4}},
		Because:   "the two that ran are run again", Reasons: map[string]string{"restarted": "chance", "redelivered": "chance"},
	}
	c.Steps = append([]Step{Declare(), StartWorker("victim", hands), StartProducer(job), AwaitCount("victim", ledger.Finished, 150)}, before...)
	c.Steps = append(c.Steps, Kill("victim"), StartWorker("survivor", hands), awaitEnd("producer"))
	return c
}

// awaitEnd waits until the member has ended by itself.
func awaitEnd(name string) Step {
	return Step{"wait for the end of " + name, func(ctx context.Context, t *Trial) error { return t.ended(ctx, name) }}
}

// runCell carries out one cell, and returns what became of it and what was
// seen of its trial.
func runCell(t *testing.T, c Cell) (report.Cell, observe.Observation) {
	t.Helper()
	cell, dir := cellRun(t, c)
	seen, err := observe.Load(dir, cell.Trials[0].ID)
	if err != nil {
		t.Fatal(err)
	}
	return cell, seen
}

// cellRun carries out one cell, and returns what became of it and the folder of the
// run.
func cellRun(t *testing.T, c Cell) (cell report.Cell, dir string) {
	t.Helper()
	plan := Plan{Experiments: []Planned{{Experiment: &Experiment{Name: "observed"}, cells: []*Cell{readied(c, Full, 0)}}}}
	if why := plan.Experiments[0].cells[0].NotRun; why != "" {
		t.Skip(why)
	}
	dir = t.TempDir()
	run, err := Run(t.Context(), plan, Options{Self: binary, Dir: dir, Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	return run.Experiments[0].Cells[0], dir
}

func needPrometheus(t *testing.T) {
	t.Helper()
	if _, err := server.FindPrometheus(); err != nil {
		t.Skip(err, "; make test installs it")
	}
}

func TestAnObservedTrialHasItsSeriesItsWindowAndItsDifferencesExplained(t *testing.T) {
	needPrometheus(t)
	for _, name := range []string{"asynq", "rabbitmq"} {
		t.Run(name, func(t *testing.T) {
			sys, err := systemNamed(name)
			if err != nil {
				t.Fatal(err)
			}
			cell := observedCell(sys)
			cell.Stranding = true // what the victim held may wait for its lease
			if name == "asynq" {
				cell.Predicted = check.Bounds{"stranded": {0, 2}, "leftover": {0, 2}}
				cell.Reasons = map[string]string{"stranded": "chance", "leftover": "what had finished while its acknowledgement was on its way"}
			}
			got, seen := runCell(t, cell)
			if got.Outcome != report.AsPredicted {
				t.Errorf("%s: %s", got.Outcome, got.Reason)
			}
			if seen.Missing != "" || len(seen.Notes) > 0 {
				t.Fatalf("missing %q, notes %q", seen.Missing, seen.Notes)
			}
			for title, series := range map[string][]string{
				"queue depth": {"ready", "unacked"}, "in flight": {"victim", "survivor"}, "finished per second": {"victim", "survivor"},
				"published per second": {"confirmed"}, "wait between publish and start": {"p50", "p99"},
				"broker up, as each process and the scrapes of the server see it": {"victim", "survivor"},
			} {
				for _, s := range series {
					if highest(seen, title, s) < 0 {
						t.Errorf("plot %q has no values for %s", title, s)
					}
				}
			}
			if rate := highest(seen, "finished per second", "victim"); rate < 40 || rate > 150 {
				t.Errorf("the victim finished up to %.0f tasks a second, the load was 75", rate)
			}
			if len(seen.Windows) != 1 || !strings.Contains(seen.Windows[0].Fault, "kill") {
				t.Fatalf("windows %+v, want the one of the kill", seen.Windows)
			}
			checkDeath(t, seen)
			explained(t, seen)
		})
	}
}

// checkDeath: the victim is last seen before its end, within a few scrapes.
func checkDeath(t *testing.T, seen observe.Observation) {
	t.Helper()
	killed := seen.Windows[0].From
	last := -1.0
	for at := range valuesOf(seen, "in flight", "victim") {
		last = max(last, at)
	}
	if last < killed-2*seen.Interval || last > killed+2*seen.Interval {
		t.Errorf("the victim is last seen %.2f s after the beginning, it was killed at %.2f", last, killed)
	}
}

// explained: what the victim did after its last scrape is missing in
// Prometheus, every difference has its reason, and the survivor has none.
func explained(t *testing.T, seen observe.Observation) {
	t.Helper()
	for _, d := range seen.Differences {
		t.Logf("%s: prometheus %v, ledger %v: %s", d.What, d.Prometheus, d.Ledger, d.Why)
		if strings.HasPrefix(d.Why, "unexplained") || d.Prometheus > d.Ledger || strings.Contains(d.What, "survivor") {
			t.Errorf("%s: prometheus %v, ledger %v: %s", d.What, d.Prometheus, d.Ledger, d.Why)
		}
	}
}

// highest is the highest value of a series; -1: it has none.
func highest(seen observe.Observation, title, series string) float64 {
	top := -1.0
	for _, v := range valuesOf(seen, title, series) {
		top = max(top, v)
	}
	return top
}

func TestATrialIsJudgedWithoutPrometheusAndSaysWhatIsMissing(t *testing.T) {
	t.Setenv(server.PrometheusVariable, "/nowhere/prometheus")
	sys, err := systemNamed("asynq")
	if err != nil {
		t.Fatal(err)
	}
	cell := quietCell(sys)
	plan := Plan{Experiments: []Planned{{Experiment: &Experiment{Name: "observed"}, cells: []*Cell{&cell}}}}
	if why := plan.Unobserved(); !strings.Contains(why, "install prometheus") || strings.Contains(why, "\n") {
		t.Errorf("the line before the run is %q", why)
	}
	got, seen := runCell(t, cell)
	if got.Outcome != report.AsPredicted {
		t.Errorf("%s: %s", got.Outcome, got.Reason)
	}
	if !strings.Contains(seen.Missing, "prometheus is not installed") || !strings.Contains(seen.Missing, "install prometheus") {
		t.Errorf("missing is %q", seen.Missing)
	}
}

// quietCell has nothing go wrong. Other steps come when half is done.
func quietCell(sys System, between ...Step) Cell {
	job := Job{Count: 20, Name: "noop"}
	c := Cell{
		System: sys, Setting: Setting{}, Trials: 1, Pace: Alone, Load: 2 * job.Count, Observe: true, Seconds: 5,
		Predicted: check.Bounds{}, Because: "nothing is done to it",
	}
	c.Steps = append([]Step{Declare(), PublishAs("first", job), StartWorker("worker", Hands{Ack: "late", Concurrency: 2, Multiplier: 1}), AwaitCount("worker", ledger.Finished, job.Count)}, between...)
	c.Steps = append(c.Steps, PublishAs("second", job), AwaitCount("worker", ledger.Finished, 2*job.Count))
	return c
}

func TestAPrometheusThatDiesDuringATrialIsNotedAndChangesNoVerdict(t *testing.T) {
	needPrometheus(t)
	defer goleak.VerifyNone(t)
	sys, err := systemNamed("asynq")
	if err != nil {
		t.Fatal(err)
	}
	got, seen := runCell(t, quietCell(sys, Step{"kill prometheus", func(ctx context.Context, t *Trial) error {
		return t.run.observer.Prometheus().Kill(ctx)
	}}))
	if got.Outcome != report.AsPredicted {
		t.Errorf("%s: %s", got.Outcome, got.Reason)
	}
	if !strings.Contains(seen.Missing, "prometheus ended during the trial") {
		t.Errorf("missing is %q", seen.Missing)
	}
	if len(seen.Differences) > 0 {
		t.Errorf("differences without a Prometheus to differ: %+v", seen.Differences)
	}
}

func TestTheServersOwnMetricsAreThereWhileItIsUpAndGoneWhileItIsDown(t *testing.T) {
	needPrometheus(t)
	for _, name := range []string{"asynq", "rabbitmq"} {
		t.Run(name, func(t *testing.T) {
			sys, err := systemNamed(name)
			if err != nil {
				t.Fatal(err)
			}
			var dead, booting int64 // CLOCK_MONOTONIC
			_, seen := runCell(t, downCell(sys, &dead, &booting))
			if seen.Missing != "" {
				t.Fatal(seen.Missing)
			}
			target := map[ServerKind]string{RedisServer: "redis", RabbitMQ: "rabbitmq"}[sys.Kind]
			down, up := float64(dead-seen.Begin)/1e9, float64(booting-seen.Begin)/1e9
			var before, during, after []float64
			for at, v := range valuesOf(seen, "broker up", target) {
				switch {
				case at < down:
					before = append(before, v)
				case at > down+1.1 && at < up: // the sample of the scrape before stays for a second
					during = append(during, v)
				case at > up:
					after = append(after, v)
				}
			}
			if !slices.Contains(before, 1) || !slices.Contains(after, 1) || len(during) == 0 || slices.Contains(during, 1) {
				t.Errorf("up of %s was %v, while it was dead %v, then %v", target, before, during, after)
			}
		})
	}
}

// valuesOf are the values of a series by their times.
func valuesOf(seen observe.Observation, title, series string) map[float64]float64 {
	values := map[float64]float64{}
	for _, p := range seen.Plots {
		for _, s := range p.Series {
			for i, v := range s.Values {
				if v != nil && strings.HasPrefix(p.Title, title) && s.Name == series {
					values[p.Times[i]] = *v
				}
			}
		}
	}
	return values
}

// downCell kills the server and has it down for some scrapes.
func downCell(sys System, dead, booting *int64) Cell {
	c := quietCell(sys)
	c.Server.Own = true
	waiting := func(d time.Duration) Step {
		return Step{"let some scrapes go by", func(ctx context.Context, _ *Trial) error { return pause(ctx, d) }}
	}
	c.Steps = []Step{
		Declare(), waiting(3 * time.Second), {"kill the server", func(ctx context.Context, t *Trial) error {
			defer func() { *dead = ledger.Now() }()
			return t.server.Kill(ctx)
		}}, waiting(3 * time.Second),
		{"boot the server", func(ctx context.Context, t *Trial) error {
			*booting = ledger.Now()
			return t.server.Boot(ctx)
		}}, waiting(3 * time.Second),
	}
	return c
}

func TestAnInterruptedRunLeavesNoPrometheusBehind(t *testing.T) {
	needPrometheus(t)
	sys, err := systemNamed("asynq")
	if err != nil {
		t.Fatal(err)
	}
	ctx, interrupt := context.WithCancel(t.Context())
	defer interrupt()
	var pid int
	cell := quietCell(sys, Step{"interrupt the run", func(_ context.Context, t *Trial) error {
		pid = t.run.observer.Prometheus().Pid()
		interrupt()
		return nil
	}})
	registry := prometheus.NewRegistry()
	shown, err := metrics.Serve(t.Context(), "127.0.0.1:0", registry)
	if err != nil {
		t.Fatal(err)
	}
	defer shown.Close()
	plan := Plan{Experiments: []Planned{{Experiment: &Experiment{Name: "observed"}, cells: []*Cell{readied(cell, Full, 0)}}}}
	_, err = Run(ctx, plan, Options{Self: binary, Dir: t.TempDir(), Seed: 1, Metrics: metrics.New(registry), MetricsAddr: shown.Addr()})
	if !errors.Is(err, context.Canceled) || pid == 0 {
		t.Fatalf("%v, prometheus was process %d", err, pid)
	}
	if line, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid)); err == nil && strings.Contains(string(line), "prometheus") {
		t.Errorf("process %d is left: %s", pid, line)
	}
}
