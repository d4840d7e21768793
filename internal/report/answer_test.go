package report_test

import (
	"fmt"
	"maps"
	"strings"
	"testing"
	"unicode/utf8"

	"acklab/internal/check"
	"acklab/internal/report"
)

func TestTheAnswerTableIsAlwaysTheSameText(t *testing.T) {
	t.Parallel()
	first := report.AnswerTable(flagship())
	golden(t, "answer.txt", first)
	for range 20 {
		if report.AnswerTable(flagship()) != first {
			t.Fatal("the same run gave another text")
		}
	}
}

// dataRows counts the rows of cells in a table.
func dataRows(table string) int {
	n := 0
	for line := range strings.Lines(table) {
		if strings.HasPrefix(line, "  ") && strings.Contains(line, "/") {
			n++
		}
	}
	return n
}

func TestTheAnswerFitsOneScreen(t *testing.T) {
	t.Parallel()
	run := flagship()
	wide := flagship()
	e := &wide.Experiments[0]
	for _, c := range e.Cells[:32] {
		for _, system := range []string{"celery+redis", "celery+rabbitmq"} {
			c.System = system
			e.Cells = append(e.Cells, c)
		}
	}
	for name, run := range map[string]report.Run{"five systems": run, "seven systems": wide} {
		table := report.AnswerTable(run)
		for line := range strings.Lines(table) {
			if n := utf8.RuneCountInString(strings.TrimRight(line, "\n")); n > 110 {
				t.Errorf("%s: %d columns: %s", name, n, line)
			}
		}
		if n := dataRows(table); name == "five systems" && n > 24 {
			t.Errorf("%s: %d rows", name, n)
		}
	}
}

// one is a run of one flagship cell with these trials.
func one(c report.Cell) report.Run {
	return report.Run{Experiments: []report.Experiment{{Name: report.Flagship, Cells: []report.Cell{c}}}}
}

func TestACellSaysWhatItsTrialsSay(t *testing.T) {
	t.Parallel()
	trials := func(n, hit int, count string, measures map[string]float64) []report.Trial {
		var ts []report.Trial
		for i := range n {
			v := check.Counts{}
			if i < hit {
				v[count] = 1
			}
			ts = append(ts, report.Trial{ID: fmt.Sprint(i), Counts: counts(v), Measures: maps.Clone(measures)})
		}
		return ts
	}
	unsure := trials(3, 3, "lost", nil)
	for i := range 2 {
		unsure[i].Unsure = []string{"the victim did not die"}
	}
	for _, c := range []struct {
		name   string
		trials []report.Trial
		out    string
		why    string
		want   string
	}{
		{"three that agree", trials(3, 3, "lost", nil), report.AsPredicted, "", "1 / 0 / -"},
		{"three that differ", trials(3, 2, "lost", nil), report.AsPredicted, "", "2 of 3 / 0 / -"},
		{"a race", trials(50, 12, "lost", nil), report.AsPredicted, "", "started 50x  12 of 50 / 0 / -"},
		{"a race without a hit", trials(50, 0, "lost", nil), report.AsPredicted, "", "started 50x  0 / 0 / -"},
		{"repeated and back", trials(3, 3, "repeated", map[string]float64{"running": 1, "back_after_seconds": 58.2, "redelivery_seconds": 1}), report.AsPredicted, "", "0 / 1 / 58 s"},
		{"nothing was begun", trials(3, 0, "lost", map[string]float64{"running": 0, "redelivery_seconds": 0.0021}), report.AsPredicted, "", "0 / 0 / 2 ms"},
		{"lost while others came back", trials(3, 3, "lost", map[string]float64{"running": 1, "redelivery_seconds": 0.002}), report.AsPredicted, "", "1 / 0 / -"},
		{"stranded", trials(3, 3, "stranded", nil), report.AsPredicted, "", "0 / 0 / held"},
		{"a surprise", trials(3, 3, "lost", nil), report.Surprise, "lost 1, predicted 0", "1 / 0 / - ![a]"},
		{"unsure trials do not count", unsure, report.Unsure, "", "1 / 0 / - ?[a]"},
		{"only unsure trials", unsure[:2], report.Unsure, "", "unsure [a]"},
		{"no such point", nil, report.NotRun, "no such point", "no point [a]"},
		{"missing", nil, report.NotRun, "redis-server is missing: apt-get install redis-server", "missing [a]"},
		{"not built", nil, report.NotRun, "not built: result stores", "not built [a]"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			table := report.AnswerTable(one(report.Cell{System: "redis", Setting: map[string]string{"ack": "late", "crash_at": "started"}, Outcome: c.out, Reason: c.why, Trials: c.trials}))
			if !strings.Contains(table, c.want+"\n") {
				t.Errorf("no %q in:\n%s", c.want, table)
			}
			if c.why != "" && !strings.Contains(table, c.why) {
				t.Errorf("no reason %q in:\n%s", c.why, table)
			}
		})
	}
}

func TestOtherArrangementsAreComparedWithTheTable(t *testing.T) {
	t.Parallel()
	run := flagship()
	e := &run.Experiments[0]
	for i := range e.Cells {
		c := &e.Cells[i]
		if c.System == "redis" && c.Setting["then"] == "restart" && c.Setting["crash_at"] == "late-acked" {
			for j := range c.Trials {
				c.Trials[j].Counts["repeated"] = 1
			}
		}
	}
	table := report.AnswerTable(run)
	if want := "then=restart: lost and ran twice as above in 60 of 61 cells; else redis late late-acked: 0 / 1."; !strings.Contains(table, want) {
		t.Errorf("no %q in:\n%s", want, table)
	}
}

func TestALongExperimentShowsWhatIsNotAsPredicted(t *testing.T) {
	t.Parallel()
	e := report.Experiment{Name: "long"}
	for i := range 100 {
		c := report.Cell{System: "redis", Setting: map[string]string{"n": fmt.Sprint(i)}, Outcome: report.AsPredicted, Trials: []report.Trial{{Counts: counts(nil)}}}
		if i == 40 {
			c.Outcome, c.Reason = report.Surprise, "lost 2, predicted 0"
		}
		e.Cells = append(e.Cells, c)
	}
	table := report.AnswerTable(report.Run{Experiments: []report.Experiment{e}})
	if !strings.Contains(table, "lost 2, predicted 0") || !strings.Contains(table, "99 cells more: see report.md.") {
		t.Error(table)
	}
}

func TestDurationsReadAsPeopleSayThem(t *testing.T) {
	t.Parallel()
	for seconds, want := range map[float64]string{
		0: "0 ms", 0.0004: "0.4 ms", 0.0021: "2 ms", 0.25: "250 ms", 0.9994: "999 ms", 0.9996: "1.0 s", 1.24: "1.2 s", 9.96: "10 s", 58.4: "58 s", 131: "131 s", 720: "12 min",
	} {
		if got := report.Duration(seconds); got != want {
			t.Errorf("%g s is %q, want %q", seconds, got, want)
		}
	}
}

func TestNothingFromARunDrivesTheTerminal(t *testing.T) {
	t.Parallel()
	table := report.AnswerTable(one(report.Cell{System: "redis", Setting: map[string]string{"ack": "late", "crash_at": "mid"}, Outcome: report.NotRun, Reason: "red \x1b[31m\x07 alert"}))
	if strings.ContainsAny(table, "\x1b\x07") {
		t.Errorf("%q", table)
	}
}
