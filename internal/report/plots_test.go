package report_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"acklab/internal/observe"
	"acklab/internal/report"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
)

// fixture is a fabricated observation, as of the trial.
func fixture(t *testing.T, trial string) observe.Observation {
	t.Helper()
	var o observe.Observation
	if err := json.Unmarshal([]byte(read(t, "testdata", "observation.json")), &o); err != nil {
		t.Fatal(err)
	}
	o.Trial = trial
	return o
}

// savedObserved saves the run of real with an observation of its first trial.
func savedObserved(t *testing.T, change func(*observe.Observation)) (dir string, saved report.Run) {
	t.Helper()
	dir = t.TempDir()
	run, ledgers := real(t)
	o := fixture(t, run.Experiments[0].Cells[0].Trials[0].ID)
	if change != nil {
		change(&o)
	}
	if err := observe.Save(dir, o); err != nil {
		t.Fatal(err)
	}
	if err := report.Save(dir, run, ledgers); err != nil {
		t.Fatal(err)
	}
	saved, err := report.Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	return dir, saved
}

func TestAnObservationIsOnThePagesWithItsDifferencesAndItsLicence(t *testing.T) {
	t.Parallel()
	dir, saved := savedObserved(t, nil)
	trial := read(t, dir, saved.Experiments[0].Cells[0].Trials[0].Timeline)
	for _, want := range []string{
		"Seen by Prometheus", "Tasks finished each second", "histogram_quantile(", "Prometheus 2.42.0, a scrape each 500 ms", "a fabricated observation",
		"<noscript>", "server stopped from 12.300 s to 16.800 s", "466", "471", "killed 0.3 s after its last scrape", "Permission is hereby granted", "Leon Sorokin",
	} {
		if !strings.Contains(trial, want) {
			t.Errorf("the trial's page lacks %q", want)
		}
	}
	other := read(t, dir, saved.Experiments[0].Cells[1].Trials[0].Timeline)
	if strings.Contains(other, "Seen by Prometheus") || strings.Contains(other, "uPlot") {
		t.Error("a trial that nobody observed has plots")
	}
	index := read(t, dir, "index.html")
	for _, want := range []string{"Tasks finished each second", `#observed">rabbitmq ack=early crash_at=started then=survivor</a>`} {
		if !strings.Contains(index, want) {
			t.Errorf("the run's page lacks %q", want)
		}
	}
	if n := strings.Count(index, `class="plot"`); n != 1 {
		t.Errorf("the run's page has %d plots, want one for the observed cell", n)
	}
}

func TestWhatWasNotObservedIsSaidWithTheReason(t *testing.T) {
	t.Parallel()
	dir, saved := savedObserved(t, func(o *observe.Observation) {
		*o = observe.Observation{Trial: o.Trial, Missing: "prometheus is not <installed>"}
	})
	page := read(t, dir, saved.Experiments[0].Cells[0].Trials[0].Timeline)
	if !strings.Contains(page, "Not observed, because prometheus is not &lt;installed&gt;") {
		t.Error("the trial's page does not say why it was not observed")
	}
	if index := read(t, dir, "index.html"); !strings.Contains(index, "Not observed, because prometheus is not &lt;installed&gt;: rabbitmq ack=early") {
		t.Error("the run's page does not say why the cell was not observed")
	}
	if err := os.WriteFile(filepath.Join(dir, "observations", saved.Experiments[0].Cells[0].Trials[0].ID+".json"), []byte("{torn"), 0o644); err != nil {
		t.Fatal(err)
	}
	run, ledgers := real(t)
	if err := report.Save(dir, run, ledgers); err != nil {
		t.Fatal(err)
	}
	if page := read(t, dir, saved.Experiments[0].Cells[0].Trials[0].Timeline); !strings.Contains(page, "Not observed, because read the observation") {
		t.Error("a torn observation is not said")
	}
}

func TestAnObservationOfOddShapeIsDrawnAsFarAsItGoes(t *testing.T) {
	t.Parallel()
	v := 3.0
	dir, saved := savedObserved(t, func(o *observe.Observation) {
		o.Plots = []observe.Plot{
			{Title: "no series", Times: []float64{0, 1}}, {Title: "no times"},
			{Title: "short", Times: []float64{0, 1, 2}, Series: []observe.Series{{Name: attack, Values: []*float64{&v}}}},
			{Title: "wide", Times: []float64{0}},
		}
		for i := range 30 {
			o.Plots[3].Series = append(o.Plots[3].Series, observe.Series{Name: fmt.Sprint(i), Values: []*float64{&v}})
		}
		o.Windows = append(o.Windows, observe.Window{Fault: attack, From: -math.MaxFloat32, To: 1})
	})
	page := read(t, dir, saved.Experiments[0].Cells[0].Trials[0].Timeline)
	if strings.Contains(page, "<script>alert") || !strings.Contains(page, "wide: the first 24 of 30 series") {
		t.Error("an odd observation is markup, or is cut without a word")
	}
}

// plotState reads from the page whether each plot is drawn: how many of its
// pixels have the colour of a series and of the faults' shade.
const plotState = `(() => {
  const rgb = (name) => { const c = document.createElement('canvas').getContext('2d'); c.fillStyle = getComputedStyle(document.documentElement).getPropertyValue(name).trim(); c.fillRect(0, 0, 1, 1); return [...c.getImageData(0, 0, 1, 1).data]; };
  const near = (d, i, c) => Math.abs(d[i] - c[0]) + Math.abs(d[i + 1] - c[1]) + Math.abs(d[i + 2] - c[2]) < 30;
  const line = rgb('--s0'), fault = rgb('--lost');
  return [...document.querySelectorAll('.plot[data-plot]')].map((box) => {
    const canvas = box.querySelector('canvas');
    if (!canvas) return { Line: 0, Shade: 0, Legend: '' };
    const d = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data;
    let l = 0, s = 0;
    for (let i = 0; i < d.length; i += 4) { if (d[i + 3] > 200 && near(d, i, line)) l++; if (d[i + 3] > 20 && d[i + 3] < 60 && near(d, i, fault)) s++; }
    return { Line: l, Shade: s, Legend: box.querySelector('.u-legend').innerText, Shift: box.scrollWidth - box.clientWidth };
  });
})()`

type plotPixels struct {
	Line, Shade, Shift int
	Legend             string
}

func TestThePlotsAreDrawnInABrowserLightAndDark(t *testing.T) {
	b := openBrowser(t)
	dir, saved := savedObserved(t, nil)
	for _, scheme := range []string{"light", "dark"} {
		b.do(t, emulateScheme(scheme))
		for _, page := range []struct {
			path  string
			plots int
		}{{"index.html", 1}, {saved.Experiments[0].Cells[0].Trials[0].Timeline, 4}} {
			path, want := page.path, page.plots
			b.do(t, chromedp.Navigate("file://"+filepath.Join(dir, path)))
			plots := ask[[]plotPixels](t, b, plotState)
			if len(plots) != want {
				t.Errorf("%s, %s: %d plots, want %d", scheme, path, len(plots), want)
			}
			for i, p := range plots {
				if p.Line < 50 || p.Shade < 500 || p.Legend == "" || p.Shift > 0 {
					t.Errorf("%s, %s: plot %d is not drawn: %+v", scheme, path, i, p)
				}
			}
			if out := os.Getenv("ACKLAB_SCREENSHOTS"); out != "" {
				screenshot(t, b, filepath.Join(out, scheme+"-"+strings.TrimSuffix(filepath.Base(path), ".html")+".png"))
			}
		}
	}
	shared := ask[int](t, b, `(() => {
		const over = document.querySelectorAll('.plot .u-over'), box = over[0].getBoundingClientRect();
		for (const type of ['mouseenter', 'mousemove']) over[0].dispatchEvent(new MouseEvent(type, { bubbles: true, clientX: box.left + box.width / 2, clientY: box.top + 20 }));
		return new Promise((done) => requestAnimationFrame(() => done([...document.querySelectorAll('.plot .u-legend tr:first-child .u-value')].filter((v) => / s$/.test(v.textContent)).length)));
	})()`, chromedp.EvalAwaitPromise)
	if shared != 4 {
		t.Errorf("the cursor is in %d plots, want all 4", shared)
	}
	for _, bad := range b.complaints() {
		t.Error(bad)
	}
}

// emulateScheme makes the page believe that the person prefers light or dark.
func emulateScheme(scheme string) chromedp.Action[chromedp.Void] {
	return func(ctx context.Context, target *chromedp.Target) (chromedp.Void, error) {
		_, err := cdp.Call(ctx, target, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
			Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}},
		})
		return chromedp.Void{}, err
	}
}

// screenshot writes a picture of the whole page, for people.
func screenshot(t *testing.T, b *browser, path string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, time.Minute)
	defer cancel()
	png, err := chromedp.Run(ctx, chromedp.FullScreenshot(100))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, png, 0o644); err != nil {
		t.Fatal(err)
	}
}
