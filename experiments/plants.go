package experiments

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"

	"acklab/broker"
	"acklab/internal/plant"
)

// The plants of the runner itself; those of brokers are in package plant.
const (
	plantNoFault     = "fault-never-happened" // the fault is not injected
	plantIdleVictim  = "victim-idle"          // nothing is published
	plantMissing     = "ledger-missing"       // a member's ledger is deleted
	plantTorn        = "ledger-torn"          // it ends in the middle of a line
	plantGap         = "ledger-gap"           // a line in its middle is gone
	plantAnyOutcome  = "prediction-0-to-n"    // the prediction cannot fail
	plantEmptyFolder = "empty-folder"         // the server is restarted without its data
	plantStandIn     = "probe-through-proxy"  // it stays dead, and another one answers in its place
	plantZone        = "zone-ignored"         // crontab lines are read in UTC
	plantLock        = "lock-ignored"         // every scheduler leads
	plantCatchUp     = "catch-up-ignored"     // ticks that were missed are not made up for
	plantWrongCensus = plant.CensusOmits
)

// runnerPlants are all of the runner's own.
var runnerPlants = []string{plantNoFault, plantIdleVictim, plantMissing, plantTorn, plantGap, plantAnyOutcome, plantEmptyFolder, plantStandIn, plantZone, plantLock, plantCatchUp}

// plants tells whether the plant is in place, and counts that it fired.
func (r *Runner) plants(name string) bool {
	if r.plant != name {
		return false
	}
	r.fired.Add(1)
	return true
}

// planted is the runner's own client with the plant that is meant for it.
func (r *Runner) planted(b broker.Broker) broker.Broker {
	if r.plant != plantWrongCensus {
		return b
	}
	p, err := plant.New(r.plant, func() { r.fired.Add(1) })
	if err != nil {
		return b
	}
	return p.Wrap(b)
}

// damage does what the ledger plants are for, to the last member's file.
func (r *Runner) damage(t *Trial) error {
	if len(t.order) == 0 {
		return nil
	}
	path := filepath.Join(t.dir, t.order[len(t.order)-1]+".jsonl")
	switch r.plant {
	case plantMissing:
		r.fired.Add(1)
		return os.Remove(path)
	case plantTorn, plantGap:
		raw, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		damaged, err := cut(raw, r.plant)
		if err != nil {
			return fmt.Errorf("damage %s: %w", path, err)
		}
		r.fired.Add(1)
		return os.WriteFile(path, damaged, 0o644)
	}
	return nil
}

// cut tears the last line, or takes out one from the middle.
func cut(raw []byte, how string) ([]byte, error) {
	lines := bytes.SplitAfter(bytes.TrimSuffix(raw, []byte{'\n'}), []byte{'\n'})
	if len(lines) < 3 {
		return nil, fmt.Errorf("only %d lines: too short to damage", len(lines))
	}
	if how == plantTorn {
		return raw[:len(raw)-len(lines[len(lines)-1])/2-1], nil
	}
	middle := len(lines) / 2
	return append(bytes.Join(lines[:middle], nil), append(bytes.Join(lines[middle+1:], nil), '\n')...), nil
}
