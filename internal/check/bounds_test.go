package check

import (
	"strings"
	"testing"
)

func TestALintOfPredictions(t *testing.T) {
	t.Parallel()
	why := func(names ...string) map[string]string {
		m := map[string]string{}
		for _, n := range names {
			m[n] = "a race"
		}
		return m
	}
	cases := []struct {
		name     string
		bounds   Bounds
		reasons  map[string]string
		load     int
		measures []string
		wrong    string // "": nothing
	}{
		{"empty", Bounds{}, nil, 10, nil, ""},
		{"points", Bounds{"lost": {1, 1}, "redelivered": {9, 9}, "running_lost": {1, 1}}, nil, 10, nil, ""},
		{"a range with its reason", Bounds{"lost": {0, 1}}, why("lost"), 10, nil, ""},
		{"a range from above zero", Bounds{"redelivered": {1, 10}}, why("redelivered"), 10, nil, ""},
		{"seconds beyond the load", Bounds{"back_after_seconds": {0, 90}}, why("back_after_seconds"), 1, nil, ""},
		{"a measure of its own", Bounds{"updates_lost": {0, 900}}, why("updates_lost"), 10, []string{"updates_lost"}, ""},
		{"a race over one task with a point beside it", Bounds{"lost": {0, 1}, "stranded": {0, 0}}, why("lost"), 1, nil, ""},
		{"never at zero", Bounds{"phantom": {0, 0}}, nil, 10, nil, ""},
		{"a part as large as its sum can be", Bounds{"lost": {1, 2}, "lost_after_ack": {2, 2}}, why("lost"), 10, nil, ""},
		{"parts that just make their sum", Bounds{"lost": {2, 2}, "lost_after_ack": {1, 1}, "lost_in_broker": {1, 1}}, nil, 10, nil, ""},

		{"no load", Bounds{}, nil, 0, nil, "load 0"},
		{"unknown", Bounds{"losses": {0, 0}}, nil, 10, nil, `"losses": no such count or measure`},
		{"upside down", Bounds{"lost": {2, 1}}, why("lost"), 10, nil, "the lower end is above the upper"},
		{"negative", Bounds{"lost": {-1, 0}}, why("lost"), 10, nil, "negative"},
		{"no reason", Bounds{"lost": {0, 1}}, nil, 10, nil, "lost 0 to 1: a range wider than a point needs its own reason"},
		{"an empty reason", Bounds{"lost": {0, 1}}, map[string]string{"lost": " \n"}, 10, nil, "needs its own reason"},
		{"a reason of another", Bounds{"lost": {0, 1}}, why("repeated"), 10, nil, "needs its own reason"},
		{"a reason for a point", Bounds{"lost": {1, 1}}, why("lost"), 10, nil, `a reason for "lost", which is not predicted as a range`},
		{"a reason for nothing", Bounds{}, why("lost"), 10, nil, `a reason for "lost", which is not predicted as a range`},
		{"all that can happen", Bounds{"lost": {0, 10}}, why("lost"), 10, nil, "covers all that can happen"},
		{"more than can happen", Bounds{"lost": {0, 99}}, why("lost"), 10, nil, "covers all that can happen"},
		{"all that can happen, of the load", Bounds{"finished": {0, 10}}, why("finished"), 10, nil, "covers all that can happen"},
		{"all that can happen, of a measure", Bounds{"waiting_lost": {0, 10}}, why("waiting_lost"), 10, nil, "covers all that can happen"},
		{"more than the one task", Bounds{"lost": {0, 2}, "stranded": {0, 0}}, why("lost"), 1, nil, "covers all that can happen"},
		{"a race over one task and nothing else", Bounds{"lost": {0, 1}}, why("lost"), 1, nil, "nothing else as a point"},
		{"a race with the load as its only point", Bounds{"lost": {0, 1}, "attempted": {1, 1}}, why("lost"), 1, nil, "nothing else as a point"},
		{"an unexplained loss", Bounds{"lost_unexplained": {1, 1}}, nil, 10, nil, "always a surprise"},
		{"unaccounted tasks", Bounds{"unaccounted": {0, 1}}, why("unaccounted"), 10, nil, "always a surprise"},
		{"parts above their sum", Bounds{"lost": {1, 1}, "lost_after_ack": {2, 2}}, nil, 10, nil, "its parts make"},
		{"parts below their sum", Bounds{"lost": {2, 2}, "lost_after_ack": {1, 1}, "lost_in_broker": {0, 0}, "lost_while_taken": {0, 0}}, nil, 10, nil, "its parts make"},
	}
	for _, c := range cases {
		err := CheckBounds(c.bounds, c.reasons, c.load, c.measures...)
		switch {
		case c.wrong == "" && err != nil:
			t.Errorf("%s: %v", c.name, err)
		case c.wrong != "" && (err == nil || !strings.Contains(err.Error(), c.wrong)):
			t.Errorf("%s: %v, want %q", c.name, err, c.wrong)
		}
	}
}

func TestAllThatIsWrongIsSaidAtOnce(t *testing.T) {
	t.Parallel()
	err := CheckBounds(Bounds{"a": {0, 0}, "lost": {3, 1}, "dead": {0, 1}}, nil, 10)
	if err == nil || strings.Count(err.Error(), "\n") != 2 {
		t.Errorf("%v", err)
	}
}
