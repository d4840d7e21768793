package observe

import (
	"errors"
	"io/fs"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestAnObservationIsReadAsItWasSaved(t *testing.T) {
	t.Parallel()
	dir, one := t.TempDir(), 1.5
	o := Observation{
		Trial: "a.b.1", Begin: 5, Plots: []Plot{{Title: "t", Unit: "tasks", Query: "q", Times: []float64{0, 1}, Series: []Series{{"s", []*float64{nil, &one}}}}},
		Windows: []Window{{"kill", 0.5, 0.6}}, Differences: []Difference{{"finished, by victim", 1, 2, "because"}}, Notes: []string{"n"},
	}
	if err := Save(dir, o); err != nil {
		t.Fatal(err)
	}
	got, err := Load(dir, "a.b.1")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(o, got); diff != "" {
		t.Error(diff)
	}
	if _, err := Load(dir, "another"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("an observation that was never made: %v, want ErrNotExist", err)
	}
}
