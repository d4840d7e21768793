package report_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"acklab/internal/check"
	"acklab/internal/ledger"
	"acklab/internal/report"

	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// browser is a headless Chromium that notes what a page must not do: ask the
// network for anything, or complain.
type browser struct {
	ctx context.Context
	mu  sync.Mutex
	bad []string
}

// openBrowser starts Chromium with a fresh profile; both are gone after the
// test. Without Chromium the test is skipped.
func openBrowser(t *testing.T) *browser {
	t.Helper()
	path := ""
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome", "headless-shell"} {
		if p, err := exec.LookPath(name); err == nil {
			path = p
			break
		}
	}
	if path == "" {
		t.Skip("there is no Chromium: apt-get install chromium")
	}
	profile, err := os.MkdirTemp("", "acklab-chromium-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(profile) })
	opts := append(slices.Clone(chromedp.DefaultExecAllocatorOptions[:]),
		chromedp.ExecPath(path), chromedp.UserDataDir(profile), chromedp.NoSandbox, chromedp.DisableGPU, chromedp.WindowSize(1280, 900),
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-component-update", true), chromedp.WSURLReadTimeout(2*time.Minute))
	alloc, cancel := chromedp.NewExecAllocator(context.Background(), opts...)
	t.Cleanup(cancel)
	ctx, cancelTab := chromedp.NewContext(alloc)
	t.Cleanup(func() {
		if err := chromedp.Cancel(ctx); err != nil && !errors.Is(err, context.Canceled) {
			t.Logf("close the browser: %v", err)
		}
		cancelTab()
	})
	b := &browser{ctx: ctx}
	if err := chromedp.Listen(ctx, b.note); err != nil {
		t.Fatal(err)
	}
	return b
}

func (b *browser) note(ev any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch e := ev.(type) {
	case *runtime.EventExceptionThrown:
		b.bad = append(b.bad, "exception: "+e.ExceptionDetails.Text)
	case *runtime.EventConsoleAPICalled:
		b.bad = append(b.bad, fmt.Sprintf("console.%s", e.Type))
	case *log.EventEntryAdded:
		b.bad = append(b.bad, "log: "+e.Entry.Text)
	case *network.EventRequestWillBeSent:
		if u := e.Request.URL; !strings.HasPrefix(u, "file://") && !strings.HasPrefix(u, "data:") {
			b.bad = append(b.bad, "request: "+u)
		}
	}
}

// do runs the actions in the page.
func (b *browser) do(t *testing.T, actions ...chromedp.Action[chromedp.Void]) {
	t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, time.Minute)
	defer cancel()
	if err := chromedp.Do(ctx, actions...); err != nil {
		t.Fatal(err)
	}
}

// ask evaluates a script in the page.
func ask[T any](t *testing.T, b *browser, script string, opts ...chromedp.EvaluateOption) T {
	t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, time.Minute)
	defer cancel()
	v, err := chromedp.Run(ctx, chromedp.Evaluate[T](script, opts...))
	if err != nil {
		t.Fatalf("%s: %v", script, err)
	}
	return v
}

func (b *browser) complaints() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.bad)
}

// number is one number of the page with all that says what it is.
type number struct {
	Experiment, System, Setting, Trial, Count, Measure, Value string
}

// numbers reads every number of the detail tables out of the page.
const numbers = `[...document.querySelectorAll('tr[data-trial] td[data-count], tr[data-trial] td[data-measure]')].map(td => {
  const cell = td.closest('tr.cellrow').dataset;
  return {Experiment: cell.experiment, System: cell.system, Setting: cell.setting, Trial: td.closest('tr').dataset.trial,
    Count: td.dataset.count || '', Measure: td.dataset.measure || '', Value: td.dataset.value};
})`

// gridNumbers reads the answer table.
const gridNumbers = `[...document.querySelectorAll('#answer-table td[data-system] [data-count]')].map(s => {
  const cell = s.closest('td').dataset;
  return {Experiment: cell.experiment, System: cell.system, Setting: cell.setting, Count: s.dataset.count, Value: s.dataset.sum};
})`

func TestThePageInABrowserShowsTheNumbersOfTheReport(t *testing.T) {
	b := openBrowser(t)
	dir := t.TempDir()
	run, ledgers := real(t)
	all := flagship()
	all.Experiments[0].Cells = append(all.Experiments[0].Cells, run.Experiments[0].Cells...)
	for i := range run.Experiments[0].Cells {
		all.Experiments[0].Cells[len(all.Experiments[0].Cells)-1-i].Setting["then"] = "ledger"
	}
	if err := report.Save(dir, all, func(id string) (ledger.Trial, map[string]ledger.File, error) { return ledgers(id) }); err != nil {
		t.Fatal(err)
	}
	saved, err := report.Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	b.do(t, chromedp.Navigate("file://"+filepath.Join(dir, "index.html")))
	compareTrials(t, saved, ask[[]number](t, b, numbers))
	compareGrid(t, saved, ask[[]number](t, b, gridNumbers))
	if visible := ask[string](t, b, `document.getElementById('answer').innerText`); !strings.HasPrefix(visible, "Of 5 claims 2 hold") {
		t.Errorf("the page does not begin with the answer: %q", visible)
	}

	const shown, every = `[...document.querySelectorAll('#e-0 tr.cellrow')].filter(r => !r.hidden).length`, `document.querySelectorAll('#e-0 tr.cellrow').length`
	b.do(t, chromedp.SendKeys(chromedp.CSS("#e-0 .filter"), "redis ack=late started survivor"))
	if n, all := ask[int](t, b, shown), ask[int](t, b, every); n != 1 || all != len(saved.Experiments[0].Cells) {
		t.Errorf("the filter shows %d of %d cells, want 1 of %d", n, all, len(saved.Experiments[0].Cells))
	}
	ask[bool](t, b, `(i => { i.value = ''; return i.dispatchEvent(new Event('input')); })(document.querySelector('#e-0 .filter'))`)
	b.do(t, chromedp.Click(chromedp.CSS(`#e-0 .only[data-filter="surprise"]`)))
	if n, want := ask[int](t, b, shown), outcomes(saved, report.Surprise); n != want {
		t.Errorf("the filter shows %d surprises, want %d", n, want)
	}

	last := saved.Experiments[0].Cells[len(saved.Experiments[0].Cells)-2].Trials[0]
	b.do(t, chromedp.Navigate("file://"+filepath.Join(dir, last.Timeline)))
	b.do(t, chromedp.Click(chromedp.CSS(`tr.fate[data-task="task-a"]`)))
	if n := ask[int](t, b, `document.querySelectorAll('g.delivery').length`); n != 3 {
		t.Errorf("the timeline has %d bars, want 3", n)
	}
	if picked := ask[string](t, b, `document.querySelector('g.delivery.sel').dataset.task`); picked != "task-a" {
		t.Errorf("the timeline follows %q, want task-a", picked)
	}
	for _, bad := range b.complaints() {
		t.Error(bad)
	}
}

func outcomes(run report.Run, outcome string) int {
	n := 0
	for _, c := range run.Experiments[0].Cells {
		if c.Outcome == outcome {
			n++
		}
	}
	return n
}

// settingText is a setting as the page has it.
func settingText(s map[string]string) string {
	var parts []string
	for _, k := range []string{"ack", "crash_at", "then"} {
		if s[k] != "" {
			parts = append(parts, k+"="+s[k])
		}
	}
	for _, k := range slices.Sorted(maps.Keys(s)) {
		if !slices.Contains([]string{"ack", "crash_at", "then"}, k) {
			parts = append(parts, k+"="+s[k])
		}
	}
	return strings.Join(parts, " ")
}

// compareTrials holds the page's numbers of each trial against the report, and
// wants every count that is not zero to be on the page.
func compareTrials(t *testing.T, run report.Run, page []number) {
	t.Helper()
	seen := map[number]bool{}
	for _, n := range page {
		seen[n] = true
	}
	checked := 0
	for _, e := range run.Experiments {
		for _, c := range e.Cells {
			for _, tr := range c.Trials {
				n := number{Experiment: e.Name, System: c.System, Setting: settingText(c.Setting), Trial: tr.ID}
				for count, v := range tr.Counts {
					n.Count, n.Value = count, strconv.Itoa(v)
					load := count == "planned" || count == "attempted" || count == "confirmed"
					if _, shown := pageHas(page, n); (v != 0 && len(tr.Unsure) == 0 && !load || shown || count == "lost" || count == "repeated") && !seen[n] {
						t.Fatalf("report.json has %+v, the page has not", n)
					}
					checked++
				}
				n.Count = ""
				for m, v := range tr.Measures {
					n.Measure, n.Value = m, strconv.FormatFloat(v, 'g', -1, 64)
					quiet := v == 0 && slices.Contains(check.MeasureNames, m)
					if len(tr.Unsure) == 0 && !quiet && !seen[n] {
						t.Fatalf("report.json has %+v, the page has not", n)
					}
				}
			}
		}
	}
	if checked == 0 || len(page) == 0 {
		t.Fatal("there was nothing to compare")
	}
}

var pageIndex sync.Map

// pageHas looks up the number without its value.
func pageHas(page []number, n number) (string, bool) {
	index, ok := pageIndex.Load(&page[0])
	if !ok {
		m := map[number]string{}
		for _, p := range page {
			v := p.Value
			p.Value = ""
			m[p] = v
		}
		index, _ = pageIndex.LoadOrStore(&page[0], m)
	}
	n.Value = ""
	v, ok := index.(map[number]string)[n]
	return v, ok
}

// compareGrid holds the answer table against sums made from the report.
func compareGrid(t *testing.T, run report.Run, page []number) {
	t.Helper()
	want := map[number]bool{}
	for _, c := range run.Experiments[0].Cells {
		for _, count := range []string{"lost", "repeated"} {
			sum := 0
			for _, tr := range c.Trials {
				if len(tr.Unsure) == 0 {
					sum += tr.Counts[count]
				}
			}
			want[number{Experiment: report.Flagship, System: c.System, Setting: settingText(c.Setting), Count: count, Value: strconv.Itoa(sum)}] = true
		}
	}
	for _, n := range page {
		if !want[n] {
			t.Errorf("the answer table has %+v, the report has not", n)
		}
	}
	if len(page) < 100 {
		t.Errorf("the answer table has %d numbers", len(page))
	}
}
