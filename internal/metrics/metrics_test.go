package metrics_test

import (
	"strings"
	"testing"
	"time"

	"acklab/internal/metrics"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
)

// feed touches every metric once.
func feed(m *metrics.Metrics) {
	m.Published("q", metrics.Confirmed, 3)
	m.Published("q", metrics.Refused, 1)
	m.Published("q", metrics.Unsure, 2)
	m.Received("q", false)
	m.Received("q", true)
	n, age := 7, 1500*time.Millisecond
	m.QueueDepth("q", metrics.Depth{Ready: &n, Unacked: &n, Oldest: &age})
	m.KnowTasks("send_email")
	m.TaskEntered("send_email", metrics.Success)
	m.Retried("send_email")
	m.Waited("send_email", time.Millisecond)
	m.Ran("send_email", 20*time.Millisecond)
	m.InFlight(4)
	m.BrokerUp(true)
	m.Reconnected()
	m.Leads(false)
	m.Ticked("sent", 2)
	m.TickRepeated()
	m.TickLate(3 * time.Millisecond)
	m.FaultActive("freeze", true)
	m.CellDone("worker-crash", "redis", map[string]string{"crash_at": "started", "ack": "late"}, "as predicted", map[string]int{"finished": 10, "lost": 0})
}

func TestEveryMetricOfTheDesignIsThereAndFollowsTheNamingRules(t *testing.T) {
	t.Parallel()
	reg := prometheus.NewPedanticRegistry()
	feed(metrics.New(reg))
	problems, err := testutil.GatherAndLint(reg)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
	for _, name := range []string{
		"acklab_published_total", "acklab_received_total", "acklab_redelivered_total", "acklab_tasks_total", "acklab_task_wait_seconds",
		"acklab_task_run_seconds", "acklab_retries_total", "acklab_worker_in_flight", "acklab_queue_depth", "acklab_queue_oldest_seconds",
		"acklab_broker_up", "acklab_reconnects_total", "acklab_scheduler_leader", "acklab_scheduler_ticks_total",
		"acklab_scheduler_repeated_total", "acklab_scheduler_lateness_seconds", "acklab_fault_active", "acklab_experiment_tasks", "acklab_experiment_outcome",
	} {
		if n, err := testutil.GatherAndCount(reg, name); err != nil || n == 0 {
			t.Errorf("%s: %d series, %v", name, n, err)
		}
	}
}

func TestWhatWasSaidIsWhatIsShown(t *testing.T) {
	t.Parallel()
	reg := prometheus.NewRegistry()
	feed(metrics.New(reg))
	want := `
# HELP acklab_published_total Messages published, by how the publish ended: confirmed, unsure or refused.
# TYPE acklab_published_total counter
acklab_published_total{outcome="confirmed",queue="q"} 3
acklab_published_total{outcome="refused",queue="q"} 1
acklab_published_total{outcome="unsure",queue="q"} 2
# HELP acklab_received_total Deliveries received from the broker.
# TYPE acklab_received_total counter
acklab_received_total{queue="q"} 2
# HELP acklab_redelivered_total Deliveries received that the broker marked as delivered before.
# TYPE acklab_redelivered_total counter
acklab_redelivered_total{queue="q"} 1
# HELP acklab_experiment_outcome Outcome of a finished cell: 1 for the one it has.
# TYPE acklab_experiment_outcome gauge
acklab_experiment_outcome{experiment="worker-crash",outcome="as predicted",setting="ack=late,crash_at=started",system="redis"} 1
acklab_experiment_outcome{experiment="worker-crash",outcome="not run",setting="ack=late,crash_at=started",system="redis"} 0
acklab_experiment_outcome{experiment="worker-crash",outcome="surprise",setting="ack=late,crash_at=started",system="redis"} 0
acklab_experiment_outcome{experiment="worker-crash",outcome="unsure",setting="ack=late,crash_at=started",system="redis"} 0
`
	if err := testutil.GatherAndCompare(reg, strings.NewReader(want), "acklab_published_total", "acklab_received_total", "acklab_redelivered_total", "acklab_experiment_outcome"); err != nil {
		t.Error(err)
	}
}

func TestAProcessShowsNothingThatItDoesNotKnow(t *testing.T) {
	t.Parallel()
	reg := prometheus.NewRegistry()
	metrics.New(reg)
	if n, err := testutil.GatherAndCount(reg); err != nil || n != 0 {
		t.Errorf("a process that did nothing shows %d series (%v), want 0", n, err)
	}
}

func TestADepthThatTheBrokerStopsTellingIsTakenAway(t *testing.T) {
	t.Parallel()
	reg := prometheus.NewRegistry()
	m := metrics.New(reg)
	n, age := 5, time.Second
	m.QueueDepth("q", metrics.Depth{Ready: &n, Unacked: &n, Oldest: &age})
	m.QueueDepth("q", metrics.Depth{Ready: &n})
	if got, err := testutil.GatherAndCount(reg, "acklab_queue_depth", "acklab_queue_oldest_seconds"); err != nil || got != 1 {
		t.Errorf("%d series (%v), want the one for ready", got, err)
	}
}

func TestTaskNamesThatNobodyRegisteredAreCountedAsUnknown(t *testing.T) {
	t.Parallel()
	reg := prometheus.NewRegistry()
	m := metrics.New(reg)
	m.KnowTasks("add")
	for i := range 1000 {
		m.TaskEntered("made-up-"+strings.Repeat("x", i), metrics.Received)
	}
	m.TaskEntered("add", metrics.Received)
	m.TaskEntered("add", "NO-SUCH-STATE")
	want := `
# HELP acklab_tasks_total Tasks that entered a state: RECEIVED, STARTED, RETRY, SUCCESS, FAILURE or REVOKED.
# TYPE acklab_tasks_total counter
`
	for _, name := range []string{"add", "unknown"} {
		for _, state := range []string{"FAILURE", "RECEIVED", "RETRY", "REVOKED", "STARTED", "SUCCESS"} {
			n := "0"
			if state == "RECEIVED" {
				n = map[string]string{"add": "1", "unknown": "1000"}[name]
			}
			want += `acklab_tasks_total{state="` + state + `",task="` + name + "\"} " + n + "\n"
		}
	}
	if err := testutil.GatherAndCompare(reg, strings.NewReader(want), "acklab_tasks_total"); err != nil {
		t.Error(err)
	}
}

func TestTheNumberOfQueuesIsBounded(t *testing.T) {
	t.Parallel()
	reg := prometheus.NewRegistry()
	m := metrics.New(reg)
	for i := range 1000 {
		m.Received(strings.Repeat("q", i+1), false)
	}
	n, err := testutil.GatherAndCount(reg, "acklab_received_total")
	if err != nil || n != 201 {
		t.Errorf("%d series (%v), want 200 queues and other", n, err)
	}
}

func TestNilMetricsCountNothing(t *testing.T) {
	t.Parallel()
	feed(nil)
}

func BenchmarkTaskEntered(b *testing.B) {
	m := metrics.New(prometheus.NewRegistry())
	m.KnowTasks("add")
	b.ReportAllocs()
	for b.Loop() {
		m.TaskEntered("add", metrics.Success)
	}
}
