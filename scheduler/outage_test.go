package scheduler

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"acklab/broker"
	"acklab/internal/ledger"
	"acklab/task"
)

func TestABrokerThatIsAwayIsAskedForOneTickAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const schedules = 1200
		var many []Schedule
		for i := range schedules {
			many = append(many, every(fmt.Sprint(i), time.Hour))
		}
		r := set(t, many...)
		r.desk.setFate(func(*task.Message) error { return errAway })
		r.open()
		wait(time.Hour + 10*time.Minute)
		if n := len(r.wrote(ledger.Attempted)); n > batch+130 {
			t.Errorf("%d attempts in ten minutes", n)
		}
		if n := len(r.wrote(ledger.Planned)); n != schedules {
			t.Errorf("%d planned", n)
		}
		if n := strings.Count(r.log.String(), "level=ERROR"); n != 1 {
			t.Errorf("%d errors in the log", n)
		}
		r.desk.setFate(nil)
		wait(longPause)
		r.end()
		if n := len(r.desk.taken()); n != schedules {
			t.Errorf("%d taken", n)
		}
	})
}

func TestATickThatFailsForItselfDoesNotHoldUpTheOthers(t *testing.T) {
	for name, fault := range map[string]error{
		"no queue": &broker.Refusal{Reason: broker.Unroutable},
		"unsure":   broker.ErrUnsure,
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				begin := time.Now()
				good := every("good", time.Minute)
				good.Phase = 30 * time.Second
				r := set(t, every("bad", time.Minute), good)
				r.desk.setFate(func(m *task.Message) error {
					if m.Name == "bad" {
						return fault
					}
					return nil
				})
				r.open()
				wait(10 * time.Minute)
				r.end()
				var late []time.Duration
				for _, s := range r.desk.taken() {
					if d := (s.at.Sub(begin) + 30*time.Second) % time.Minute; d > longPause {
						late = append(late, d)
					}
				}
				if n := len(r.desk.taken()); n != 10 || late != nil {
					t.Errorf("%d taken, late by %v", n, late)
				}
			})
		})
	}
}
