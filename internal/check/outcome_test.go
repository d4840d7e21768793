package check

import (
	"math"
	"reflect"
	"strings"
	"testing"
)

// result has the counts and nothing against it.
func result(counts Counts) Result {
	c := newCounts()
	for k, v := range counts {
		c[k] = v
	}
	return Result{Counts: c, Measures: map[string]float64{}}
}

func TestWithinNamesEveryViolation(t *testing.T) {
	t.Parallel()
	measured := result(nil)
	measured.Measures = map[string]float64{"running_lost": 1, "back_after_seconds": 31.25, "waiting": 4, "odd": math.NaN()}
	cases := []struct {
		name   string
		bounds Bounds
		result Result
		want   []string
	}{
		{"nothing predicted, nothing happened", Bounds{}, result(Counts{"finished": 5, "attempted": 5, "planned": 5, "confirmed": 5}), nil},
		{"what is not stated is predicted zero", Bounds{}, result(Counts{"stranded": 2}), []string{"stranded 2, predicted 0"}},
		{"a point", Bounds{"lost": {1, 1}}, result(Counts{"lost": 2, "lost_after_ack": 1}), []string{"lost 2, predicted 1"}},
		{"a range", Bounds{"repeated": {0, 1}}, result(Counts{"repeated": 2}), []string{"repeated 2, predicted 0 to 1"}},
		{"too few", Bounds{"repeated": {1, 1}}, result(nil), []string{"repeated 0, predicted 1"}},
		{"a stated load", Bounds{"finished": {5, 5}}, result(Counts{"finished": 4}), []string{"finished 4, predicted 5"}},
		{"the parts of a stated sum are free up to it", Bounds{"lost": {1, 2}}, result(Counts{"lost": 2, "lost_in_broker": 1, "lost_after_ack": 1}), nil},
		{"an unexplained loss never is", Bounds{"lost": {1, 1}, "lost_unexplained": {1, 1}}, result(Counts{"lost": 1, "lost_unexplained": 1}), []string{"lost_unexplained 1, predicted 0"}},
		{"the sum of stated parts is their sum", Bounds{"lost_after_ack": {1, 1}}, result(Counts{"lost": 1, "lost_after_ack": 1}), nil},
		{"a part that is not stated beside one that is", Bounds{"lost_after_ack": {1, 1}}, result(Counts{"lost": 2, "lost_after_ack": 1, "lost_in_broker": 1}),
			[]string{"lost 2, predicted 1", "lost_in_broker 1, predicted 0"}},
		{"unsure frees its parts", Bounds{"unsure": {0, 3}}, result(Counts{"unsure": 3, "recovered": 2, "absent": 1}), nil},
		{"a phantom never is", Bounds{"refused": {1, 1}, "phantom": {1, 1}}, result(Counts{"refused": 1, "phantom": 1}), []string{"phantom 1, predicted 0"}},
		{"a measure", Bounds{"running_lost": {0, 0}}, measured, []string{"running_lost 1, predicted 0"}},
		{"a measure at its point", Bounds{"running_lost": {1, 1}}, measured, nil},
		{"a measure at either end", Bounds{"running_lost": {1, 2}, "waiting": {0, 4}}, measured, nil},
		{"seconds", Bounds{"back_after_seconds": {0, 31}}, measured, []string{"back_after_seconds 31.25, predicted 0 to 31"}},
		{"a measure that is missing", Bounds{"waiting_lost": {0, 0}}, measured, []string{"waiting_lost was not measured, predicted 0"}},
		{"a measure that is no number", Bounds{"odd": {0, 9}}, measured, []string{"odd NaN, predicted 0 to 9"}},
	}
	for _, c := range cases {
		if got := Within(c.bounds, c.result); !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

func TestNotesSayTheFirstOfAKindAndHowManyMore(t *testing.T) {
	t.Parallel()
	var n notes
	n.add("one of %d", 1)
	n.like("a kind", "first")
	n.like("a kind", "second")
	n.like("a kind", "third")
	n.like("alone", "only")
	n.add("one of %d", 1)
	want := []string{"one of 1", "a kind: first (and 2 more)", "alone: only"}
	if got := n.sentences(); !reflect.DeepEqual(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestAResultWithoutCountsIsWithinNothing(t *testing.T) {
	t.Parallel()
	if got := Within(Bounds{}, Result{}); len(got) == 0 {
		t.Error("a result that counted nothing was as predicted")
	}
	if got := WithinStated(Bounds{"lost": {0, 0}}, Result{}); len(got) != 1 {
		t.Errorf("%q", got)
	}
}

func TestAClaimIsSilentAboutWhatItDoesNotSpeakOf(t *testing.T) {
	t.Parallel()
	r := result(Counts{"lost": 1, "stranded": 3, "repeated": 1})
	if got := WithinStated(Bounds{"lost": {1, 1}}, r); got != nil {
		t.Errorf("%q", got)
	}
	if got := WithinStated(Bounds{"lost": {0, 0}}, r); len(got) != 1 || got[0] != "lost 1, predicted 0" {
		t.Errorf("%q", got)
	}
	if got := WithinStated(Bounds{"running_lost": {1, 1}}, r); len(got) != 1 {
		t.Errorf("%q", got)
	}
}

func TestTheOutcomeOfACell(t *testing.T) {
	t.Parallel()
	good, bad := result(nil), result(Counts{"lost": 1, "lost_after_ack": 1})
	doubtful, worse := result(nil), result(Counts{"lost": 1, "lost_after_ack": 1})
	doubtful.Unsure = []string{"no probe"}
	worse.Unsure, worse.Broken = []string{"a gap"}, []string{"a lie"}
	lie := result(nil)
	lie.Broken = []string{"a lie"}
	cases := []struct {
		name           string
		trials         []Result
		outcome, about string
	}{
		{"no trials", nil, NotRun, "no trials"},
		{"all good", []Result{good, good}, AsPredicted, ""},
		{"one bad", []Result{good, bad, good}, Surprise, "trial 2: lost 1, predicted 0"},
		{"two bad", []Result{good, bad, bad}, Surprise, "2 of 3 trials"},
		{"one doubtful", []Result{good, doubtful}, Doubtful, "trial 2: no probe (1 of 2 trials)"},
		{"a surprise wins over a doubt", []Result{doubtful, bad}, Surprise, "trial 2: lost 1"},
		{"a bad trial that does not count is no surprise", []Result{good, worse}, Doubtful, "a gap; a lie"},
		{"a lie", []Result{good, lie}, Surprise, "trial 2: a lie"},
		{"one trial", []Result{bad}, Surprise, "trial 1: lost 1, predicted 0; lost_after_ack 1, predicted 0"},
	}
	for _, c := range cases {
		outcome, reason := Outcome(Bounds{}, c.trials)
		if outcome != c.outcome || !strings.Contains(reason, c.about) || (c.about == "") != (reason == "") {
			t.Errorf("%s: %s (%s), want %s (%s)", c.name, outcome, reason, c.outcome, c.about)
		}
	}
	if len(worse.Unsure) != 1 || len(lie.Broken) != 1 {
		t.Error("a result was changed by judging it")
	}
}

func TestAControlIsCleanOrSaysWhatWasNot(t *testing.T) {
	t.Parallel()
	if got := Clean(result(Counts{"planned": 3, "attempted": 3, "confirmed": 3, "finished": 2, "failed": 1, "restarted": 1})); got != nil {
		t.Errorf("%q", got)
	}
	if got := Clean(result(Counts{"planned": 2, "attempted": 1, "confirmed": 1, "failed": 1, "never_sent": 1, "called_off": 1})); got != nil {
		t.Errorf("%q", got)
	}
	off := result(Counts{"planned": 2, "attempted": 1, "confirmed": 1, "finished": 1, "never_sent": 1, "called_off": 1})
	if got := strings.Join(Clean(off), "; "); got != "never_sent 1 without a fault" {
		t.Errorf("called off with nothing failed: %s", got)
	}
	dirty := result(Counts{"redelivered": 1})
	dirty.Unsure, dirty.Broken = []string{"a gap"}, []string{"a lie"}
	if got := strings.Join(Clean(dirty), "; "); got != "a gap; a lie; redelivered 1 without a fault" {
		t.Error(got)
	}
	if got := Clean(Result{}); len(got) == 0 {
		t.Error("a result that counted nothing was clean")
	}
}
