package worker_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"acklab/internal/metrics"
	"acklab/task"
	"acklab/worker"
)

func TestAWorkerCountsWhatItDoes(t *testing.T) {
	inBubble(t, func(b *bench) {
		reg := prometheus.NewRegistry()
		b.cfg.Metrics = metrics.New(reg)
		b.cfg.Ack = worker.Late
		b.handler("fail", func(context.Context) error { return errBoom })
		b.publish("noop")
		b.publish("noop")
		b.publish("fail")
		b.publish("nobody_knows")
		b.publishWith(task.Options{Queue: queue, Expires: time.Now().Add(-time.Second)}, "noop")
		b.start()
		b.publish("sleep", 1)
		b.settle()
		want := `
# HELP acklab_worker_in_flight Deliveries that this worker has received and not settled.
# TYPE acklab_worker_in_flight gauge
acklab_worker_in_flight 1
`
		b.must("in flight", testutil.GatherAndCompare(reg, strings.NewReader(want), "acklab_worker_in_flight"))
		b.server.CloseConnections() // the running one comes again
		b.sleep(3 * time.Second)
		b.must("metrics", testutil.GatherAndCompare(reg, strings.NewReader(workerMetrics),
			"acklab_tasks_total", "acklab_received_total", "acklab_redelivered_total", "acklab_worker_in_flight", "acklab_broker_up", "acklab_reconnects_total"))
		if n, err := testutil.GatherAndCount(reg, "acklab_task_run_seconds"); err != nil || n == 0 {
			t.Errorf("run times: %d series, %v", n, err)
		}
	})
}

const workerMetrics = `
# HELP acklab_broker_up Whether this process is connected to its broker: 1 or 0.
# TYPE acklab_broker_up gauge
acklab_broker_up 1
# HELP acklab_received_total Deliveries received from the broker.
# TYPE acklab_received_total counter
acklab_received_total{queue="q"} 7
# HELP acklab_reconnects_total Connections to the broker that were made again after one was lost.
# TYPE acklab_reconnects_total counter
acklab_reconnects_total 1
# HELP acklab_redelivered_total Deliveries received that the broker marked as delivered before.
# TYPE acklab_redelivered_total counter
acklab_redelivered_total{queue="q"} 1
# HELP acklab_tasks_total Tasks that entered a state: RECEIVED, STARTED, RETRY, SUCCESS, FAILURE or REVOKED.
# TYPE acklab_tasks_total counter
acklab_tasks_total{state="FAILURE",task="fail"} 1
acklab_tasks_total{state="FAILURE",task="noop"} 0
acklab_tasks_total{state="FAILURE",task="sleep"} 0
acklab_tasks_total{state="FAILURE",task="unknown"} 1
acklab_tasks_total{state="RECEIVED",task="fail"} 0
acklab_tasks_total{state="RECEIVED",task="noop"} 0
acklab_tasks_total{state="RECEIVED",task="sleep"} 0
acklab_tasks_total{state="RECEIVED",task="unknown"} 0
acklab_tasks_total{state="RETRY",task="fail"} 0
acklab_tasks_total{state="RETRY",task="noop"} 0
acklab_tasks_total{state="RETRY",task="sleep"} 0
acklab_tasks_total{state="RETRY",task="unknown"} 0
acklab_tasks_total{state="REVOKED",task="fail"} 0
acklab_tasks_total{state="REVOKED",task="noop"} 1
acklab_tasks_total{state="REVOKED",task="sleep"} 0
acklab_tasks_total{state="REVOKED",task="unknown"} 0
acklab_tasks_total{state="STARTED",task="fail"} 1
acklab_tasks_total{state="STARTED",task="noop"} 2
acklab_tasks_total{state="STARTED",task="sleep"} 2
acklab_tasks_total{state="STARTED",task="unknown"} 0
acklab_tasks_total{state="SUCCESS",task="fail"} 0
acklab_tasks_total{state="SUCCESS",task="noop"} 2
acklab_tasks_total{state="SUCCESS",task="sleep"} 2
acklab_tasks_total{state="SUCCESS",task="unknown"} 0
# HELP acklab_worker_in_flight Deliveries that this worker has received and not settled.
# TYPE acklab_worker_in_flight gauge
acklab_worker_in_flight 0
`
