package report_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"acklab/internal/check"
	"acklab/internal/ledger"
	"acklab/internal/report"
)

// real is a run of two judged trials with their ledgers.
func real(t *testing.T) (report.Run, report.Ledgers) {
	t.Helper()
	trials := map[string]ledger.Trial{}
	files := map[string]map[string]ledger.File{}
	e := report.Experiment{Name: report.Flagship, Question: "Is the task lost when the worker crashes?"}
	for _, i := range []int{1, 2} {
		trial, f := lives()[i].make(t)
		trials[trial.ID], files[trial.ID] = trial, f
		r := check.Judge(trial, f)
		c := report.Cell{System: trial.System, Setting: trial.Setting, Predicted: check.Bounds{}, Because: "a test says so."}
		c.Outcome, c.Reason = check.Outcome(c.Predicted, []check.Result{r})
		c.Trials = []report.Trial{{ID: trial.ID, Seed: trial.Seed, Counts: r.Counts, Measures: r.Measures, Unsure: r.Unsure, Broken: r.Broken}}
		e.Cells = append(e.Cells, c)
	}
	return report.Run{Experiments: []report.Experiment{e}}, func(id string) (ledger.Trial, map[string]ledger.File, error) {
		if _, ok := trials[id]; !ok {
			return ledger.Trial{}, nil, errors.New("no ledger of " + id)
		}
		return trials[id], files[id], nil
	}
}

func read(t *testing.T, path ...string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(path...))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestWhatIsSavedIsWhatIsLoaded(t *testing.T) {
	t.Parallel()
	dir, run := t.TempDir(), flagship()
	run.Host = map[string]any{"os": "linux", "cores": 2.0} // JSON knows floats only
	if err := report.Save(dir, run, nil); err != nil {
		t.Fatal(err)
	}
	got, err := report.Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, run) {
		t.Error("the loaded run differs from the saved one")
	}
	var raw struct {
		Schema      int
		Experiments []struct {
			Cells []struct {
				Trials []struct{ Counts map[string]int }
			}
		}
	}
	if err := json.Unmarshal([]byte(read(t, dir, "report.json")), &raw); err != nil {
		t.Fatal(err)
	}
	if n := len(raw.Experiments[0].Cells[0].Trials[0].Counts); raw.Schema != 1 || n != len(check.Names) {
		t.Errorf("schema %d with %d counts, want 1 with all %d, zeros included", raw.Schema, n, len(check.Names))
	}
}

func TestLoadSaysWhatIsWrongWithAFolder(t *testing.T) {
	t.Parallel()
	bad, old := t.TempDir(), t.TempDir()
	os.WriteFile(filepath.Join(bad, "report.json"), []byte("{not json"), 0o644)
	os.WriteFile(filepath.Join(old, "report.json"), []byte(`{"schema": 7}`), 0o644)
	for dir, want := range map[string]string{
		t.TempDir(): "it has no report.json", "/nonexistent/run": "it has no report.json", bad: "not a report", old: "schema 7, this program reads schema 1",
	} {
		if _, err := report.Load(dir); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), dir) {
			t.Errorf("%s: %v, want %q", dir, err, want)
		}
	}
}

func TestSaveIntoAPlaceThatIsNoFolderIsAnError(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "file")
	os.WriteFile(file, nil, 0o644)
	if err := report.Save(file, flagship(), nil); err == nil {
		t.Error("no error")
	}
}

func TestReportMdAnswersFirstAndNamesEverySurprise(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := report.Save(dir, flagship(), nil); err != nil {
		t.Fatal(err)
	}
	md := read(t, dir, "report.md")
	last := -1
	for _, want := range []string{
		"Of 5 claims 2 hold, 1 is refuted", "With early acknowledgement", "Tasks ran twice on asynq at finished", "## Verdicts", "## The answer", "```text",
		"## worker-crash", "**Question:** Is the task lost", "**Varied:** system (memory, asynq", "13 of 50, below 38.1 %", "### Surprise", "lost 1 in trial 2, predicted 0",
		"### Unsure", "### Not run", "no such point", "races with the death", "## Where it was measured", "redis | 7.0.15", "## Files",
	} {
		i := strings.Index(md[last+1:], want)
		if i < 0 {
			t.Errorf("report.md lacks %q, or not in this order", want)
			continue
		}
		last += 1 + i
	}
	if !strings.Contains(md, report.AnswerTable(flagship())) {
		t.Error("report.md lacks the answer table as the terminal shows it")
	}
}

func TestEveryCellHasATimelineAndOddTrialsHaveToo(t *testing.T) {
	t.Parallel()
	run := flagship()
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "trials"), 0o755); err != nil {
		t.Fatal(err)
	}
	stale := filepath.Join(dir, "trials", "of-an-older-save.html")
	os.WriteFile(stale, nil, 0o644)
	if err := report.Save(dir, run, func(id string) (ledger.Trial, map[string]ledger.File, error) {
		return ledger.Trial{}, nil, errors.New("the disk is <b>gone</b>")
	}); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(stale); err == nil {
		t.Error("a timeline that the run does not name is still there")
	}
	saved, err := report.Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	drawn := 0
	for _, c := range saved.Experiments[0].Cells {
		for i, tr := range c.Trials {
			if tr.Timeline != "" {
				drawn++
				if page := read(t, dir, tr.Timeline); !strings.Contains(page, "the disk is &lt;b&gt;gone") {
					t.Errorf("%s does not say why there is no timeline", tr.Timeline)
				}
			}
			if odd := tr.Counts["lost_unexplained"] > 0 || len(tr.Unsure) > 0; (i == 0 || odd) && tr.Timeline == "" {
				t.Errorf("trial %s has no timeline", tr.ID)
			}
		}
	}
	if n := drawn + 3; !strings.Contains(read(t, dir, "index.html"), fmt.Sprintf("%d of 1081 trials have a timeline", n)) {
		t.Errorf("index.html does not say that %d trials have a timeline", n)
	}
	if run.Experiments[0].Cells[0].Trials[0].Timeline != "" {
		t.Error("Save changed the caller's run")
	}
}

func TestATimelineShowsProcessesDeliveriesAndTheCrash(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	run, ledgers := real(t)
	if err := report.Save(dir, run, ledgers); err != nil {
		t.Fatal(err)
	}
	saved, err := report.Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	lost := read(t, dir, saved.Experiments[0].Cells[0].Trials[0].Timeline)
	for _, want := range []string{">victim</text>", ">survivor</text>", "was killed (SIGKILL) at checkpoint started", `class="delivery c-lost" data-task="task-a"`, "lost (after-ack)", "3 tasks"} {
		if !strings.Contains(lost, want) {
			t.Errorf("the lost trial's page lacks %q", want)
		}
	}
	twice := read(t, dir, saved.Experiments[0].Cells[1].Trials[0].Timeline)
	for _, want := range []string{`class="delivery c-finished again" data-task="task-a"`, "finished, repeated", ">58 s</text>"} {
		if !strings.Contains(twice, want) {
			t.Errorf("the repeated trial's page lacks %q", want)
		}
	}
}

func TestAHugeTrialIsCappedAndSaysSo(t *testing.T) {
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
	saved, _ := report.Load(dir)
	page := read(t, dir, saved.Experiments[0].Cells[0].Trials[0].Timeline)
	for _, want := range []string{"200 of 1001 tasks", "The first 200 of 1001 tasks", "The first 1000 of 7", `data-task="task-a"`} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	if len(page) > 3<<20 {
		t.Errorf("the page has %d bytes", len(page))
	}
}

const attack = `"><script>alert(1)</script>'</style>`

func TestNothingFromARunBecomesMarkup(t *testing.T) {
	t.Parallel()
	run, ledgers := real(t)
	run.Host, run.Servers = map[string]any{attack: attack}, map[string]string{attack: attack}
	e := &run.Experiments[0]
	e.Question, e.Claims = attack, []string{attack}
	e.Verdicts = []report.Verdict{{Claim: attack, Verdict: attack, Because: attack}}
	c := &e.Cells[0]
	c.System, c.Because, c.Reason, c.Setting = attack, attack, attack, map[string]string{"ack": attack, "crash_at": attack, attack: attack}
	id := c.Trials[0].ID
	c.Trials[0].ID, c.Trials[0].Unsure = "../../"+attack, []string{attack}
	dir := t.TempDir()
	if err := report.Save(dir, run, func(got string) (ledger.Trial, map[string]ledger.File, error) {
		if got != "../../"+attack {
			return ledgers(got)
		}
		trial, files, err := ledgers(id)
		trial.Experiment, trial.System, trial.ID = attack, attack, attack
		trial.Processes = slices.Clone(trial.Processes)
		trial.Processes[1].Name = attack
		f := files["victim.jsonl"]
		f.Lines = slices.Clone(f.Lines)
		for i := range f.Lines {
			f.Lines[i].Reason, f.Lines[i].Task = attack, attack
		}
		files["victim.jsonl"] = f
		return trial, files, err
	}); err != nil {
		t.Fatal(err)
	}
	pages, err := filepath.Glob(filepath.Join(dir, "trials", "*"))
	if err != nil || len(pages) != 2 {
		t.Fatalf("timelines %v (%v), want 2 inside of trials/", pages, err)
	}
	for _, page := range append(pages, filepath.Join(dir, "index.html"), filepath.Join(dir, "report.md")) {
		before, rest, _ := strings.Cut(read(t, page), "```text\n") // markup is text inside of a fence
		_, after, _ := strings.Cut(rest, "\n```\n")
		if strings.Contains(before+after, "<script>alert") {
			t.Errorf("%s runs the attack", page)
		}
	}
}
