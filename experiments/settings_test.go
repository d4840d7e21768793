package experiments

import (
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestThePageOfSettingsIsWhatTheCatalogueSays(t *testing.T) {
	t.Parallel()
	want, err := SettingsPage()
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile("../docs/settings.md")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Errorf("docs/settings.md is not what the catalogue says; write it again with\n\tgo run ./cmd/acklab list --settings > docs/settings.md\n%s", diff)
	}
}

func TestAdviceThatNoCellSpeaksForIsRefused(t *testing.T) {
	t.Parallel()
	keeps, loses := crashRef("rabbitmq", "late", "mid"), crashRef("rabbitmq", "early", "mid")
	raced := crashRef("rabbitmq", "early", "ack-sent")
	for name, c := range map[string]struct {
		advice Advice
		price  *Price
		says   string
	}{
		"right":                          {Advice{With: []CellRef{keeps}, Without: []CellRef{loses, raced}}, nil, ""},
		"no cell at all":                 {Advice{Without: []CellRef{loses}}, nil, "no cell speaks for it"},
		"an experiment that is not":      {Advice{With: []CellRef{{"worker-crashes", "rabbitmq", keeps.Setting}}}, nil, "no such cell"},
		"a system that is not":           {Advice{With: []CellRef{crashRef("kafka", "late", "mid")}}, nil, "no such cell"},
		"a setting that is not":          {Advice{With: []CellRef{crashRef("rabbitmq", "late", "acked")}}, nil, "no such cell"},
		"too little of a setting":        {Advice{With: []CellRef{{"worker-crash", "rabbitmq", Setting{"ack": "late"}}}}, nil, "name more of the setting"},
		"a cell that is not run":         {Advice{With: []CellRef{{"task-leaves-the-queue", "memory", Setting{"ack": "late"}}}}, nil, "the cell is not run"},
		"it loses with the setting":      {Advice{With: []CellRef{loses}}, nil, "predicted to lose 1 of 15"},
		"it may lose with the setting":   {Advice{With: []CellRef{raced}}, nil, "predicted to lose 0 to 1 of 15"},
		"it loses nothing without it":    {Advice{With: []CellRef{keeps}, Without: []CellRef{keeps}}, nil, "predicted to lose nothing"},
		"a price that is not paid":       {Advice{With: []CellRef{keeps}}, &Price{"it runs twice", "repeated", keeps}, "no repeated"},
		"a price in a cell that loses":   {Advice{With: []CellRef{keeps}}, &Price{"it comes back", "redelivered", loses}, "predicted to lose 1"},
		"a price in a cell that is not ": {Advice{With: []CellRef{keeps}}, &Price{"it comes back", "redelivered", CellRef{}}, "no such cell"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := Section{Title: "x", Advice: []Advice{c.advice}}
			if c.price != nil {
				s.Prices = []Price{*c.price}
			}
			_, err := settingsPage([]Section{s})
			if c.says == "" && err != nil || c.says != "" && (err == nil || !strings.Contains(err.Error(), c.says)) {
				t.Errorf("error %v, want one with %q", err, c.says)
			}
		})
	}
}
