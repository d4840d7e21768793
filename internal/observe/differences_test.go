package observe

import (
	"strings"
	"testing"
	"time"

	"acklab/internal/ledger"
	"acklab/internal/server"
)

const second = int64(time.Second)

// finishedAt is a ledger with a finished line at each of these seconds.
func finishedAt(seconds ...float64) ledger.File {
	var f ledger.File
	for _, s := range seconds {
		f.Lines = append(f.Lines, ledger.Line{Event: ledger.Finished, Mono: int64(s * float64(second))})
	}
	return f
}

// watched is a watch on one process, last scraped at a second and seen with so
// many finished tasks then; the clocks are one.
func watched(at, finished float64) *Watch {
	w := &Watch{interval: interval, names: map[string]string{"process-0": "victim"}}
	labels := map[string]string{"instance": "process-0"}
	one := func(value float64) matrix { return matrix{{labels, []sample{{at, value}}}} }
	w.seen.ups = matrix{{labels, []sample{{at - 1, 0}, {at, 1}, {at + 1, 0}}}}
	w.seen.took = one(0.004)
	for _, c := range counted {
		seen := matrix(nil)
		if c.what == "finished" {
			seen = one(finished)
		}
		w.seen.counters = append(w.seen.counters, seen)
	}
	return w
}

func TestADifferenceIsExplainedOnlyByTheLedgerAtTheLastScrape(t *testing.T) {
	t.Parallel()
	victim := ledger.Process{Name: "victim", File: "victim.jsonl", Start: second, End: 10*second + second/2, Signal: 9}
	for name, c := range map[string]struct {
		scrape, seen float64
		process      ledger.Process
		lines        []float64
		want         string // of the reason; empty: no difference
	}{
		"both agree":                        {10, 3, victim, []float64{7, 8, 9}, ""},
		"killed half a second later":        {10, 3, victim, []float64{7, 8, 9, 10.2, 10.3}, "it was killed 500ms after the last scrape, when the ledger had 3:"},
		"a line while it was scraped":       {10, 4, victim, []float64{7, 8, 9, 10.002, 10.3}, "when the ledger had 3 to 4:"},
		"a counter that counts too little":  {10, 2, victim, []float64{7, 8, 9, 10.2}, "unexplained"},
		"a counter that counts too much":    {10, 4, victim, []float64{7, 8, 9}, "unexplained"},
		"scraped after it had ended":        {12, 1, victim, []float64{7, 8, 9}, "unexplained"},
		"a process that nobody saw end":     {10, 2, ledger.Process{Name: "victim", File: "victim.jsonl", Start: second}, []float64{7, 8, 9}, "unexplained"},
		"a process that ended by itself":    {10, 1, ledger.Process{Name: "victim", File: "victim.jsonl", Start: second, End: 11 * second}, []float64{7, 10.9}, "it ended 1s after the last scrape"},
		"a process that nobody had watched": {10, 1, ledger.Process{Name: "other", File: "victim.jsonl", Start: second, End: 11 * second}, []float64{7, 8}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := watched(c.scrape, c.seen)
			got := w.differences(ledger.Trial{Processes: []ledger.Process{c.process}}, map[string]ledger.File{"victim.jsonl": finishedAt(c.lines...)})
			if c.want == "" {
				if len(got) != 0 {
					t.Errorf("differences %+v, want none", got)
				}
				return
			}
			if len(got) != 1 || got[0].What != "finished, by victim" || got[0].Prometheus != c.seen || got[0].Ledger != float64(len(c.lines)) {
				t.Fatalf("differences %+v", got)
			}
			if !strings.Contains(got[0].Why, c.want) {
				t.Errorf("why: %q, want %q", got[0].Why, c.want)
			}
		})
	}
}

func TestAProcessThatNoScrapeMetIsExplainedOnlyWhenItLivedShortly(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		end  int64
		want string
	}{{second + second/10, "lived 100ms, and no scrape fell into that"}, {9 * second, "unexplained"}} {
		w := watched(10, 0)
		w.seen.ups, w.seen.counters = nil, nil
		p := ledger.Process{Name: "victim", File: "f", Start: second, End: c.end}
		got := w.differences(ledger.Trial{Processes: []ledger.Process{p}}, map[string]ledger.File{"f": finishedAt(1.05)})
		if len(got) != 1 || !strings.Contains(got[0].Why, c.want) {
			t.Errorf("%+v, want %q", got, c.want)
		}
	}
}

func TestWindowsLastFromTheFaultToItsEndOrItsHealing(t *testing.T) {
	t.Parallel()
	got := windows([]ledger.Line{
		{Event: ledger.FaultInjected, Fault: "restart", Mono: 9 * second, Detail: map[string]string{"start_ns": "3000000000", "end_ns": "5000000000"}},
		{Event: ledger.FaultInjected, Fault: "freeze", Mono: 6 * second, Detail: map[string]string{"start_ns": "6000000000", "end_ns": "6100000000"}},
		{Event: ledger.FaultHealed, Fault: "freeze", Mono: 8 * second},
		{Event: ledger.FaultInjected, Fault: "kill", Mono: 9 * second},
	}, second)
	want := []Window{{"restart", 2, 4}, {"freeze", 5, 7}, {"kill", 8, 8}}
	if len(got) != len(want) {
		t.Fatalf("%+v", got)
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("window %d is %+v, want %+v", i, got[i], want[i])
		}
	}
}

func TestAWallClockThatIsSetMakesTimesUncertain(t *testing.T) {
	t.Parallel()
	c := readClocks()
	if c.within > int64(time.Millisecond) {
		t.Errorf("two clocks of one machine cannot be related closer than %d ns", c.within)
	}
	if off := c.mono(float64(time.Now().UnixNano())/1e9) - ledger.Now(); max(off, -off) > int64(50*time.Millisecond) {
		t.Errorf("now is %d ns off", off)
	}
	set := c
	set.offset += 3 * second
	if joined := c.until(set); joined.within < 3*second {
		t.Errorf("the wall clock was set by 3 s, and times are said to be within %d ns", joined.within)
	}
}

func TestEachProcessHasATargetOfItsOwnUntilThereIsNone(t *testing.T) {
	t.Parallel()
	w := &Watch{names: map[string]string{}}
	for range 2 {
		port, err := server.FreePort()
		if err != nil {
			t.Fatal(err)
		}
		w.ports = append(w.ports, port)
	}
	first, second, third := w.Addr("a"), w.Addr("b"), w.Addr("c")
	if first == second || third != "127.0.0.1:0" || len(w.unwatched) != 1 || w.unwatched[0] != "c" {
		t.Errorf("%s %s %s, unwatched %v", first, second, third, w.unwatched)
	}
	if w.process("process-0") != "a" || w.process("queue") != "queue" {
		t.Errorf("names %v", w.names)
	}
}
