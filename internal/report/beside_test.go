package report_test

import (
	"slices"
	"strings"
	"testing"

	"acklab/internal/check"
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

// besideRow runs two cells of an experiment beside each other and returns what
// the section says of them.
func besideRow(experiment string, ours, celerys report.Cell) string {
	run := report.Run{Experiments: []report.Experiment{{Name: experiment, Cells: []report.Cell{ours, celerys}}}}
	_, text, _ := strings.Cut(report.ReferenceText(run), "## Celery beside ours")
	text, _, _ = strings.Cut(text, "\n## ")
	return strings.ReplaceAll(text, "\\_", "_")
}

// once is a cell whose trials have counted and measured these, one trial each.
func once(system string, setting map[string]string, predicted check.Bounds, numbers ...map[string]int) report.Cell {
	c := report.Cell{System: system, Setting: setting, Predicted: predicted, Outcome: report.AsPredicted}
	for _, numbers := range numbers {
		trial := report.Trial{Counts: check.Counts{}, Measures: map[string]float64{}}
		for name, v := range numbers {
			if slices.Contains(check.Names, name) {
				trial.Counts[name] = v
			} else {
				trial.Measures[name] = float64(v)
			}
		}
		c.Trials = append(c.Trials, trial)
	}
	return c
}

func TestTriesStatesAndCallbacksAreComparedWhereBothHaveThem(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"attempts_min", "attempts_max", "stored_started", "stored_retry", "stored_success", "stored_failure", "unknown_pending", "callbacks_run"} {
		setting := map[string]string{"ack": "late"}
		none := once("redis", setting, nil, map[string]int{})
		one, two := once("redis", setting, nil, map[string]int{name: 1}), once("celery+redis", setting, nil, map[string]int{name: 2})
		want := strings.ReplaceAll(name, "_", " ") + " 1, Celery 2 | **not meant**"
		if text := besideRow("failing-task-is-tried-again", one, two); !strings.Contains(text, want) {
			t.Errorf("the section lacks %q:\n%s", want, text)
		}
		if text := besideRow("failing-task-is-tried-again", none, two); !strings.Contains(text, "1 have the same") {
			t.Errorf("%s, which only Celery's cell has, is compared:\n%s", name, text)
		}
		two.System = "redis"
		same := two
		same.System = "celery+redis"
		if text := besideRow("failing-task-is-tried-again", two, same); !strings.Contains(text, "1 have the same") {
			t.Errorf("%s is the same, and is not:\n%s", name, text)
		}
	}
}

func TestADifferenceIsMeantOnlyWhereItIsWhatBothHadPredicted(t *testing.T) {
	t.Parallel()
	type numbers = map[string]int
	killed := map[string]string{"ack": "late", "crash_at": "result-stored", "fault": "the callback's worker killed"}
	twice := map[string]string{"ack": "late", "fault": "each member published twice"}
	link := map[string]string{"ack": "late", "crash_at": "result-stored", "chain": "adds"}
	own := map[string]string{"fault": "none", "leader": "each its own"}
	one, two, upTo2, upTo4 := check.Bounds{"callbacks_run": {1, 1}}, check.Bounds{"callbacks_run": {2, 2}}, check.Bounds{"callbacks_run": {1, 2}}, check.Bounds{"callbacks_run": {1, 4}}
	const chord = "chord-calls-back-once"
	for _, c := range []struct {
		name, experiment string
		setting          map[string]string
		ours, celerys    check.Bounds
		counted, theirs  numbers
		want             string
	}{
		{"nothing asks the store", chord, killed, one, two, numbers{"callbacks_run": 1}, numbers{"callbacks_run": 2, "repeated": 1, "restarted": 1}, "meant: ours ask the result store"},
		{"lost beside it", chord, killed, one, two, numbers{"callbacks_run": 1}, numbers{"callbacks_run": 2, "lost": 1}, "**not meant**"},
		{"not called back", chord, killed, one, two, numbers{"callbacks_run": 1}, numbers{"callbacks_run": 0}, "**not meant**"},
		{"ours called back twice", chord, killed, one, two, numbers{"callbacks_run": 3}, numbers{"callbacks_run": 2}, "**not meant**"},
		{"three times", chord, twice, upTo2, upTo4, numbers{"callbacks_run": 1}, numbers{"callbacks_run": 3}, "meant: in Celery every worker that joins a member"},
		{"twice, as ours may", chord, twice, upTo2, upTo4, numbers{"callbacks_run": 1}, numbers{"callbacks_run": 2}, "1 have the same"},
		{"never", chord, twice, upTo2, upTo4, numbers{"callbacks_run": 1}, numbers{"callbacks_run": 0}, "**not meant**"},
		{"nothing happens", chord, map[string]string{"ack": "late", "fault": "none"}, one, one, numbers{"callbacks_run": 1}, numbers{"callbacks_run": 2}, "**not meant**"},
		{"successors first", "chain-runs-in-order", link, nil, nil, numbers{"repeated": 1, "restarted": 1}, numbers{"repeated": 3, "restarted": 3, "copied": 2}, "meant: Celery publishes what follows a task first"},
		{"a poller is late", "caller-sees-the-states", map[string]string{"task": "failure", "track_started": "on"}, nil, nil, numbers{"polled_started": 0, "stored_started": 1}, numbers{"polled_started": 1, "stored_started": 1}, "meant: the handler is over at once"},
		{"a start is not stored", "caller-sees-the-states", map[string]string{"task": "failure", "track_started": "on"}, nil, nil, numbers{"polled_started": 0, "stored_started": 0}, numbers{"polled_started": 1, "stored_started": 1}, "**not meant**"},
		{"started, and not tracked", "caller-sees-the-states", map[string]string{"task": "failure", "track_started": "off"}, nil, nil, numbers{"polled_started": 0}, numbers{"polled_started": 1}, "**not meant**"},
		{"ticks", "two-schedulers", own, nil, nil, numbers{"copied": 30, "repeated": 30, "restarted": 30}, numbers{"sent": 60}, "meant: of ours a tick is the same task"},
	} {
		text := besideRow(c.experiment, once("redis", c.setting, c.ours, c.counted), once("celery+redis", c.setting, c.celerys, c.theirs))
		if !strings.Contains(text, c.want) {
			t.Errorf("%s: the section lacks %q:\n%s", c.name, c.want, text)
		}
	}
}

func TestWhatBothPredictAsARaceIsTheSameWithinIt(t *testing.T) {
	t.Parallel()
	type numbers = map[string]int
	setting := map[string]string{"ack": "late", "fault": "a worker killed midway"}
	held := check.Bounds{"repeated": {0, 3}}
	for _, c := range []struct {
		ours, celerys   check.Bounds
		counted, theirs int
		want            string
	}{
		{held, held, 0, 3, "1 have the same"},
		{held, held, 0, 4, "repeated 0, Celery 4 | **not meant**"},
		{held, check.Bounds{"repeated": {2, 2}}, 0, 2, "repeated 0, Celery 2 | **not meant**"}, // a point is no race
		{nil, held, 0, 2, "repeated 0, Celery 2 | **not meant**"},                              // ours foresaw none
	} {
		text := besideRow("chord-calls-back-once", once("redis", setting, c.ours, numbers{"repeated": c.counted}), once("celery+redis", setting, c.celerys, numbers{"repeated": c.theirs}))
		if !strings.Contains(text, c.want) {
			t.Errorf("%v: the section lacks %q:\n%s", c, c.want, text)
		}
	}
	var none, all []numbers // many trials are told apart by their rates
	for range 20 {
		none, all = append(none, numbers{"repeated": 0}), append(all, numbers{"repeated": 1})
	}
	text := besideRow("chord-calls-back-once", once("redis", setting, held, none...), once("celery+redis", setting, held, all...))
	if want := "repeated 0 of 20, Celery 20 of 20 | **not meant**"; !strings.Contains(text, want) {
		t.Errorf("the section lacks %q:\n%s", want, text)
	}
}
