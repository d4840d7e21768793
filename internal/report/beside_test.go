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

func TestARaceThatNobodyLostIsNotOneThatSomeLost(t *testing.T) {
	t.Parallel()
	race := func(system, ack string, lost int) report.Cell {
		c := report.Cell{System: system, Setting: map[string]string{"ack": ack}, Outcome: report.AsPredicted}
		for i := range 10 {
			c.Trials = append(c.Trials, report.Trial{Counts: map[string]int{"lost": min(1, max(0, lost-i))}})
		}
		return c
	}
	run := report.Run{Experiments: []report.Experiment{{Name: "worker-killed-at-random", Cells: []report.Cell{
		race("redis", "late", 0), race("redis", "early", 10), race("rabbitmq", "late", 0),
		race("celery+redis", "late", 4),    // meant: it takes in two steps
		race("celery+redis", "early", 7),   // the same race
		race("celery+rabbitmq", "late", 4), // not meant
	}}}}
	text := report.ReferenceText(run)
	for _, want := range []string{
		"Of 3 cells of Celery's", "1 have the same",
		"celery+redis | ack=late | lost 0 of 10, Celery 4 of 10 | meant: a Celery worker takes a message from Redis in two steps",
		"celery+rabbitmq | ack=late | lost 0 of 10, Celery 4 of 10 | **not meant**",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the report lacks %q:\n%s", want, text)
		}
	}
}
