package report_test

import (
	"strings"
	"testing"

	"acklab/internal/report"
)

func TestCeleryStandsBesideOursAndADifferenceIsMeantOrNot(t *testing.T) {
	t.Parallel()
	cell := func(system, ack, pool string, lost int) report.Cell {
		c := report.Cell{System: system, Setting: map[string]string{"ack": ack, "crash_at": "mid"}, Outcome: report.AsPredicted}
		if pool != "" {
			c.Setting["pool"] = pool
		}
		for range 3 {
			c.Trials = append(c.Trials, report.Trial{Counts: map[string]int{"lost": lost}})
		}
		return c
	}
	failing := cell("celery+rabbitmq", "early", "solo", 0)
	failing.Setting["then"] = "restart"
	failing.Trials[0].Counts["failed"] = 1
	ours := cell("rabbitmq", "early", "", 1)
	ours.Setting["then"] = "restart"
	run := report.Run{Experiments: []report.Experiment{{Name: report.Flagship, Cells: []report.Cell{
		cell("rabbitmq", "early", "", 1), cell("rabbitmq", "late", "", 0), ours,
		cell("celery+rabbitmq", "early", "prefork", 1), // the same
		cell("celery+rabbitmq", "early", "solo", 0),    // meant
		cell("celery+rabbitmq", "late", "prefork", 1),  // not meant
		cell("celery+redis", "late", "prefork", 0),     // nothing of ours beside it
		failing, // not meant, whatever else is
	}}}}
	text := report.ReferenceText(run)
	for _, want := range []string{
		"## Celery beside ours", "Of 4 cells of Celery's", "1 have the same",
		"ack=early crash_at=mid pool=solo | lost 1, Celery 0 | meant: Celery's solo pool",
		"then=restart pool=solo | lost 1, Celery 0; failed 0, Celery 1 of 3 | **not meant**",
		"ack=late crash_at=mid pool=prefork | lost 0, Celery 1 | **not meant**",
	} {
		if !strings.Contains(strings.ReplaceAll(text, "crash\\_at", "crash_at"), want) {
			t.Errorf("the report lacks %q:\n%s", want, text)
		}
	}
	if strings.Contains(report.ReferenceText(flagship()), "Celery beside ours") {
		t.Error("a run without Celery has the section")
	}
}

func TestRacesBesideEachOtherDifferOnlyByMoreThanChance(t *testing.T) {
	t.Parallel()
	cell := func(system string, lost int) report.Cell {
		c := report.Cell{System: system, Setting: map[string]string{"ack": "late"}, Outcome: report.AsPredicted}
		for i := range 50 {
			n := 0
			if i < lost {
				n = 1
			}
			c.Trials = append(c.Trials, report.Trial{Counts: map[string]int{"lost": n}})
		}
		return c
	}
	for _, c := range []struct {
		ours, celerys int
		want          string
	}{
		{0, 50, "lost 0 of 50, Celery 50 of 50"}, {50, 0, "lost 50 of 50, Celery 0 of 50"}, {5, 45, "lost 5 of 50, Celery 45 of 50"},
		{0, 1, ""}, {20, 24, ""}, {50, 49, ""}, {50, 50, ""},
	} {
		run := report.Run{Experiments: []report.Experiment{{Name: report.Flagship, Cells: []report.Cell{cell("redis", c.ours), cell("celery+redis", c.celerys)}}}}
		_, text, _ := strings.Cut(report.ReferenceText(run), "## Celery beside ours")
		text, _, _ = strings.Cut(text, "\n## ")
		if same := strings.Contains(text, "1 have the same"); same != (c.want == "") || !strings.Contains(text, c.want) {
			t.Errorf("%d of 50 beside %d of 50: want %q; the section says\n%s", c.ours, c.celerys, c.want, text)
		}
	}
}

func TestARaceThatNobodyLostIsNotOneThatSomeLost(t *testing.T) {
	t.Parallel()
	race := func(system, ack string, lost int) report.Cell {
		c := report.Cell{System: system, Setting: map[string]string{"ack": ack}, Outcome: report.AsPredicted}
		for i := range 50 {
			c.Trials = append(c.Trials, report.Trial{Counts: map[string]int{"lost": min(1, max(0, lost-i))}})
		}
		return c
	}
	run := report.Run{Experiments: []report.Experiment{{Name: "worker-killed-at-random", Cells: []report.Cell{
		race("redis", "late", 0), race("redis", "early", 49), race("rabbitmq", "late", 0),
		race("celery+redis", "late", 20),    // meant: it takes in two steps
		race("celery+redis", "early", 48),   // the same race
		race("celery+rabbitmq", "late", 20), // not meant
	}}}}
	text := report.ReferenceText(run)
	for _, want := range []string{
		"Of 3 cells of Celery's", "1 have the same",
		"celery+redis | ack=late | lost 0 of 50, Celery 20 of 50 | meant: a Celery worker takes a message from Redis in two steps",
		"celery+rabbitmq | ack=late | lost 0 of 50, Celery 20 of 50 | **not meant**",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the report lacks %q:\n%s", want, text)
		}
	}
}
