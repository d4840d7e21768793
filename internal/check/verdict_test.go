package check

import (
	"fmt"
	"math"
	"strings"
	"testing"
)

// cells makes a cell for each combination, three trials each; lost says in
// which ones the task is lost. The claim is that it is not.
func cells(systems, acks, points []string, lost func(system, ack, point string) bool) []ClaimCell {
	var all []ClaimCell
	for _, s := range systems {
		for _, a := range acks {
			for _, p := range points {
				c := ClaimCell{System: s, Setting: map[string]string{"ack": a, "crash_at": p}, Bounds: Bounds{"lost": {0, 0}}, Outcome: AsPredicted}
				for range 3 {
					r := result(Counts{"redelivered": 1})
					if lost(s, a, p) {
						r.Counts["lost"], r.Counts["lost_after_ack"] = 1, 1
					}
					c.Trials = append(c.Trials, r)
				}
				all = append(all, c)
			}
		}
	}
	return all
}

var (
	someSystems = []string{"redis", "rabbitmq"}
	someAcks    = []string{"early", "late"}
	somePoints  = []string{"before-fetch", "acked", "started", "finished"}
)

func TestTheVerdictOnAClaimAndItsCondition(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name    string
		cells   []ClaimCell
		verdict string
		because string
	}{
		{"nothing is lost", cells(someSystems, someAcks, somePoints, func(_, _, _ string) bool { return false }), Holds,
			"holds in all 16 cells; trials against it: 0 of 48, below 6.1 %; tried with system in (redis, rabbitmq), ack in (early, late), crash_at in (before-fetch, acked, started, finished)"},
		{"all is lost", cells(someSystems, someAcks, somePoints, func(_, _, _ string) bool { return true }), Refuted,
			"holds nowhere (16 cells, 48 trials); tried with system in (redis, rabbitmq), ack in"},
		{"one setting decides", cells(someSystems, someAcks, somePoints, func(_, a, _ string) bool { return a == "early" }), Depends,
			"holds with ack=late; not with ack=early (16 cells, 48 trials)"},
		{"the system decides", cells(someSystems, someAcks, somePoints, func(s, _, _ string) bool { return s == "redis" }), Depends,
			"holds with system=rabbitmq; not with system=redis (16 cells, 48 trials); tried with ack in (early, late), crash_at in ("},
		{"several values of one setting", cells(someSystems, someAcks, somePoints, func(_, _, p string) bool { return p == "acked" || p == "started" }), Depends,
			"holds with crash_at in (before-fetch, finished); not with crash_at in (acked, started)"},
		{"two settings decide", cells(someSystems, someAcks, somePoints, func(_, a, p string) bool { return a == "early" && (p == "acked" || p == "started") }), Depends,
			"holds with ack=late and with ack=early, crash_at in (before-fetch, finished); not with ack=early, crash_at in (acked, started)"},
		{"two settings decide, neither alone for any value", cells([]string{"redis"}, someAcks, somePoints[1:3], func(_, a, p string) bool { return (a == "early") == (p == "acked") }), Depends,
			"holds with ack=early, crash_at=started and with ack=late, crash_at=acked; not with ack=early, crash_at=acked and with ack=late, crash_at=started"},
		{"three settings decide", cells(someSystems, someAcks, somePoints, func(s, a, p string) bool { return s == "redis" && a == "early" && p == "acked" }), Depends,
			"not with ack=early, system=redis, crash_at=acked"},
		{"one cell", cells([]string{"redis"}, []string{"late"}, []string{"mid"}, func(_, _, _ string) bool { return false }), Holds,
			"holds in 1 cell; trials against it: 0 of 3, below 63.2 %"},
		{"no cell", nil, NotRun, "no cell speaks of B2"},
	}
	for _, c := range cases {
		verdict, because := Verdict("B2", c.cells)
		if verdict != c.verdict || !strings.Contains(because, c.because) {
			t.Errorf("%s: %s, %q; want %s, %q", c.name, verdict, because, c.verdict, c.because)
		}
	}
}

func TestAVerdictSaysHowManyTrialsDidNotCount(t *testing.T) {
	t.Parallel()
	one := cells(someSystems[:1], someAcks[:1], []string{"acked"}, func(_, _, _ string) bool { return false })
	sure := one[0].Trials[0]
	doubtful := sure
	doubtful.Unsure = []string{"no probe"}
	one[0].Trials = []Result{sure, doubtful, doubtful}
	verdict, because := Verdict("B2", one)
	if verdict != Holds || !strings.Contains(because, "not counted, because unsure: 2 trials") {
		t.Errorf("%s: %s", verdict, because)
	}
}

func TestAVerdictCountsSureTrialsAlone(t *testing.T) {
	t.Parallel()
	all := cells(someSystems, someAcks, []string{"acked"}, func(_, a, _ string) bool { return a == "early" })
	for i := range all { // every trial that is against the claim does not count
		for j := range all[i].Trials {
			if all[i].Trials[j].Counts["lost"] > 0 {
				all[i].Trials[j].Unsure = []string{"no probe"}
			}
		}
	}
	verdict, because := Verdict("B2", all)
	if verdict != Holds || !strings.Contains(because, "all 2 cells") || !strings.Contains(because, "2 cells undecided") {
		t.Errorf("%s: %s", verdict, because)
	}
	for i := range all {
		for j := range all[i].Trials {
			all[i].Trials[j].Unsure = []string{"no probe"}
		}
	}
	if verdict, because = Verdict("B2", all); verdict != NotRun || because != "no trial of 4 cells counts: no probe" {
		t.Errorf("%s: %s", verdict, because)
	}
	for i := range all {
		all[i].Trials, all[i].Outcome = nil, NotRun
	}
	if verdict, because = Verdict("B2", all); verdict != NotRun || because != "none of 4 cells was run" {
		t.Errorf("%s: %s", verdict, because)
	}
}

func TestACellThatIsInDoubtAsAWholeDecidesNothing(t *testing.T) {
	t.Parallel()
	all := cells(someSystems, someAcks, []string{"acked"}, func(_, a, _ string) bool { return a == "early" })
	for i := range all {
		all[i].Outcome = Doubtful // its control did not run clean
	}
	if verdict, because := Verdict("B2", all); verdict != NotRun || !strings.Contains(because, "in doubt") {
		t.Errorf("%s: %s", verdict, because)
	}
	all[0].Trials[0].Unsure = []string{"no probe"} // here it is one trial
	if verdict, because := Verdict("B2", all); verdict != Refuted || !strings.Contains(because, "holds nowhere (1 cell, 2 trials)") {
		t.Errorf("%s: %s", verdict, because)
	}
}

func TestACellWhoseTrialsDisagreeIsCalledAMatterOfChance(t *testing.T) {
	t.Parallel()
	all := cells([]string{"rabbitmq"}, someAcks, []string{"acked"}, func(_, _, _ string) bool { return false })
	for i := range 47 {
		r := result(nil)
		if i < 3 {
			r.Counts["lost"] = 1
		}
		all[0].Trials = append(all[0].Trials, r)
	}
	verdict, because := Verdict("B2", all)
	want := "a matter of chance with system=rabbitmq, ack=early, crash_at=acked: 3 of 50, below 14.8 %"
	if verdict != Depends || !strings.Contains(because, want) || !strings.Contains(because, "holds with ack=late; not with ack=early") {
		t.Errorf("%s: %s", verdict, because)
	}
}

func TestAConditionIsToldByTheCellsThatAreNoMatterOfChance(t *testing.T) {
	t.Parallel()
	all := cells(someSystems, someAcks, somePoints, func(_, a, p string) bool { return a == "early" && p == "acked" })
	all[0].Trials[0].Counts["lost"] = 1 // a cell of another point whose trials disagree
	_, because := Verdict("B2", all)
	if want := "not with ack=early, crash_at=acked ("; !strings.Contains(because, want) || !strings.Contains(because, "a matter of chance with") {
		t.Errorf("%s; want %q in it", because, want)
	}
}

func TestAMatterOfChanceIsLeftOutOfTheConditionThatTheOthersShow(t *testing.T) {
	t.Parallel()
	all := cells([]string{"rabbitmq"}, someAcks, somePoints, func(_, a, _ string) bool { return a == "early" })
	late := len(all) - 1 // of late acknowledgement, where nothing else is lost
	all[late].Trials[1].Counts["lost"] = 1
	_, because := Verdict("B2", all)
	if want := "holds with ack=late; not with ack=early (8 cells, 24 trials); a matter of chance with system=rabbitmq, ack=late, crash_at=finished: 1 of 3, below 86.5 %; tried with system=rabbitmq, crash_at in (before-fetch, acked, started, finished)"; because != want {
		t.Errorf("%q, want %q", because, want)
	}
	for i := range all { // five races: the three with the most trials are named
		all[i].Trials[0].Counts["lost"], all[i].Trials[1].Counts["lost"], all[i].Trials[2].Counts["lost"] = 1, 0, 0
	}
	verdict, because := Verdict("B2", all[:5])
	if verdict != Refuted || strings.Count(because, "a matter of chance with") != 3 || !strings.Contains(because, "; a matter of chance in 2 cells more; tried with system=rabbitmq, ack in (early, late), crash_at in (") {
		t.Errorf("%s: %s", verdict, because)
	}
}

// One trial of a race that comes out against the claim is no rule of its system.
func TestAFewTrialsOfWhatMayGoEitherWayAreAMatterOfChance(t *testing.T) {
	t.Parallel()
	race := func(own Bounds, trials int) []ClaimCell {
		all := cells(someSystems, someAcks, []string{"acked"}, func(s, a, _ string) bool { return s == "redis" && a == "early" })
		all[0].Predicted = own
		for len(all[0].Trials) < trials {
			all[0].Trials = append(all[0].Trials, all[0].Trials[0])
		}
		return all
	}
	for _, c := range []struct {
		why     string
		cells   []ClaimCell
		because string
	}{
		{"both was foreseen", race(Bounds{"lost": {0, 1}}, 3),
			"holds in all cells but 1 (4 cells, 12 trials); a matter of chance with system=redis, ack=early, crash_at=acked: 3 of 3, above 36.8 %; tried with"},
		{"the loss was foreseen", race(Bounds{"lost": {1, 1}}, 3), "holds with ack=late and with ack=early, system=rabbitmq; not with ack=early, system=redis ("},
		{"five trials tell", race(Bounds{"lost": {0, 1}}, 5), "holds with ack=late and with ack=early, system=rabbitmq; not with ack=early, system=redis ("},
		{"something else was foreseen for certain", race(Bounds{"lost": {0, 1}, "repeated": {1, 1}}, 3), "holds in all cells but 1"},
	} {
		if verdict, because := Verdict("B2", c.cells); verdict != Depends || !strings.HasPrefix(because, c.because) {
			t.Errorf("%s: %s: %s", c.why, verdict, because)
		}
	}
	alone := race(Bounds{"lost": {0, 1}}, 3)[:1]
	if verdict, because := Verdict("B2", alone); verdict != Depends || !strings.HasPrefix(because, "may go either way (1 cell, 3 trials); a matter of chance with") {
		t.Errorf("alone: %s: %s", verdict, because)
	}
	never := "not with ack=early, system=redis"
	surprise := race(Bounds{"lost": {0, 1}}, 3)
	surprise[0].Outcome = Surprise
	if _, because := Verdict("B2", surprise); !strings.Contains(because, never) {
		t.Errorf("a surprise is no matter of chance: %s", because)
	}
	other := race(Bounds{"lost": {0, 1}, "redelivered": {1, 1}}, 3)
	other[0].Bounds = Bounds{"lost": {0, 0}, "redelivered": {0, 0}}
	if _, because := Verdict("B2", other); !strings.Contains(because, never) {
		t.Errorf("the claim cannot hold where another of its bounds is excluded: %s", because)
	}
	if _, because := Verdict("B2", race(Bounds{"lost": {0, few}}, 3)); !strings.Contains(because, never) {
		t.Errorf("a loss of many tasks is many chances: %s", because)
	}
	holds := cells([]string{"redis"}, someAcks, []string{"acked"}, func(_, _, _ string) bool { return false })
	holds[0].Predicted = Bounds{"lost": {0, 1}}
	if verdict, because := Verdict("B2", holds); verdict != Holds || !strings.Contains(because, "in 1 cell of those that hold it may go either way, after fewer than 5 trials each") {
		t.Errorf("%s: %s", verdict, because)
	}
}

func TestASettingThatSomeCellsLackCanBeTheCondition(t *testing.T) {
	t.Parallel()
	all := cells([]string{"rabbitmq"}, someAcks, []string{"acked"}, func(_, _, _ string) bool { return false })
	more := cells([]string{"rabbitmq"}, someAcks, []string{"acked"}, func(_, _, _ string) bool { return true })
	for i := range more {
		more[i].Setting["limit"] = "3"
	}
	_, because := Verdict("B9", append(all, more...))
	if !strings.HasPrefix(because, "holds with no limit; not with limit=3 (4 cells, 12 trials)") {
		t.Error(because)
	}
}

func TestTheUpperBoundIsThatOfClopperAndPearson(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		k, n int
		want float64
	}{
		// 1 - 0.05^(1/n) for none; the others from tables of the exact interval.
		{0, 1, 0.95}, {0, 3, 0.6316}, {0, 20, 0.1391}, {0, 50, 0.0582}, {0, 1000, 0.00299},
		{1, 10, 0.3942}, {5, 10, 0.7776}, {1, 50, 0.0914}, {3, 50, 0.1478}, {9, 10, 0.9949},
		{10, 10, 1}, {0, 0, 1}, {7, 3, 1}, {-1, 3, 0.6316},
	} {
		if got := UpperBound95(c.k, c.n); math.Abs(got-c.want) > 0.0001 {
			t.Errorf("%d of %d: %.5f, want %.4f", c.k, c.n, got, c.want)
		}
	}
}

func TestTheUpperBoundGrowsWithWhatWasSeenAndShrinksWithTrials(t *testing.T) {
	t.Parallel()
	for n := 1; n <= 60; n += 7 {
		for k := range n {
			p := UpperBound95(k, n)
			if p <= float64(k)/float64(n) || p > 1 || p >= UpperBound95(k+1, n) && k+1 < n {
				t.Fatalf("%d of %d: %v", k, n, p)
			}
			if more := UpperBound95(k, n+1); more >= p {
				t.Fatalf("%d of %d: %v, of one more trial %v", k, n, p, more)
			}
		}
	}
}

func TestAFrequencyNeverSaysNever(t *testing.T) {
	t.Parallel()
	for want, kn := range map[string][2]int{
		"0 of 50, below 5.8 %":          {0, 50},
		"50 of 50, above 94.2 %":        {50, 50},
		"3 of 50, below 14.8 %":         {3, 50},
		"0 of 1000, below 0.30 %":       {0, 1000},
		"1000 of 1000, above 99.70 %":   {1000, 1000},
		"0 of 1000000, below 0.00030 %": {0, 1000000},
		"0 of 0":                        {0, 0},
		"0 of 3, below 63.2 %":          {0, 3},
		"1 of 1, above 5.0 %":           {1, 1},
	} {
		if got := Frequency(kn[0], kn[1]); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func ExampleVerdict() {
	lost := func(n int) Result {
		r := Result{Counts: newCounts()}
		r.Counts["lost"] = n
		return r
	}
	claim := Bounds{"lost": {0, 0}}
	verdict, because := Verdict("B3", []ClaimCell{
		{System: "rabbitmq", Setting: map[string]string{"ack": "early"}, Bounds: claim, Trials: []Result{lost(1), lost(1), lost(1)}},
		{System: "rabbitmq", Setting: map[string]string{"ack": "late"}, Bounds: claim, Trials: []Result{lost(0), lost(0), lost(0)}},
	})
	fmt.Println(verdict + ": " + because)
	// Output: depends: holds with ack=late; not with ack=early (2 cells, 6 trials); tried with system=rabbitmq
}
