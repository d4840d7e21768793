package report

import (
	"strings"
	"testing"

	"acklab/internal/ledger"
)

func TestTheAxisKeepsTheOrderOfTimesAndCutsLongPauses(t *testing.T) {
	t.Parallel()
	times := []float64{0, 0.001, 0.002, 0.01, 58, 58.001, 58.01}
	a := newAxis(times, 100, 1100)
	last := 99.0
	for _, s := range times {
		x := a.x(s)
		if x <= last || x < 100 || x > 1100.001 {
			t.Errorf("%g s is at %g after %g", s, x, last)
		}
		last = x
	}
	if last < 1099 {
		t.Errorf("the last time is at %g, want the right end", last)
	}
	cuts := 0
	for _, p := range a.parts {
		if p.Cut {
			cuts++
			if p.From != 0.01 || p.To != 58 || p.X1-p.X0 != cutPixels {
				t.Errorf("cut %+v", p)
			}
		}
	}
	if cuts != 1 {
		t.Errorf("%d cuts, want 1", cuts)
	}
	if x := a.x(0.01); x-100 < 300 {
		t.Errorf("the first 10 ms have %g pixels", x-100)
	}
}

func TestTheAxisDoesNotCutWhatIsEvenlySpread(t *testing.T) {
	t.Parallel()
	var times []float64
	for i := range 50 {
		times = append(times, float64(i)/10)
	}
	a := newAxis(times, 0, 1000)
	if len(a.parts) != 1 || a.parts[0].Cut {
		t.Errorf("parts %+v", a.parts)
	}
	ticks := a.ticks()
	if len(ticks) < 3 || ticks[0].Label != "0.0 s" {
		t.Errorf("ticks %+v", ticks)
	}
	for i := 1; i < len(ticks); i++ {
		if ticks[i].X-ticks[i-1].X < 70 {
			t.Errorf("ticks %+v and %+v are too close", ticks[i-1], ticks[i])
		}
	}
}

func TestAnAxisOverOneMomentOrNoneIsStillAnAxis(t *testing.T) {
	t.Parallel()
	for _, times := range [][]float64{nil, {3}, {3, 3}} {
		a := newAxis(times, 0, 100)
		if x := a.x(3); x < 0 || x > 100 {
			t.Errorf("%v: %g", times, x)
		}
	}
}

func TestAPlainTableWrapsLongSettingsToTheScreen(t *testing.T) {
	t.Parallel()
	e := Experiment{Name: "x"}
	c := Cell{System: "rabbitmq-quorum", Setting: map[string]string{}, Outcome: NotRun, Reason: strings.Repeat("because of this ", 20)}
	for _, k := range strings.Split("abcdefghijklmnop", "") {
		c.Setting[k+"-setting"] = "some-value"
	}
	e.Cells = []Cell{c}
	for line := range strings.Lines(AnswerTable(Run{Experiments: []Experiment{e}})) {
		if width(strings.TrimSuffix(line, "\n")) > screenWidth {
			t.Errorf("%d columns: %s", width(line), line)
		}
	}
}

func TestAFaultThatIsNotHealedIsAMomentAndOneThatIsLasts(t *testing.T) {
	t.Parallel()
	d := draw{received: map[string]int{}}
	at := func(ms int64, e ledger.Event, fault string) ledger.Line {
		return ledger.Line{Event: e, Fault: fault, Mono: ms * 1e6}
	}
	shades := d.fill(&lane{}, []ledger.Line{at(10, ledger.FaultInjected, "freeze"), at(20, ledger.FaultInjected, "restart"), at(50, ledger.FaultHealed, "freeze")})
	if len(shades) != 2 || shades[0].From != 0.01 || shades[0].To != 0.05 || shades[1].From != shades[1].To {
		t.Errorf("faults %+v", shades)
	}
}

func TestTheNameOfATimelinePageStaysInItsFolderAndIsItsTrialsAlone(t *testing.T) {
	t.Parallel()
	if got := timelinePath("../../etc/passwd"); strings.Contains(got[len("trials/"):], "/") || strings.HasPrefix(got, "trials/.") {
		t.Errorf("page %q leaves its folder", got)
	}
	if a, b := timelinePath("a/b"), timelinePath("a-b"); a == b {
		t.Errorf("two trials share the page %q", a)
	}
	long := timelinePath(strings.Repeat("x", 400))
	if len(long) > 200 || long == timelinePath(strings.Repeat("x", 401)) {
		t.Errorf("page %q", long)
	}
}
