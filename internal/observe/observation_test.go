package observe

import (
	"errors"
	"io/fs"
	"slices"
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

func TestNoLineIsDrawnAcrossAStretchWithoutSamples(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct{ times, want []float64 }{
		"none":       {nil, nil},
		"no hole":    {[]float64{1, 1.5, 2}, nil},
		"one":        {[]float64{1, 1.5, 5, 5.5}, []float64{2}},
		"two":        {[]float64{1, 3, 3.5, 6}, []float64{1.5, 4}},
		"by a whisk": {[]float64{1, 1.501, 2}, nil},
	} {
		if got := holes(tc.times, 0.5); !slices.Equal(got, tc.want) {
			t.Errorf("%s: %v, want %v", name, got, tc.want)
		}
	}
}
