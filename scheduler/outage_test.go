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

func TestAQueueThatTakesNothingHoldsUpNoOther(t *testing.T) {
	for name, fault := range map[string]error{
		"no queue": &broker.Refusal{Reason: broker.Unroutable},
		"full":     &broker.Refusal{Reason: broker.LengthLimit},
		"unsure":   broker.ErrUnsure,
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				const bad, minutes = 40, 10
				begin := time.Now()
				var all []Schedule
				for i := range bad {
					s := every(fmt.Sprintf("bad %d", i), time.Hour)
					s.Queue, s.Phase, s.CatchUp, s.Window = "bad", time.Duration(i+1)*time.Second, CatchUpAll, 2*time.Hour
					all = append(all, s)
				}
				good := every("good", time.Second)
				good.Phase, good.Queue = 300*time.Millisecond, "good"
				r := set(t, append(all, good)...)
				r.desk.setFate(func(m *task.Message) error {
					if m.Queue == "bad" {
						return fault
					}
					return nil
				})
				r.open()
				wait(minutes * time.Minute)
				taken := r.desk.taken()
				for _, s := range taken {
					if late := s.at.Sub(begin) % time.Second; late != good.Phase {
						t.Errorf("%s is sent at %s", s.Name, s.at.Sub(begin))
						break
					}
				}
				if n := len(taken); n != minutes*60 {
					t.Errorf("%d taken while one queue takes nothing", n)
				}
				tried := len(r.desk.attempts("bad"))
				if fault == broker.ErrUnsure && tried > bad+minutes*60/int(longPause/time.Second) {
					t.Errorf("%d tries of the queue that takes nothing", tried)
				}
				r.desk.setFate(nil)
				wait(longPause)
				r.end()
				names := map[string]bool{}
				for _, s := range r.desk.taken() {
					names[s.Name] = true
				}
				if len(names) != bad+1 {
					t.Errorf("%d schedules were sent in the end, want %d", len(names), bad+1)
				}
			})
		})
	}
}

func TestABrokerThatIsAwayHoldsUpAllQueues(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var all []Schedule
		for i := range 20 {
			s := every(fmt.Sprint(i), 10*time.Second)
			s.Queue = s.Name
			all = append(all, s)
		}
		r := set(t, all...)
		r.desk.setFate(func(*task.Message) error { return errAway })
		r.open()
		wait(time.Minute)
		if n := len(r.wrote(ledger.Attempted)); n > 20+15 {
			t.Errorf("%d attempts in a minute", n)
		}
		if n := strings.Count(r.log.String(), "level=ERROR"); n != 1 {
			t.Errorf("%d errors in the log", n)
		}
		// When it answers again, one queue is still closed.
		r.desk.setFate(func(m *task.Message) error {
			if m.Queue == "7" {
				return broker.ErrUnsure
			}
			return nil
		})
		wait(2 * longPause)
		open := map[string]bool{}
		for _, s := range r.desk.taken() {
			open[s.Queue] = true
		}
		if len(open) != 19 || open["7"] {
			t.Errorf("%d queues are served", len(open))
		}
		r.desk.setFate(nil)
		wait(longPause)
		r.end()
		if n := len(r.desk.taken()); n < 20 {
			t.Errorf("%d taken", n)
		}
	})
}

func TestAFrozenBrokerIsAskedForOneTickOfEachQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var all []Schedule
		for i := range 100 {
			s := every(fmt.Sprint(i), time.Hour)
			s.Queue = fmt.Sprint(i % 2)
			all = append(all, s)
		}
		r := set(t, all...)
		r.desk.setFate(func(*task.Message) error { return broker.ErrUnsure })
		r.open()
		wait(time.Hour + 5*time.Minute)
		if n := len(r.wrote(ledger.Attempted)); n > 100+2*70 {
			t.Errorf("%d attempts in five minutes", n)
		}
		r.desk.setFate(nil)
		wait(longPause)
		r.end()
		if n := len(r.desk.taken()); n != 100 {
			t.Errorf("%d taken", n)
		}
	})
}

func TestAQueueThatNeverConfirmsHoldsUpTheOthersForOnePublish(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		var all []Schedule
		for i := range 4 { // two queues are stuck, and two are not
			s := every(fmt.Sprint(i), 30*time.Second)
			s.Queue, s.CatchUp, s.Window = s.Name, CatchUpAll, time.Hour
			all = append(all, s)
		}
		r := set(t, all...)
		r.desk.setStuck(func(queue string) bool { return queue < "2" })
		r.open()
		const minutes = 10
		wait(minutes*time.Minute + publishWithin + longPause)
		taken := r.desk.taken()
		for _, s := range taken {
			late := s.at.Sub(begin) % (30 * time.Second)
			if late > publishWithin && s.at.Sub(begin) > time.Minute {
				t.Errorf("%s is sent %s late, at %s", s.Name, late, s.at.Sub(begin))
			}
		}
		if n := len(taken); n != minutes*2*2 {
			t.Errorf("%d taken", n)
		}
		// One of the two answers again, and is not starved by the other.
		r.desk.setStuck(func(queue string) bool { return queue == "0" })
		wait(3 * (publishWithin + longPause))
		open := map[string]bool{}
		for _, s := range r.desk.taken() {
			open[s.Queue] = true
		}
		if len(open) != 3 {
			t.Errorf("served are %v", open)
		}
		r.desk.setStuck(nil)
		wait(publishWithin + longPause)
		r.end()
		if text := r.log.String(); strings.Contains(text, "the broker takes nothing") || strings.Count(text, "a queue takes nothing") != 2 {
			t.Errorf("the log says:\n%s", text)
		}
	})
}

func TestABrokerThatIsBackServesAllQueuesThoughOneIsClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := every("a", time.Hour), every("b", time.Second)
		a.Queue, b.Queue = "a", "b"
		r := set(t, a, b)
		r.desk.setFate(func(*task.Message) error { return errAway })
		r.open()
		wait(time.Hour + 10*time.Second)
		r.desk.setFate(func(m *task.Message) error {
			if m.Queue == "b" {
				return broker.ErrUnsure
			}
			return nil
		})
		wait(3 * longPause)
		r.end()
		if n := len(r.desk.taken()); n != 1 {
			t.Errorf("%d taken", n)
		}
	})
}

func TestTheSchedulesOfAClosedQueueTakeTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := set(t, every("rare", time.Hour), every("frequent", time.Second))
		r.desk.setFate(func(*task.Message) error { return broker.ErrUnsure })
		r.open()
		wait(time.Hour + time.Minute)
		r.desk.setFate(func(m *task.Message) error {
			if m.Name == "frequent" {
				return broker.ErrUnsure
			}
			return nil
		})
		wait(3 * longPause)
		r.end()
		if n := len(r.desk.taken()); n != 1 {
			t.Errorf("%d taken", n)
		}
	})
}

// What a driver refuses by itself says nothing of the broker.
func TestAMessageThatCannotBeSentTellsNothingOfItsQueue(t *testing.T) {
	for _, reason := range []broker.Reason{broker.Invalid, broker.TooLarge, broker.Cancelled} {
		t.Run(string(reason), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := set(t, every("bad", 7*time.Second), every("good", 3*time.Second))
				r.desk.setFate(func(m *task.Message) error {
					if m.Name == "bad" {
						return &broker.Refusal{Reason: reason}
					}
					return broker.ErrUnsure
				})
				r.open()
				wait(5 * time.Minute)
				if n := len(r.desk.attempts(DefaultQueue)); n > 5*60/3+5*60/7 {
					t.Errorf("%d tries", n)
				}
				r.desk.setFate(nil)
				wait(longPause)
				r.end()
				if n := r.counted(); n["good"] == 0 {
					t.Errorf("sent %v", n)
				}
				text := r.log.String()
				if strings.Count(text, "answers again") != 1 || strings.Count(text, "takes nothing") != 1 {
					t.Errorf("the log says:\n%s", text)
				}
			})
		})
	}
}
