package task_test

import (
	"encoding/json"
	"strings"
	"testing"

	"acklab/task"
)

func routes(t *testing.T, text string) task.Routes {
	t.Helper()
	rs, err := task.ParseRoutes(text)
	if err != nil {
		t.Fatal(err)
	}
	return rs
}

func TestTheFirstRouteThatFitsDecides(t *testing.T) {
	t.Parallel()
	rs := routes(t, "# money first\n\npayments.refund = slow\npayments.*=high,priority=9\n*_scrape=low\nreport?=reports,priority=0\nGrüße.*=ümlaut\n")
	for name, want := range map[string]task.Route{
		"payments.refund":  {Pattern: "payments.refund", Queue: "slow"},
		"payments.charge":  {Pattern: "payments.*", Queue: "high", Priority: 9},
		"payments.a.b":     {Pattern: "payments.*", Queue: "high", Priority: 9},
		"payments.":        {Pattern: "payments.*", Queue: "high", Priority: 9},
		"web_scrape":       {Pattern: "*_scrape", Queue: "low"},
		"a_scrape_scrape":  {Pattern: "*_scrape", Queue: "low"},
		"report1":          {Pattern: "report?", Queue: "reports"},
		"Grüße.an.alle":    {Pattern: "Grüße.*", Queue: "ümlaut"},
		"payments":         {},
		"report":           {},
		"report12":         {},
		"web_scrape_later": {},
		"noop":             {},
	} {
		got, ok := rs.Match(name)
		if got != want || ok != (want.Queue != "") {
			t.Errorf("%s: %+v, %t; want %+v", name, got, ok, want)
		}
	}
}

func TestStarsTakeNoLongerThanTheyMust(t *testing.T) {
	t.Parallel()
	rs := task.Routes{{Pattern: strings.Repeat("a*", 100) + "b", Queue: "q"}}
	if _, ok := rs.Match(strings.Repeat("a", 250)); ok { // ends at once, or never
		t.Error("it fits")
	}
	if _, ok := rs.Match(strings.Repeat("a", 200) + "b"); !ok {
		t.Error("it does not fit")
	}
}

func TestWhatTheSenderSaysWinsOverARoute(t *testing.T) {
	t.Parallel()
	rs := routes(t, "pay*=high,priority=7")
	for _, c := range []struct {
		name       string
		given, got task.Options
	}{
		{"pay", task.Options{}, task.Options{Queue: "high", Priority: 7}},
		{"pay", task.Options{Queue: "mine"}, task.Options{Queue: "mine", Priority: 7}},
		{"pay", task.Options{Priority: 2}, task.Options{Queue: "high", Priority: 2}},
		{"pay", task.Options{PriorityGiven: true}, task.Options{Queue: "high", Priority: 0}},
		{"pay", task.Options{Queue: "mine", Priority: 9}, task.Options{Queue: "mine", Priority: 9}},
		{"noop", task.Options{}, task.Options{}},
	} {
		got := rs.Apply(c.name, c.given)
		if got.Queue != c.got.Queue || got.Priority != c.got.Priority {
			t.Errorf("%s with %q and %d goes to %q with %d", c.name, c.given.Queue, c.given.Priority, got.Queue, got.Priority)
		}
	}
}

// Celery's own form of a call can say a priority of 0, and must still say it when it
// is written again.
func TestAPriorityOf0InASignatureIsGiven(t *testing.T) {
	t.Parallel()
	rs := routes(t, "pay*=high,priority=7")
	for options, want := range map[string]int{`{"priority": 0}`: 0, `{"priority": null}`: 7, `{}`: 7, `{"priority": 3}`: 3} {
		text := []byte(`{"task": "pay", "args": [], "kwargs": {}, "options": ` + options + `}`)
		for range 2 {
			var s task.Signature
			if err := json.Unmarshal(text, &s); err != nil {
				t.Fatal(err)
			}
			if got := rs.Apply(s.Name, s.Options); got.Priority != want {
				t.Errorf("%s: routed with priority %d, want %d", text, got.Priority, want)
			}
			var err error
			if text, err = json.Marshal(&s); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func TestARouteThatCannotBeIsOneClearLine(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"payments":                      "it has no =",
		"=high":                         "no name of a task",
		"payments=":                     "no queue",
		"payments=,priority=3":          "no queue",
		"a=b,priority=high":             `priority "high" is no number`,
		"a=b,priority=10":               "priority 10 is outside 0 to 9",
		"a=b,priority=-1":               "priority -1 is outside 0 to 9",
		"pay[ms]=high":                  "no [ ]",
		"a\x01=b":                       "control character",
		"a=\xff":                        "not UTF-8",
		strings.Repeat("x", 300) + "=b": "300 bytes long",
	} {
		_, err := task.ParseRoute(text)
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "write it as payments.*=high") || strings.Contains(err.Error(), "\n") {
			t.Errorf("%q: %v; want %q", text, err, want)
		}
	}
	if _, err := task.ParseRoutes("a=b\n# c\nd\n"); err == nil || !strings.HasPrefix(err.Error(), "line 3: ") {
		t.Errorf("a wrong file: %v", err)
	}
}
