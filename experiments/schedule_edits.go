package experiments

import (
	"time"

	"acklab/internal/check"
	"acklab/internal/ledger"
)

var scheduleEdits = &Experiment{
	Name:     "schedules-change-while-it-runs",
	Question: "A schedule is added, changed, switched off and on, removed or run by hand while the scheduler runs, or its file is rewritten: what happens, and what survives its restart?",
	Claims:   []string{"G4"},
	Varies:   "the change",
	Threats: []string{
		"a change that nobody saw: each is followed by ticks that only it explains, or by seconds without any",
		"the scheduler judges itself: ticks are known by their ids, computed from the name and the grid of the interval",
		"a change that has no effect is no reason to wait for it: after each a fixed time passes, or a fixed number of ticks of another schedule, and then is counted",
		"half of the claim would pass for all of it: there is no web page yet, the same store is edited from the command line, or a file, and the verdict says so",
		"silence is not obedience: what is switched off or removed comes back, and only then it is counted what was sent of the time between",
		"a broken file that nobody has read leaves the old one in force, too: that it was read and refused is in the log of the scheduler",
		"a file of another beat remembers nothing: where Celery's is started again, it gets the file of the one before",
	},
	Cells: func(sys System, suite Suite) []Cell {
		var cells []Cell
		if suite == Quick {
			if change, ok := quickChange[sys.Name]; ok {
				return oneTrialEach(editCell(sys, change))
			}
			return nil
		}
		for _, change := range scheduleChanges {
			cells = append(cells, editCell(sys, change))
		}
		return cells
	},
	Suites: []Suite{Quick},
	Celery: true,
}

// The changes.
const (
	changeAdd     = "added"
	changeEdit    = "edited"
	changeDisable = "disabled"
	changeEnable  = "disabled and enabled"
	changeRemove  = "removed and added again"
	changeByHand  = "run by hand"
	changeRestart = "scheduler restarted"
	changeKill    = "scheduler killed and started again"
	changeFile    = "file rewritten"
	changeBroken  = "file broken"
)

var scheduleChanges = []string{changeAdd, changeEdit, changeDisable, changeEnable, changeRemove, changeByHand, changeRestart, changeKill, changeFile, changeBroken}

// quickChange are those of a few seconds, by system: in a file, and from the command line, which
// adds a schedule and edits it.
var quickChange = map[string]string{"redis": changeFile, "rabbitmq": changeEdit}

const (
	// editSeen is how long a scheduler may need to see an edit: the news of it can be
	// lost, and then it looks every three seconds.
	editSeen = 3*time.Second + editStall
	// editAsked is the same for a tick by hand: every five seconds.
	editAsked = 5*time.Second + editStall
	// editStall is how long the machine may stand still meanwhile.
	editStall = 500 * time.Millisecond
)

// metronome is a schedule beside the one that is added: by its ticks the time is counted.
const metronome = "metronome"

// metronomeTicks is how many of them pass before it is counted what was added.
const metronomeTicks = 20

// editLease is how long the lease of a scheduler that was killed still lasts.
const editLease = 2 * time.Second

const (
	// editAway is how long there is no scheduler when it is restarted.
	editAway = 1500 * time.Millisecond
	// editAfter is how long the ticks of the one that follows it are counted.
	editAfter = 4 * time.Second
)

// editedBefore adds a schedule and changes it.
func editedBefore(name, word string, flags ...string) []Step {
	return []Step{
		EditSchedule("add", name, "--task", "noop", "--every", twinEvery.String(), "--catch-up", "all", "--window", "1m"),
		EditSchedule(word, name, flags...),
	}
}

func editCell(sys System, change string) Cell {
	c := Cell{
		System: sys, Setting: Setting{"change": change}, Trials: 3, Pace: Alone, Load: 30, Seconds: 5,
		Results: ResultSpec{Store: inRedis, Own: true}, Stall: editStall,
	}
	if sys.Kind == NoServer {
		c.NotRun = "no such point: the in-process queue has no other process, and so no scheduler"
		return c
	}
	if sys.Celery {
		return beatCell(c, change)
	}
	if change == changeFile || change == changeBroken {
		return fileCell(c, change)
	}
	add := EditSchedule("add", "twin", "--task", "noop", "--every", twinEvery.String(), "--catch-up", "all", "--window", "1m")
	clock := Clockwork{Store: true, Lease: editLease}
	if change == changeAdd {
		clock.Schedules = []scheduled{{Name: metronome, Task: "noop", Every: twinEvery.String(), CatchUp: "all", Window: time.Minute.String()}}
	}
	c.Steps = []Step{
		Declare(), StartWorker(cleanWorker, Hands{Ack: "late", Concurrency: 1, Multiplier: 4}), AwaitConsuming(cleanWorker),
		StartScheduler("scheduler1", clock), AwaitCount("scheduler1", ledger.Leading, 1), add,
	}
	if change != changeAdd { // what is to be changed has to be there
		c.Steps = append(c.Steps, AwaitCount("scheduler1", ledger.Confirmed, 4))
	}
	c.Predicted = check.Bounds{}
	c.Reasons = map[string]string{}
	last := "scheduler1"
	switch change {
	case changeAdd:
		c.Seconds = 8
		c.Steps = append(c.Steps, CountAdded("scheduler1", metronomeTicks, "ticks_after"))
		c.Measures = []string{"ticks_after"}
		c.wide("ticks_after", metronomeTicks-int(editSeen/twinEvery)-1, metronomeTicks+5, "one for each of the other schedule, but for the time until the scheduler sees the new one: at once, or three seconds later where the news is lost; and what is sent while the command still ends")
		c.Because = "the scheduler is told of an edit, and the next tick is on the grid"
	case changeEdit:
		c.Seconds = 9
		c.Steps = append(c.Steps, EditSchedule("edit", "twin", "--every", (twinEvery*2).String()), LetPass(editSeen, "until the edit is seen"), CountTicks("scheduler1", 3*time.Second, "ticks_after"))
		c.Measures = []string{"ticks_after"}
		c.wide("ticks_after", 5, 7, "three seconds have six ticks of half a second, one more or less at the ends; of the old ones they would have twelve")
		c.Because = "what was changed is in force when the scheduler sees it"
	case changeDisable:
		c.Seconds = 8
		c.Steps = append(c.Steps, EditSchedule("disable", "twin"), LetPass(editSeen, "until the edit is seen"), CountTicks("scheduler1", 2*time.Second, "ticks_after"))
		c.Measures = []string{"ticks_after"}
		c.Predicted["ticks_after"] = [2]int{0, 0}
		c.Because = "what is disabled is not owed"
	case changeEnable, changeRemove:
		c.Seconds = 10
		off, on := EditSchedule("disable", "twin"), EditSchedule("enable", "twin")
		c.Because = "what is disabled is not owed, and what is enabled is from then on"
		if change == changeRemove {
			off, on = EditSchedule("remove", "twin"), add
			c.Because = "what was removed is forgotten, and of what has its name only that is owed which is due from then on"
		}
		c.Steps = append(c.Steps, off, LetPass(editSeen, "until the edit is seen"), CountOff("scheduler1", time.Second, on, editSeen, effectWithin))
		c.Measures = []string{"ticks_while_off", "ticks_after"}
		c.Predicted["ticks_while_off"] = [2]int{0, 0}
		c.afterEffect("ticks_after", twinEvery)
	case changeByHand:
		c.Seconds = 14
		c.Steps = append(c.Steps,
			EditSchedule("disable", "twin"), LetPass(editSeen, "until the edit is seen"), CountTicks("scheduler1", time.Second, "ticks_before"),
			CountTicksFrom(EditSchedule("run-now", "twin"), "scheduler1", editAsked, "ticks_after"), MeasureByHand("scheduler1"),
		)
		c.Measures = []string{"ticks_before", "ticks_after", "ticks_by_hand"}
		c.Predicted["ticks_before"], c.Predicted["ticks_after"] = [2]int{0, 0}, [2]int{1, 1}
		c.Predicted["ticks_by_hand"] = [2]int{1, 1}
		c.Because = "it is sent once, also while it is disabled"
	case changeRestart, changeKill:
		end := []Step{EndMember("scheduler1"), LetPass(editAway, "without a scheduler")}
		c.Because = "the last ticks are in the store, and what was due meanwhile is made up for; so are the edits"
		c.Seconds = 12
		c.Steps = append(c.Steps, editedBefore("slower", "edit", "--every", (twinEvery*2).String())...)
		c.Steps = append(c.Steps, editedBefore("silent", "disable")...)
		c.Steps = append(c.Steps, LetPass(editSeen, "until the edits are seen"))
		if change == changeKill {
			c.Control, c.Clean = "unharmed", concat(c.Steps, []Step{AwaitCount("scheduler1", ledger.Confirmed, 12), EditSchedule("disable", "twin"), EndMember("scheduler1")})
			end = []Step{Kill("scheduler1")} // its lease has to run out
			c.Expect.Faults = []string{faultKill}
			for _, count := range []string{"redelivered", "copied", "collapsed"} {
				c.Predicted[count] = [2]int{0, 2}
				c.Reasons[count] = "a tick of either schedule that was claimed and not settled when it was killed is sent again under its id"
			}
		}
		last = "scheduler2"
		c.Steps = append(append(c.Steps, end...), StartScheduler("scheduler2", clock), AwaitCount("scheduler2", ledger.Leading, 1),
			CountEdited("scheduler2", editAfter, map[string]string{"twin": "ticks_after", "slower": "ticks_slower", "silent": "ticks_silent"}))
		c.Measures = append(c.Measures, "ticks_made_up_for", "ticks_after", "ticks_slower", "ticks_silent")
		after := int(editAfter / twinEvery)
		c.wide("ticks_after", after-3, after+3, "one for each interval, three more or less where the machine stands still at an end for as long as a trial may")
		c.wide("ticks_slower", after/2-2, after/2+2, "one for every second interval, two more or less at the ends; unedited there would be twice as many")
		c.Predicted["ticks_silent"] = [2]int{0, 0}
		c.Predicted["ticks_made_up_for"] = [2]int{int(editAway/twinEvery) - 2, int(editAway/twinEvery) + 20}
		c.Reasons["ticks_made_up_for"] = "one for each interval while nobody led, and the next scheduler may be late on a busy machine"
	}
	if change == changeAdd { // nothing here may fail because there is no such schedule
		c.Steps = append(c.Steps, EndMember(last))
	} else {
		c.Steps = append(c.Steps, EditSchedule("disable", "twin"), EndMember(last))
		c.Final = []Step{MeasureTwins(editedBy(last)...)}
	}
	if last != "scheduler1" {
		c.Final = append(c.Final, MeasureCaughtUp(last))
	}
	switch change {
	case changeDisable, changeRestart, changeKill:
		c.Measures = append(c.Measures, twinMeasures...)
		c.Predicted["ticks_missed"] = [2]int{0, 0}
	}
	c.claimEdits()
	return c
}

// claimEdits has the claim predict what is predicted of the cell's own measures.
func (c *Cell) claimEdits() {
	c.Claims = map[string]check.Bounds{"G4": {"lost": {0, 0}, "repeated": {0, 0}, "never_sent": {0, 0}}}
	for _, m := range c.Measures {
		if b, ok := c.Predicted[m]; ok {
			c.Claims["G4"][m] = b
		}
	}
}

// editedBy are the schedulers of a trial.
func editedBy(last string) []string {
	if last == "scheduler1" {
		return []string{last}
	}
	return []string{"scheduler1", last}
}
