package report_test

import (
	"fmt"
	"html"
	"regexp"
	"slices"
	"strings"
	"testing"

	"acklab/internal/report"
)

// boxesPage saves a run of one experiment and returns its section of the page.
func boxesPage(t *testing.T, cells []report.Cell) string {
	t.Helper()
	dir := t.TempDir()
	run := report.Run{Experiments: []report.Experiment{{Name: "chain-runs-in-order", Cells: cells}}}
	if err := report.Save(dir, run, nil); err != nil {
		t.Fatal(err)
	}
	_, page, _ := strings.Cut(read(t, dir, "index.html"), "Measures, cell by cell: ")
	page, _, ok := strings.Cut(page, "</details>")
	if !ok {
		t.Fatal("the page has no measures")
	}
	return page
}

// measured are n cells of a system, each with two trials that measured what
// values says of the cell.
func measured(system string, n int, values func(i int) map[string]float64) []report.Cell {
	var cells []report.Cell
	for i := range n {
		c := report.Cell{System: system, Setting: map[string]string{"chain": fmt.Sprint(i)}, Outcome: report.AsPredicted}
		for trial := range 2 {
			c.Trials = append(c.Trials, report.Trial{ID: fmt.Sprintf("%s-%d-%d", system, i, trial), Counts: counts(nil), Measures: values(i)})
		}
		cells = append(cells, c)
	}
	return cells
}

func TestEveryCellOfEverySystemIsPlottedHoweverManyThereAre(t *testing.T) {
	t.Parallel()
	wait := func(from int) func(int) map[string]float64 {
		return func(i int) map[string]float64 { return map[string]float64{"wait_seconds": float64(from + i)} }
	}
	cells := slices.Concat(measured("celery+redis", 30, wait(1000)), measured("rabbitmq", 45, wait(1)), measured("rabbitmq-quorum", 1, wait(7)), measured("redis", 5, wait(60)))
	page := boxesPage(t, cells)
	var titles []string
	for _, m := range regexp.MustCompile("<h4>(.*?)</h4>").FindAllStringSubmatch(page, -1) {
		titles = append(titles, html.UnescapeString(m[1]))
	}
	const log = " (scale by powers of ten)"
	want := []string{"wait, redis" + log, "wait, rabbitmq, cells 1 to 40 of 45" + log, "wait, rabbitmq, cells 41 to 45 of 45" + log, "wait, rabbitmq-quorum" + log, "wait, celery+redis" + log}
	if !slices.Equal(titles, want) {
		t.Errorf("the charts are\n%q, want\n%q", titles, want)
	}
	for _, c := range cells {
		if n := strings.Count(html.UnescapeString(page), "<title>"+c.System+" chain="+c.Setting["chain"]+": "); n != 1 {
			t.Errorf("%s chain=%s is plotted %d times, want once", c.System, c.Setting["chain"], n)
		}
	}
	axes := map[string]bool{}
	for _, svg := range strings.Split(page, "<svg")[1:] {
		axis := ""
		for _, m := range regexp.MustCompile(`x1="([0-9.]+)"|text-anchor="middle">([^<]*)<`).FindAllString(svg, -1) {
			axis += m + " "
		}
		axes[axis] = true
	}
	if len(axes) != 1 {
		t.Errorf("the charts of one measure have %d different axes", len(axes))
	}
	if !strings.HasPrefix(page, "1<") {
		t.Errorf("the number of measures is not said: %.20q", page)
	}
}

func TestFewCellsShareOneChart(t *testing.T) {
	t.Parallel()
	wait := func(i int) map[string]float64 { return map[string]float64{"wait_seconds": float64(i)} }
	page := boxesPage(t, slices.Concat(measured("redis", 20, wait), measured("rabbitmq", 20, wait)))
	if n := strings.Count(page, "<svg"); n != 1 || !strings.Contains(page, "<h4>wait</h4>") || !strings.Contains(page, ">redis chain=3</text>") {
		t.Errorf("40 cells have %d charts, want one with the systems named", n)
	}
	if strings.Contains(page, "The same everywhere") {
		t.Error("a measure that differs is said to be the same")
	}
}

func TestAMeasureThatNoCellHasOtherwiseIsSaidInOneLine(t *testing.T) {
	t.Parallel()
	twice := func(day int) func(int) map[string]float64 {
		return func(int) map[string]float64 { return map[string]float64{"days_twice": float64(day), "zones": 4} }
	}
	some := measured("asynq", 2, func(int) map[string]float64 { return map[string]float64{"days_twice": 0} })
	notRun := report.Cell{System: "memory", Setting: map[string]string{}, Outcome: report.NotRun, Reason: "no such point"}
	page := boxesPage(t, slices.Concat(measured("redis", 58, twice(0)), some, []report.Cell{notRun}))
	if want := "The same everywhere: days twice: 0 in all 60 cells; zones: 4 in all 58 cells that have it."; !strings.Contains(page, want) || strings.Contains(page, "<svg") {
		t.Errorf("the page has charts, or lacks %q:\n%s", want, page)
	}
	if !strings.HasPrefix(page, "2 the same everywhere<") {
		t.Errorf("the summary says %.40q", page)
	}
	page = boxesPage(t, slices.Concat(measured("redis", 58, twice(0)), measured("rabbitmq", 1, twice(1))))
	if strings.Contains(page, "same everywhere: days twice") || !strings.HasPrefix(page, "1, and 1 the same everywhere<") || strings.Count(page, `class="span"`) != 59 {
		t.Error("one cell that differs has no box, or the measure is said to be the same everywhere")
	}
}
