package rabbitbroker

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"testing"
	"time"

	"acklab/broker"
	"acklab/internal/server"
	"acklab/task"
)

const (
	// delayedTasks wait at the same time, and may make the node use
	// delayedLimit bytes more.
	delayedTasks = 10_000
	delayedLimit = 60 << 20
)

// memoryOf is what the node uses, in bytes, when it has cleaned up.
func memoryOf(t testing.TB, r *server.Rabbit) int {
	t.Helper()
	out, err := r.Eval(within(t), "[erlang:garbage_collect(P) || P <- erlang:processes()], erlang:memory(total)")
	if err != nil {
		t.Fatal(err)
	}
	n, err := strconv.Atoi(out)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestTenThousandDelaysFitIntoSixtyMegabytesAndFortyQueues(t *testing.T) {
	t.Parallel()
	for _, queueType := range []string{"classic", "quorum"} {
		t.Run(queueType, func(t *testing.T) {
			t.Parallel()
			r := startNode(t)
			b, _ := stocked(t, r.URL("")+"?queue_type="+queueType, "delayed", 100, broker.Options{})
			before := memoryOf(t, r)
			var msgs []*task.Message
			for range delayedTasks {
				msgs = append(msgs, later(t, "delayed", time.Minute+time.Duration(rand.Int64N(int64(59*time.Minute)))))
			}
			publishAll(t, b, msgs...)
			grown := memoryOf(t, r) - before
			queues := len(queuesOf(t, r, "delayed"+delaySuffix+"."))
			depth, err := b.Depth(within(t), "delayed")
			if err != nil || *depth.Delayed != delayedTasks || *depth.Ready != 100 {
				t.Errorf("depth %+v, %v; want %d delayed and 100 ready", depth, err, delayedTasks)
			}
			t.Logf("%s: %d delays: %s more in use, %d delay queues", queueType, delayedTasks, fmt.Sprintf("%.1f MB", float64(grown)/(1<<20)), queues)
			if grown > delayedLimit || queues > 40 || queues < 2 {
				t.Errorf("%d bytes more in use, %d delay queues; want at most %d and 40", grown, queues, delayedLimit)
			}
		})
	}
}
