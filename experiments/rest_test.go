package experiments

import (
	"testing"

	"acklab/internal/check"
	"acklab/internal/ledger"
	"acklab/internal/report"
)

// A run that is awaited and never comes is what a claim may be about: the trial has
// to count.
func TestATrialThatWaitsForMoreRunsThanThereWillBeCounts(t *testing.T) {
	t.Parallel()
	needServers(t)
	for _, name := range []string{"memory", "redis", "rabbitmq"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sys, err := systemNamed(name)
			if err != nil {
				t.Fatal(err)
			}
			const sent = 3
			job, hands := Job{Count: sent, Name: "noop"}, Hands{Ack: "late", Concurrency: 2, Multiplier: 1}
			c := Cell{
				System: sys, Setting: Setting{}, Trials: 1, Pace: Beside, Load: sent, Seconds: 10,
				Predicted: check.Bounds{"finished": {sent + 1, sent + 1}}, Because: "one more than there is",
				Steps: []Step{Declare(), Publish(job), StartWorker("worker", hands), AwaitRuns(sent + 1)},
			}
			if sys.Kind == NoServer {
				c.Steps = []Step{StartTogether("worker", job, hands), AwaitRuns(sent + 1)}
				c.Expect = ledger.Expect{QueueDiesWith: "worker"}
			}
			got, _ := cellRun(t, c)
			if got.Outcome != report.Surprise || len(got.Trials) != 1 || len(got.Trials[0].Unsure) > 0 {
				t.Errorf("%s (%s); want a surprise that counts", got.Outcome, got.Reason)
			}
		})
	}
}
