package experiments

import (
	"testing"

	"acklab/internal/check"
	"acklab/internal/ledger"
	"acklab/internal/server"
)

// streamed carries out one trial in which the fault comes in the middle of a stream of
// tasks that are published one by one, and a worker then takes what is left.
func streamed(t *testing.T, persistence string, steps ...Step) check.Result {
	t.Helper()
	needServers(t)
	if _, err := server.FindStrace(); err != nil {
		t.Skip(err, "(make test installs it)")
	}
	sys, err := systemNamed("asynq")
	if err != nil {
		t.Fatal(err)
	}
	const load = 1000
	c := &Cell{
		System: sys, Setting: Setting{"persistence": persistence}, Load: load,
		Server: ServerSpec{Own: true, Trace: true, Persistence: persistence},
		Expect: ledger.Expect{Faults: []string{faultPowerCut}, BrokerFault: true},
	}
	c.Steps = append([]Step{Declare(), AgeServer(), StartProducer(Job{Count: load, Name: "noop", Rate: 200})}, steps...)
	c.Steps = append(c.Steps, StartWorker("worker", Hands{Ack: "late", Concurrency: 4, Multiplier: 4}), AwaitConsuming("worker"))
	r, err := newRunner(t.Context(), Options{Self: binary, Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer r.close()
	result, err := r.execute(t.Context(), trialJob{experiment: "power-cut", cell: c, steps: c.Steps, number: 1, seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%s: %v, measures %v", persistence, result.Counts, result.Measures)
	for _, why := range result.Unsure {
		t.Errorf("%s: unsure: %s", persistence, why)
	}
	return result
}

func TestAPowerCutUnderLoadTakesOnlyWhatWasNotSynced(t *testing.T) {
	for persistence, want := range map[string][2]int{"aof-always": {0, 0}, "aof-everysec": {1, 700}, "aof-no": {500, 700}} {
		lost := 0
		for range 3 { // a cut may come in the milliseconds after a sync
			if lost = streamed(t, persistence, UnderLoad(500, CutPower())).Counts["lost"]; lost >= want[0] {
				break
			}
		}
		if lost < want[0] || lost > want[1] {
			t.Errorf("%s: %d lost, want %v", persistence, lost, want)
		}
	}
}
