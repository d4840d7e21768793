package check

import (
	"slices"
	"strconv"
	"testing"

	"acklab/internal/ledger"
)

// taking is a trial of a worker that takes in two steps: of five tasks the victim
// receives the first two and ends, and a survivor receives what is left, but for
// the lost ones.
type taking struct {
	flag      bool
	subscribe bool
	end       func(*bench)
	received  []int // by the victim
	early     bool  // the survivor is there before the victim's end
	late      bool  // everything is published after the victim's end
	passing   bool  // the survivor receives what is behind the lost one two seconds before the victim's end
	elsewhere bool  // the victim received from another queue
	waiting   []int // nobody receives these, and the queue still holds them
	lost      []int
}

// usualTaking is a trial in which everything fits.
func usualTaking() taking {
	return taking{flag: true, subscribe: true, end: func(b *bench) { b.kill("victim") }, received: []int{0, 1}, lost: []int{2}}
}

func (s taking) play(t *testing.T) Result {
	b := newBench(t)
	b.trial.Expect.TakenInTwoSteps = s.flag
	b.start("producer", "victim")
	if s.early {
		b.start("survivor")
	}
	publish := func() {
		for i := range 5 {
			b.publish("producer", taskID(i), messageID(i), ledger.Confirmed)
		}
	}
	if !s.late {
		publish()
	}
	if s.subscribe {
		b.write("victim", ledger.Line{Event: ledger.Consuming})
	}
	for _, i := range s.received {
		b.receive("victim", taskID(i), messageID(i), "first")
	}
	for i := range b.lines["victim"] {
		if l := &b.lines["victim"][i]; s.elsewhere && l.Event == ledger.Received {
			l.Queue = "another"
		}
	}
	before := 5 // what the survivor receives from here on is before the victim's end
	if s.passing {
		before = 4
		b.receive("survivor", taskID(4), messageID(4), "")
		b.runs("survivor", taskID(4), messageID(4), "late")
		b.clock += 2000 * ms
	}
	s.end(b)
	if s.late {
		publish()
	}
	if !s.early {
		b.start("survivor")
	}
	var held []heldMessage
	for i := range before {
		if slices.Contains(s.waiting, i) {
			held = append(held, heldMessage{taskID(i), messageID(i), "queued"})
		} else if !slices.Contains(s.lost, i) {
			b.receive("survivor", taskID(i), messageID(i), "")
			b.runs("survivor", taskID(i), messageID(i), "late")
		}
	}
	b.end("producer", "survivor")
	b.finish(held...)
	return b.sure()
}

// stopped is a polite end that the runner has brought about.
func stopped(b *bench) {
	b.end("victim")
	b.write("runner", ledger.Line{Event: ledger.FaultInjected, Fault: "terminate", Detail: map[string]string{"pid": strconv.Itoa(b.process("victim").Pid)}})
}

func TestAMessageThatWentWithItsTakerIsNotUnexplained(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*taking){
		"killed":                                        func(*taking) {},
		"stopped politely by the runner":                func(s *taking) { s.end = stopped },
		"killed before its first receipt":               func(s *taking) { s.received, s.lost = nil, []int{0} },
		"another worker was just taking the one before": func(s *taking) { s.early, s.lost = true, []int{3} },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := usualTaking()
			change(&s)
			wantCounts(t, s.play(t), Bounds{"lost": point(1), "lost_while_taken": point(1), "redelivered": point(len(s.received))})
		})
	}
}

func TestALossThatNoTakerExplainsStaysUnexplained(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*taking){
		"the worker takes in one step":                     func(s *taking) { s.flag = false },
		"the worker just ended":                            func(s *taking) { s.end = func(b *bench) { b.end("victim") } },
		"the worker had not subscribed":                    func(s *taking) { s.subscribe, s.received, s.lost = false, nil, []int{0} },
		"the worker had received it":                       func(s *taking) { s.lost = []int{1} },
		"the worker had gone on to the next":               func(s *taking) { s.received, s.lost = []int{0, 2}, []int{1} },
		"it was not yet the next":                          func(s *taking) { s.lost = []int{3} },
		"two before it were received later":                func(s *taking) { s.early, s.lost = true, []int{4} },
		"it was published when the worker was gone":        func(s *taking) { s.late, s.received, s.lost = true, nil, []int{0} },
		"it is the last one and all others came after":     func(s *taking) { s.received, s.lost = nil, []int{4} },
		"another worker had long gone past it":             func(s *taking) { s.early, s.passing, s.lost = true, true, []int{3} },
		"the queue still holds one before it":              func(s *taking) { s.received, s.waiting, s.lost = []int{0}, []int{1}, []int{2} },
		"the worker takes from another queue":              func(s *taking) { s.elsewhere = true },
		"the runner stopped another process than this one": func(s *taking) { s.end = func(b *bench) { b.end("victim"); faultElsewhere(b) } },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := usualTaking()
			change(&s)
			if r := s.play(t); r.Counts["lost_unexplained"] != 1 || r.Counts["lost_while_taken"] != 0 {
				t.Errorf("%v", nonZero(r.Counts))
			}
		})
	}
}

func faultElsewhere(b *bench) {
	b.write("runner", ledger.Line{Event: ledger.FaultInjected, Fault: "kill", Detail: map[string]string{"pid": "1"}})
}

func TestOneWorkerTakesOneMessageAlong(t *testing.T) {
	t.Parallel()
	s := usualTaking()
	s.lost = []int{2, 3}
	r := s.play(t)
	if r.Counts["lost_while_taken"] != 1 || r.Counts["lost_unexplained"] != 1 {
		t.Errorf("%v", nonZero(r.Counts))
	}
}
