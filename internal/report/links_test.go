package report_test

import (
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"acklab/internal/check"
	"acklab/internal/ledger"
	"acklab/internal/report"

	"github.com/chromedp/chromedp"
)

var (
	ids   = regexp.MustCompile(`\bid="([^"]+)"`)
	hrefs = regexp.MustCompile(`\bhref="([^"]*)"`)
)

// anchors are the ids of a page; each may be there once.
func anchors(t *testing.T, page string) map[string]bool {
	t.Helper()
	found := map[string]bool{}
	for _, m := range ids.FindAllStringSubmatch(page, -1) {
		if found[m[1]] {
			t.Errorf("the id %s is there twice", m[1])
		}
		found[m[1]] = true
	}
	return found
}

func TestEveryLinkBetweenVerdictsCellsTrialsAndLinesLeadsSomewhere(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	run, ledgers := real(t)
	e := &run.Experiments[0]
	e.Claims, e.Verdicts = []string{"B3"}, []report.Verdict{{Claim: "B3", Verdict: "depends", Because: "a test says so"}}
	for i := range e.Cells {
		e.Cells[i].Claims = map[string]check.Bounds{"B3": {"lost": {0, 0}}}
	}
	if err := report.Save(dir, run, ledgers); err != nil {
		t.Fatal(err)
	}
	pages := map[string]map[string]bool{}
	files, err := filepath.Glob(filepath.Join(dir, "trials", "*.html"))
	if err != nil || len(files) != 2 {
		t.Fatal(files, err)
	}
	files = append(files, filepath.Join(dir, "index.html"))
	for _, f := range files {
		pages[f] = anchors(t, read(t, f))
	}
	followed := 0
	for _, f := range files {
		for _, m := range hrefs.FindAllStringSubmatch(read(t, f), -1) {
			to, anchor, _ := strings.Cut(m[1], "#")
			target := f
			if to != "" {
				target = filepath.Join(filepath.Dir(f), to)
			}
			switch {
			case strings.HasPrefix(m[1], "data:") || strings.Contains(to, "ledger/"):
				continue
			case pages[target] == nil || anchor != "" && !pages[target][anchor]:
				t.Errorf("%s leads to %s, which is not there", filepath.Base(f), m[1])
			}
			followed++
		}
	}
	if followed < 60 {
		t.Errorf("only %d links", followed)
	}
	index := read(t, dir, "index.html")
	for _, want := range []string{`id="claim-b3"`, "made from 2 cells", `<a href="#c-0-0">rabbitmq ack=early crash_at=started then=survivor</a> <span class="chip lost">does not hold</span>`, `href="#claim-b3" title="B3: holds here"`} {
		if !strings.Contains(index, want) {
			t.Errorf("the run's page lacks %q", want)
		}
	}
	trial := read(t, files[0])
	for _, want := range []string{`../index.html#c-0-0`, `href="../ledger/`, `/victim.jsonl">`} {
		if !strings.Contains(trial, want) {
			t.Errorf("the trial's page lacks %q", want)
		}
	}
}

func TestALateLineOfAHugeTrialCanBeReachedFromItsDelivery(t *testing.T) {
	t.Parallel()
	trial, files := crashTrial(t, "rabbitmq", "late", "mid", 1000, func(p *tape) {
		p.does("victim", "task-a", ledger.Received, ledger.Accepted, ledger.Started)
		p.crash("victim", "task-a", "mid")
	}, func(p *tape) { works(p, "survivor", "task-a", "late") })
	c := report.Cell{System: "rabbitmq", Setting: trial.Setting, Outcome: report.AsPredicted, Trials: []report.Trial{{ID: trial.ID}}}
	dir := t.TempDir()
	if err := report.Save(dir, one(c), func(string) (ledger.Trial, map[string]ledger.File, error) { return trial, files, nil }); err != nil {
		t.Fatal(err)
	}
	saved, err := report.Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	page := read(t, dir, saved.Experiments[0].Cells[0].Trials[0].Timeline)
	there := anchors(t, page)
	late := 0
	for _, m := range hrefs.FindAllStringSubmatch(page, -1) {
		if anchor, ok := strings.CutPrefix(m[1], "#"); ok && !there[anchor] {
			t.Errorf("%s leads nowhere", m[1])
		}
	}
	for id := range there {
		if n, ok := strings.CutPrefix(id, "l-3-"); ok && len(n) == 4 && n > "1000" {
			late++
		}
	}
	if late == 0 || !strings.Contains(page, "and those that are drawn") {
		t.Errorf("%d lines beyond the first 1000 are on the page", late)
	}
}

func TestAClickOnADeliveryTellsTheTasksLifeWithLinksToItsLines(t *testing.T) {
	b := openBrowser(t)
	dir := t.TempDir()
	run, ledgers := real(t)
	if err := report.Save(dir, run, ledgers); err != nil {
		t.Fatal(err)
	}
	saved, err := report.Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	b.do(t, chromedp.Navigate("file://"+filepath.Join(dir, saved.Experiments[0].Cells[0].Trials[0].Timeline)))
	b.do(t, chromedp.Click(chromedp.CSS(`tr.fate[data-task="task-a"]`)))
	if n := ask[int](t, b, `document.querySelectorAll('#life tr').length`); n != 8 {
		t.Errorf("the life of task-a has %d lines, want 8", n)
	}
	b.do(t, chromedp.Click(chromedp.CSS(`#life tr:last-child a`)))
	if open := ask[bool](t, b, `document.querySelector('tr:target')?.closest('details').open === true`); !open {
		t.Error("the line that the link leads to cannot be seen")
	}
	for _, bad := range b.complaints() {
		t.Error(bad)
	}
}

func TestMeasuresThatDifferHaveABoxForEachCell(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := report.Save(dir, flagship(), nil); err != nil {
		t.Fatal(err)
	}
	page := read(t, dir, "index.html")
	_, plain, ok := strings.Cut(page, `id="e-1"`)
	if !ok {
		t.Fatal("no second experiment")
	}
	if n := strings.Count(plain, `class="span"`); n != 6 {
		t.Errorf("%d boxes, want one for each of 3 cells and 2 measures", n)
	}
	for _, want := range []string{"<h4>jain index</h4>", "<h4>makespan</h4>", "rabbitmq multiplier=10: 3.5 s (1.5 s to 5.5 s)"} {
		if !strings.Contains(plain, want) {
			t.Errorf("the boxes lack %q", want)
		}
	}
	first, _, _ := strings.Cut(page, `id="e-1"`)
	if !strings.Contains(first, "<h4>redelivery, asynq (scale by powers of ten)</h4>") {
		t.Error("a measure from 2 ms to 71 s has no scale by powers of ten")
	}
}
