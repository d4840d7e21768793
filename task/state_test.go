package task

import "testing"

func TestTheStatesAreCelerys(t *testing.T) {
	t.Parallel()
	want := map[State][2]bool{ // finished, failed: celery/states.py READY_STATES, PROPAGATE_STATES
		"PENDING": {}, "RECEIVED": {}, "STARTED": {}, "RETRY": {},
		"SUCCESS": {true, false}, "FAILURE": {true, true}, "REVOKED": {true, true},
	}
	if len(States()) != len(want) {
		t.Errorf("states %q", States())
	}
	for _, s := range States() {
		flags, ok := want[s]
		if !ok || s.Finished() != flags[0] || s.Failed() != flags[1] || !s.Known() {
			t.Errorf("%s: finished %v, failed %v, known %v", s, s.Finished(), s.Failed(), s.Known())
		}
		if got, err := ParseState(string(s)); got != s || err != nil {
			t.Errorf("parse %s: %v, %v", s, got, err)
		}
	}
}

func TestAnUnknownStateIsAnError(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"", "success", "DONE"} {
		if s, err := ParseState(text); err == nil || s != "" {
			t.Errorf("%q gave %q", text, s)
		}
	}
}
