package rabbitbroker

import (
	"testing"
	"time"

	"acklab/broker"
	"acklab/task"
)

func TestDelayedMessagesSurviveAKilledNode(t *testing.T) {
	t.Parallel()
	for _, queueType := range []string{"classic", "quorum"} {
		t.Run(queueType, func(t *testing.T) {
			t.Parallel()
			r := startNode(t)
			u := r.URL("") + "?queue_type=" + queueType
			b, _ := stocked(t, u, "kept", 0, broker.Options{})
			var sent []*task.Message
			for range 200 {
				sent = append(sent, later(t, "kept", time.Hour))
			}
			publishAll(t, b, sent...)
			settleYoungQueues(within(t), t, r)
			killed(t, r)
			after := openURL(t, u, broker.Options{})
			if depth, err := after.Depth(within(t), "kept"); err != nil || *depth.Delayed != len(sent) {
				t.Errorf("depth %+v, %v; want %d delayed", depth, err, len(sent))
			}
			wantHeld(t, after, "kept", sent)
		})
	}
}

// TestAKillInTheMomentOfTheHopLosesNothing kills the node when the first of
// many messages that are due at once have come. What came twice is allowed:
// a quorum delay queue dead-letters at least once.
func TestAKillInTheMomentOfTheHopLosesNothing(t *testing.T) {
	t.Parallel()
	for _, queueType := range []string{"classic", "quorum"} {
		t.Run(queueType, func(t *testing.T) {
			t.Parallel()
			r := startNode(t)
			u := r.URL("") + "?queue_type=" + queueType
			b, _ := stocked(t, u, "hop", 0, broker.Options{})
			const n = 1000
			var sent []*task.Message
			for range n {
				sent = append(sent, later(t, "hop", 3*time.Second-100*time.Millisecond))
			}
			publishAll(t, b, sent...)
			settleYoungQueues(within(t), t, r)
			until(t, "the first has come", func() bool {
				v, err := r.Queue(within(t), "hop")
				return err == nil && v.Ready > 0
			})
			killed(t, r)
			until(t, "all have come", func() bool {
				waiting, err := r.QueuesUnder(within(t), "hop.delay.")
				return err == nil && waiting.Ready == 0
			})
			client := openURL(t, u, broker.Options{})
			var came map[string]bool
			var copies int
			until(t, "all of them are there", func() bool {
				came, copies = map[string]bool{}, 0
				for h, err := range client.Census(within(t), "hop") {
					if err != nil {
						t.Log(err)
						return false
					}
					if came[h.Message.ID] {
						copies++
					}
					came[h.Message.ID] = true
				}
				t.Logf("%d of %d are there, %d copies", len(came), n, copies)
				return len(came) == n
			})
		})
	}
}
