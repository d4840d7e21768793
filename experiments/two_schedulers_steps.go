package experiments

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"time"

	"acklab/internal/ledger"
	"acklab/task"
)

// twinMeasures: sends_percent is how many publishes were confirmed for each tick that
// was due from the first to the last that was sent, attempts_percent how many were
// tried; ticks_missed is how many of these ticks were never confirmed, ticks_doubled how
// many of the points of the interval's grid have more than one confirm, whoever got it
// (percents cannot tell: what is missed makes up for what is doubled); terms is how
// often one began to lead.
var twinMeasures = []string{"sends_percent", "attempts_percent", "ticks_missed", "ticks_doubled", "terms"}

// AwaitTerm waits until one of the schedulers leads and has n confirms since it last
// began to.
func AwaitTerm(n int, names ...string) Step {
	return Step{fmt.Sprintf("wait until one that leads has sent %d ticks", n), func(ctx context.Context, t *Trial) error {
		return t.awaitAny(ctx, fmt.Sprintf("%d ticks of a term", n), func() bool {
			return slices.ContainsFunc(names, func(name string) bool {
				m := t.members[name]
				return m.leads() && m.tail.ofTerm >= n
			})
		}, names...)
	}}
}

// HitTheLeader does something to the scheduler that leads, and waits until the other
// does. One that was frozen goes on again when its lease has been over for a while, and
// has to write that it was deposed: else it never came back, and nothing it might have
// sent was at risk.
// without_leader_ms is from the beginning of the fault to the first line after it in
// which the other leads.
func HitTheLeader(what string, names ...string) Step {
	return Step{what, func(ctx context.Context, t *Trial) error {
		leader, err := t.leader(names)
		if err != nil {
			return err
		}
		others := slices.DeleteFunc(slices.Clone(names), func(n string) bool { return n == leader })
		follower := t.members[others[0]]
		if err := follower.tail.read(); err != nil {
			return err
		}
		before := follower.tail.counts[ledger.Leading]
		hit := Kill(leader)
		if what == leaderFrozen {
			hit = Freeze(leader)
		}
		if err := hit.Do(ctx, t); err != nil {
			return err
		}
		if t.run.plants(plantNoFault) {
			return nil
		}
		if err := AwaitSent(ledger.Leading, before+1, others...).Do(ctx, t); err != nil {
			return err
		}
		gone, err := t.faultBegan()
		if err != nil {
			return err
		}
		lines, err := t.read(others[0])
		if err != nil {
			return err
		}
		at := slices.IndexFunc(lines, func(l ledger.Line) bool { return l.Event == ledger.Leading && l.Mono > gone })
		if at < 0 {
			return fmt.Errorf("%s: %s led before the fault, and not after it", what, others[0])
		}
		if err := t.Measure("without_leader_ms", milliseconds(gone, lines[at].Mono)); err != nil || what != leaderFrozen {
			return err
		}
		if err := pause(ctx, twinLease); err != nil {
			return err
		}
		return errors.Join(Thaw(leader).Do(ctx, t), AwaitCount(leader, ledger.Deposed, 1).Do(ctx, t))
	}}
}

// faultBegan is when the last fault of this trial began.
func (t *Trial) faultBegan() (int64, error) {
	lines, err := t.read("runner")
	if err != nil {
		return 0, err
	}
	for _, l := range slices.Backward(lines) {
		if l.Event == ledger.FaultInjected {
			return strconv.ParseInt(l.Detail["start_ns"], 10, 64)
		}
	}
	return 0, errors.New("no fault was done in this trial")
}

// DeposedByFreezeOnly makes a trial unsure in which a leader lost its lease though
// nothing was done to it: that is a fault, and the cell is about another one, or about
// none. One that was frozen for longer than its lease is deposed for that, exactly once.
func DeposedByFreezeOnly(frozen bool, names ...string) Step {
	return Step{"see that no leader lost its lease by itself", func(_ context.Context, t *Trial) error {
		since := int64(math.MaxInt64) // of the freeze
		if frozen {
			var err error
			if since, err = t.faultBegan(); err != nil {
				return err
			}
		}
		explained := 0
		for _, name := range names {
			lines, err := t.read(name)
			if err != nil {
				return err
			}
			for _, l := range lines {
				if l.Event != ledger.Deposed {
					continue
				}
				if explained++; l.Mono < since || explained > 1 {
					return fmt.Errorf("%s was deposed, and nobody had done anything to it: %s", name, l.Reason)
				}
			}
		}
		if frozen && explained == 0 {
			return errors.New("the leader was frozen past its lease, and was not deposed")
		}
		return nil
	}}
}

// EndSchedulers ends them politely, the one that leads last: else another would
// follow it.
func EndSchedulers(names ...string) Step {
	return Step{"have the schedulers end, the leader last", func(ctx context.Context, t *Trial) error {
		last, err := t.leader(names)
		if err != nil {
			return err
		}
		others := slices.DeleteFunc(slices.Clone(names), func(n string) bool { return n == last })
		for _, name := range append(others, last) {
			if err := t.stop(ctx, name); err != nil {
				return err
			}
		}
		return nil
	}}
}

// leader is the one of the schedulers whose ledger says that it leads.
func (t *Trial) leader(names []string) (string, error) {
	for _, name := range names {
		m, err := t.member(name)
		if err != nil {
			return "", err
		}
		if err := m.tail.read(); err != nil {
			return "", err
		}
		if m.leads() {
			return name, nil
		}
	}
	return "", errors.New("none of the schedulers leads, by its ledger")
}

// leads tells whether the scheduler is alive and leads, by what was read of its ledger.
func (m *member) leads() bool {
	c := m.tail.counts
	return m.Alive() && c[ledger.Leading] > c[ledger.Resigned]+c[ledger.Deposed]
}

// MeasureTwins measures what two schedulers with one schedule have sent.
func MeasureTwins(names ...string) Step {
	return Step{"measure what the schedulers sent", func(_ context.Context, t *Trial) error {
		s := sends{at: map[int64]int{}}
		for _, name := range names {
			lines, err := t.read(name)
			if err != nil {
				return err
			}
			s.take(lines, t.cell.System.Celery)
		}
		if len(s.at) == 0 {
			return errors.New("measure what the schedulers sent: nothing was")
		}
		due, missed, doubled := s.due()
		return errors.Join(
			t.Measure("sends_percent", 100*float64(s.confirms)/float64(due)), t.Measure("attempts_percent", 100*float64(s.attempts)/float64(due)),
			t.Measure("ticks_missed", float64(missed)), t.Measure("ticks_doubled", float64(doubled)), t.Measure("terms", float64(s.terms)),
		)
	}}
}

// sends are the publishes of schedulers whose ticks lie on the grid of twinEvery.
type sends struct {
	attempts, confirms, terms int
	at                        map[int64]int // the confirms of each grid point that the broker has
}

// take reads a ledger. The grid point of a tick of ours follows from its id; a tick
// of Celery's lies where it was sent.
func (s *sends) take(lines []ledger.Line, celery bool) {
	if len(lines) == 0 {
		return
	}
	ticks := ticksAround(lines, "twin", twinEvery)
	for _, l := range lines {
		at, known := ticks[l.Task]
		if celery {
			at, known = l.Wall, true
		}
		switch {
		case l.Event == ledger.Leading:
			s.terms++
		case l.Event == ledger.Attempted:
			s.attempts++
		case l.Event == ledger.Confirmed:
			s.confirms++
			if known {
				s.at[point(at)]++
			}
		case l.Event == ledger.Refused && known && l.Detail[ledger.DetailDuplicate] != "": // the broker has it
			s.at[point(at)] += 0
		}
	}
}

// ticksAround are the ticks of an interval around the time of a ledger, as ticksOf.
func ticksAround(lines []ledger.Line, schedule string, every time.Duration) map[string]time.Time {
	if len(lines) == 0 {
		return nil
	}
	const before = time.Minute // what is made up for was due earlier
	first := lines[0].Wall.Add(-before).UnixNano() / int64(every) * int64(every)
	return ticksOf(schedule, time.Unix(0, first), lines[len(lines)-1].Wall.Add(every), every)
}

// ticksOf are the ids of the ticks that a schedule has if it is due at a moment and
// then at every interval to another, with when each is due. Nobody can get one right by
// chance; those of Celery's beat say nothing.
func ticksOf(schedule string, from, until time.Time, every time.Duration) map[string]time.Time {
	ticks := map[string]time.Time{}
	for due := from; !due.After(until); due = due.Add(every) {
		ticks[task.TickID(schedule, due)] = due
	}
	return ticks
}

func point(t time.Time) int64 { return t.UnixNano() / int64(twinEvery) }

// due is how many grid points there are from the first tick to the last, missed how
// many of them the broker has not, and doubled how many have more than one confirm.
func (s *sends) due() (due, missed, doubled int) {
	points := slices.Collect(maps.Keys(s.at))
	for _, confirms := range s.at {
		if confirms > 1 {
			doubled++
		}
	}
	due = int(slices.Max(points)-slices.Min(points)) + 1
	return due, due - len(points), doubled
}

// MeasureCaughtUp measures how many ticks a scheduler has sent that were due before it
// led.
func MeasureCaughtUp(name string) Step {
	return Step{"count the ticks that were made up for", func(_ context.Context, t *Trial) error {
		lines, err := t.read(name)
		if err != nil {
			return err
		}
		ticks, led, late := ticksAround(lines, "twin", twinEvery), int64(math.MaxInt64), 0
		for _, l := range lines {
			switch due, known := ticks[l.Task]; {
			case l.Event == ledger.Leading:
				led = point(l.Wall)
			case l.Event == ledger.Confirmed && known && point(due) <= led:
				late++
			}
		}
		return t.Measure("ticks_made_up_for", float64(late))
	}}
}
