package schedulertest

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"acklab/scheduler"
)

// Keepers runs what the comments of scheduler.Keeper say, each on a store that
// fresh makes.
func Keepers(t *testing.T, fresh func(testing.TB) Store) {
	leads := func(s Store) bool { return s.Elector != nil }
	asks := func(s Store) bool { return s.Ask != nil && s.Put != nil }
	remembers := func(s Store) bool { return s.History != nil }
	run(t, fresh, []test{
		{"a store that nobody wrote to has no states", nil, emptyStore},
		{"what was written is what another client reads", nil, writtenIsRead},
		{"claims and outcomes change a state as State says, in any order", nil, likeTheModel},
		{"a call that is repeated counts nothing twice", nil, repeatedCalls},
		{"a beginning writes timing and since and nothing else", nil, beginnings},
		{"any name will do", nil, anyName},
		{"a thousand ticks are one call", nil, manyTicks},
		{"a term that a later one has followed writes nothing", leads, deposed},
		{"term 0 is never deposed", leads, termZero},
		{"what was asked for by hand stands until it is settled", asks, byHand},
		{"a tick by hand does not move the schedule's own", asks, besideTheOwn},
		{"outcomes are remembered, youngest first, each once", remembers, history},
	})
}

// start is a moment with all the digits that a due time may have.
var start = time.Date(2026, 3, 29, 0, 59, 59, 123456789, time.UTC)

func tick(name string, n int) scheduler.Tick {
	return scheduler.Tick{Schedule: name, Due: start.Add(time.Duration(n) * 100 * time.Millisecond)}
}

func outcome(t scheduler.Tick, kind scheduler.Kind) scheduler.Outcome {
	o := scheduler.Outcome{Tick: t, Kind: kind, At: t.Due.Add(7 * time.Microsecond), N: 1, Task: t.ID()}
	if kind != scheduler.Sent {
		o.Reason = "because"
	}
	return o
}

// lead gives the term of a keeper that may write: of a leader, where there are
// leaders.
func (p *probe) lead() scheduler.Term {
	p.Helper()
	if p.Elector == nil {
		return 1
	}
	l, err := p.Elector(p).Campaign(p.soon())
	p.ok(err)
	p.Cleanup(func() { _ = l.Resign(p.soon()) })
	return l.Term()
}

// settle is what outcomes make of states.
func settle(states map[string]scheduler.State, outcomes ...scheduler.Outcome) {
	for _, o := range outcomes {
		states[o.Tick.Schedule], _ = states[o.Tick.Schedule].Settle(o)
	}
}

func (p *probe) states() map[string]scheduler.State {
	p.Helper()
	all, err := p.Keeper(p).States(p.soon())
	p.ok(err)
	return all
}

// reads checks what another client reads.
func (p *probe) reads(want map[string]scheduler.State) {
	p.Helper()
	got := p.states()
	if len(got) == 0 && len(want) == 0 {
		return
	}
	if got, want := plain(got), plain(want); !reflect.DeepEqual(got, want) {
		p.Fatalf("states:\n%v\nwant:\n%v", got, want)
	}
}

// plain turns states into what can be compared: times without a location's
// pointer, what is empty and what is nil alike.
func plain(states map[string]scheduler.State) map[string]string {
	all := map[string]string{}
	for name, s := range states {
		var pending []string
		for _, t := range s.Pending {
			pending = append(pending, t.ID())
		}
		slices.Sort(pending) // two of one moment are in any order
		all[name] = fmt.Sprintf("timing %q since %v due %v sent %v runs %d task %q pending %v",
			s.Timing, s.Since.UTC(), s.LastDue.UTC(), s.LastSent.UTC(), s.Runs, s.LastTask, pending)
	}
	return all
}

func emptyStore(p *probe) {
	p.reads(nil)
	requests, err := p.Keeper(p).Requests(p.soon())
	p.ok(err)
	if len(requests) != 0 {
		p.Errorf("requests %v", requests)
	}
	term := p.lead()
	p.ok(p.Keeper(p).Claim(p.soon(), term, nil))
	p.ok(p.Keeper(p).Settle(p.soon(), term, nil))
	p.ok(p.Keeper(p).Begin(p.soon(), term, nil))
	p.reads(nil)
}

func writtenIsRead(p *probe) {
	term, k := p.lead(), p.Keeper(p)
	first, second := tick("a", 1), tick("a", 2)
	p.ok(k.Claim(p.soon(), term, []scheduler.Tick{first, second}))
	got := p.states()["a"]
	if !got.LastDue.Equal(second.Due) || len(got.Pending) != 2 ||
		!got.Pending[0].Due.Equal(first.Due) || !got.Pending[1].Due.Equal(second.Due) {
		p.Fatalf("after the claims: %+v; want both pending, the oldest first", got)
	}
	p.ok(k.Settle(p.soon(), term, []scheduler.Outcome{outcome(first, scheduler.Sent), outcome(second, scheduler.Refused)}))
	p.reads(map[string]scheduler.State{"a": {LastDue: second.Due, LastSent: outcome(first, scheduler.Sent).At, Runs: 1, LastTask: first.ID()}})
}

// likeTheModel claims and settles at random, and compares with package
// scheduler's own pure functions.
func likeTheModel(p *probe) {
	term, k := p.lead(), p.Keeper(p)
	random := rand.New(rand.NewPCG(1, 2))
	model := map[string]scheduler.State{}
	var open []scheduler.Tick
	kinds := []scheduler.Kind{scheduler.Sent, scheduler.Sent, scheduler.Unsure, scheduler.Refused, scheduler.Skipped, scheduler.Missed}
	for n := range 200 {
		var fresh, claims []scheduler.Tick
		for i := range random.IntN(4) {
			t := tick(string(rune('a'+random.IntN(3))), 10*n+i)
			t.ByHand = random.IntN(5) == 0
			fresh = append(fresh, t)
		}
		var outcomes []scheduler.Outcome
		for _, t := range fresh {
			if random.IntN(4) == 0 { // never claimed
				outcomes = append(outcomes, outcome(t, []scheduler.Kind{scheduler.Skipped, scheduler.Missed}[random.IntN(2)]))
				continue
			}
			claims = append(claims, t)
			if random.IntN(5) == 0 {
				claims = append(claims, t) // a claim that comes twice
			}
			open = append(open, t)
		}
		p.ok(k.Claim(p.soon(), term, claims))
		for _, t := range claims {
			model[t.Schedule] = model[t.Schedule].Claim(t)
		}
		for i := len(open) - 1; i >= 0; i-- {
			if random.IntN(2) == 0 {
				outcomes = append(outcomes, outcome(open[i], kinds[random.IntN(len(kinds))]))
				open = slices.Delete(open, i, i+1)
			}
		}
		p.ok(k.Settle(p.soon(), term, outcomes))
		for _, o := range outcomes {
			settle(model, o)
		}
		if n%20 == 0 {
			p.reads(model)
		}
	}
	p.reads(model)
}

func repeatedCalls(p *probe) {
	term, k := p.lead(), p.Keeper(p)
	ticks := []scheduler.Tick{tick("a", 1), tick("a", 2)}
	sent := []scheduler.Outcome{outcome(ticks[0], scheduler.Sent), outcome(ticks[1], scheduler.Unsure)}
	skipped := []scheduler.Outcome{outcome(tick("a", 3), scheduler.Skipped)}
	want := map[string]scheduler.State{"a": scheduler.State{}.Claim(ticks...)}
	settle(want, sent[0], sent[1], skipped[0])
	for range 2 {
		p.ok(k.Claim(p.soon(), term, ticks))
	}
	for range 3 {
		p.ok(k.Settle(p.soon(), term, sent))
		p.ok(k.Settle(p.soon(), term, skipped))
	}
	p.reads(want)
	if p.History == nil {
		return
	}
	past, err := p.History(p.soon(), "a")
	p.ok(err)
	if len(past) != 3 {
		p.Errorf("the history has %d outcomes; want 3: %v", len(past), past)
	}
}

func beginnings(p *probe) {
	term, k := p.lead(), p.Keeper(p)
	p.ok(k.Claim(p.soon(), term, []scheduler.Tick{tick("a", 1)}))
	p.ok(k.Settle(p.soon(), term, []scheduler.Outcome{outcome(tick("a", 1), scheduler.Sent)}))
	p.ok(k.Claim(p.soon(), term, []scheduler.Tick{tick("a", 2)}))
	want := p.states()
	begun := scheduler.Beginning{Timing: `every 10s "phase" \ ä`, Since: start.Add(time.Hour)}
	p.ok(k.Begin(p.soon(), term, map[string]scheduler.Beginning{"a": begun, "b": begun}))
	a := want["a"]
	a.Timing, a.Since = begun.Timing, begun.Since
	want["a"], want["b"] = a, scheduler.State{Timing: begun.Timing, Since: begun.Since}
	p.reads(want)
	p.ok(k.Begin(p.soon(), term, map[string]scheduler.Beginning{"a": {Since: begun.Since}})) // no longer enabled
	a.Timing = ""
	want["a"] = a
	p.reads(want)
}

func anyName(p *probe) {
	term, k := p.lead(), p.Keeper(p)
	want := map[string]scheduler.State{}
	for _, name := range []string{"with spaces", `"quoted" \ / {}`, "süß 🕐", strings.Repeat("x", 200), "1", "[]", ":", "a%d"} {
		t := tick(name, 1)
		p.ok(k.Claim(p.soon(), term, []scheduler.Tick{t, tick(name, 2)}))
		p.ok(k.Settle(p.soon(), term, []scheduler.Outcome{outcome(t, scheduler.Sent)}))
		want[name] = want[name].Claim(t, tick(name, 2))
		settle(want, outcome(t, scheduler.Sent))
	}
	p.reads(want)
}

func manyTicks(p *probe) {
	term, k := p.lead(), p.Keeper(p)
	var ticks []scheduler.Tick
	var outcomes []scheduler.Outcome
	want := map[string]scheduler.State{}
	for i := range 1000 {
		t := tick(fmt.Sprintf("s%d", i/2), i)
		ticks, outcomes = append(ticks, t), append(outcomes, outcome(t, scheduler.Sent))
		want[t.Schedule] = want[t.Schedule].Claim(t)
	}
	p.ok(k.Claim(p.soon(), term, ticks))
	p.reads(want)
	p.ok(k.Settle(p.soon(), term, outcomes))
	settle(want, outcomes...)
	p.reads(want)
}

func deposed(p *probe) {
	e := p.Elector(p)
	old, err := e.Campaign(p.soon())
	p.ok(err)
	k := p.Keeper(p)
	p.ok(k.Claim(p.soon(), old.Term(), []scheduler.Tick{tick("a", 1)}))
	p.ok(old.Resign(p.soon()))
	next, err := p.Elector(p).Campaign(p.soon())
	p.ok(err)
	want := p.states()
	for what, err := range map[string]error{
		"begin":  k.Begin(p.soon(), old.Term(), map[string]scheduler.Beginning{"a": {Timing: "x"}}),
		"claim":  k.Claim(p.soon(), old.Term(), []scheduler.Tick{tick("a", 2)}),
		"settle": k.Settle(p.soon(), old.Term(), []scheduler.Outcome{outcome(tick("a", 1), scheduler.Sent)}),
	} {
		if !errors.Is(err, scheduler.ErrDeposed) {
			p.Errorf("%s for an old term: %v; want ErrDeposed", what, err)
		}
	}
	p.reads(want)
	p.ok(k.Settle(p.soon(), next.Term(), []scheduler.Outcome{outcome(tick("a", 1), scheduler.Sent)}))
	settle(want, outcome(tick("a", 1), scheduler.Sent))
	p.reads(want)
	p.ok(next.Resign(p.soon()))
}

func termZero(p *probe) {
	p.lead()
	k := p.Keeper(p)
	p.ok(k.Claim(p.soon(), 0, []scheduler.Tick{tick("a", 1)}))
	p.ok(k.Begin(p.soon(), 0, map[string]scheduler.Beginning{"a": {Timing: "x"}}))
	p.ok(k.Settle(p.soon(), 0, []scheduler.Outcome{outcome(tick("a", 1), scheduler.Sent)}))
	if got := p.states()["a"]; got.Runs != 1 || got.Timing != "x" || len(got.Pending) != 0 {
		p.Errorf("state %+v", got)
	}
}

// put adds a schedule of a name.
func (p *probe) put(name string) {
	p.Helper()
	p.ok(p.Put(p.soon(), scheduled(name)))
}

func scheduled(name string) scheduler.Schedule {
	return scheduler.Schedule{Name: name, Task: "noop", Queue: "celery", Every: time.Hour, Enabled: true,
		CatchUp: scheduler.CatchUpOnce, Overlap: scheduler.OverlapAllow}
}

func byHand(p *probe) {
	p.put("a")
	asked, err := p.Ask(p.soon(), "a")
	p.ok(err)
	other, err := p.Ask(p.soon(), "a")
	p.ok(err)
	term, k := p.lead(), p.Keeper(p)
	stand := func(want ...scheduler.Tick) {
		p.Helper()
		got, err := k.Requests(p.soon())
		p.ok(err)
		same := func(a, b scheduler.Tick) bool { return a.ID() == b.ID() && a.ByHand && a.Schedule == b.Schedule }
		if !slices.EqualFunc(got, want, same) {
			p.Fatalf("requests %v; want %v", got, want)
		}
	}
	stand(asked, other)
	p.ok(k.Claim(p.soon(), term, []scheduler.Tick{asked}))
	stand(asked, other)
	p.ok(k.Settle(p.soon(), term, []scheduler.Outcome{outcome(asked, scheduler.Sent)}))
	stand(other)
	p.ok(k.Settle(p.soon(), term, []scheduler.Outcome{outcome(other, scheduler.Refused)}))
	stand()
}

func besideTheOwn(p *probe) {
	p.put("a")
	term, k := p.lead(), p.Keeper(p)
	p.ok(k.Claim(p.soon(), term, []scheduler.Tick{tick("a", 1)}))
	p.ok(k.Settle(p.soon(), term, []scheduler.Outcome{outcome(tick("a", 1), scheduler.Sent)}))
	asked, err := p.Ask(p.soon(), "a")
	p.ok(err)
	p.ok(k.Claim(p.soon(), term, []scheduler.Tick{asked}))
	p.ok(k.Settle(p.soon(), term, []scheduler.Outcome{outcome(asked, scheduler.Sent)}))
	got := p.states()["a"]
	if !got.LastDue.Equal(tick("a", 1).Due) || got.Runs != 1 || got.LastTask != asked.ID() {
		p.Errorf("state %+v", got)
	}
}

func history(p *probe) {
	term, k := p.lead(), p.Keeper(p)
	var want []scheduler.Outcome
	for i, kind := range []scheduler.Kind{scheduler.Sent, scheduler.Refused, scheduler.Unsure, scheduler.Skipped, scheduler.Missed} {
		o := outcome(tick("a", i), kind)
		if kind == scheduler.Missed {
			o.N = 1000
		}
		p.ok(k.Settle(p.soon(), term, []scheduler.Outcome{o}))
		want = slices.Insert(want, 0, o)
	}
	got, err := p.History(p.soon(), "a")
	p.ok(err)
	if len(got) != len(want) {
		p.Fatalf("history %v; want %v", got, want)
	}
	for i := range want {
		if got[i].Tick.ID() != want[i].Tick.ID() || got[i].Kind != want[i].Kind || !got[i].At.Equal(want[i].At) ||
			got[i].N != want[i].N || got[i].Task != want[i].Task || got[i].Reason != want[i].Reason {
			p.Errorf("outcome %d: %+v; want %+v", i, got[i], want[i])
		}
	}
}
