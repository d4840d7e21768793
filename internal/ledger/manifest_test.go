package ledger

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

func aTrial() Trial {
	return Trial{
		ID: "worker-crash/1", Experiment: "worker-crash", System: "rabbitmq", Setting: map[string]string{"ack": "late"}, Seed: 7,
		Queues: []string{"q"},
		Processes: []Process{
			{Name: "runner", File: "runner.jsonl", Pid: 1, Start: 1},
			{Name: "victim", File: "logs/victim.jsonl", Pid: 2, Start: 2, End: 3, Code: -1, Signal: 9, Killed: true},
		},
		Expect: Expect{Victim: "victim", Checkpoint: "mid", Running: 1, Faults: []string{"kill"}},
	}
}

func TestATrialIsLoadedAsItWasSaved(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "deep", "trial")
	want := aTrial()
	for range 2 { // a manifest may be saved again
		if err := SaveTrial(dir, want); err != nil {
			t.Fatal(err)
		}
	}
	w, err := Create(filepath.Join(dir, "runner.jsonl"), nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	got, files, err := LoadTrial(dir)
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, %v", got, err)
	}
	if f, ok := files["runner.jsonl"]; !ok || !f.Closed() || len(files) != 1 {
		t.Errorf("the victim's ledger is missing, the runner's is not: %v", files)
	}
	if names, _ := os.ReadDir(dir); len(names) != 2 {
		t.Errorf("the folder holds %v", names)
	}
}

func TestAManifestThatCannotBeLoadedSaysWhy(t *testing.T) {
	t.Parallel()
	if _, _, err := LoadTrial(t.TempDir()); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no manifest: %v", err)
	}
	for name, c := range map[string]struct {
		manifest, want string
	}{
		"no JSON":       {"{", "trial.json: unexpected end"},
		"another kind":  {`{"processes": 3}`, "trial.json: json: cannot unmarshal"},
		"a way out":     {`{"processes": [{"name": "x", "file": "../../etc/passwd"}]}`, `the ledger "../../etc/passwd" of x lies outside`},
		"an absolute":   {`{"processes": [{"name": "x", "file": "/etc/passwd"}]}`, "lies outside"},
		"a folder":      {`{"processes": [{"name": "x", "file": "."}]}`, "is a directory"},
		"an odd string": {`{"processes": [{"name": "x", "file": "a\u0000b"}]}`, "invalid argument"},
	} {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "trial.json"), []byte(c.manifest), 0o644); err != nil {
			t.Fatal(err)
		}
		if _, _, err := LoadTrial(dir); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}

func TestAManifestThatCannotBeSavedLeavesTheOldOne(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := SaveTrial(dir, aTrial()); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "trial.json")
	if err := SaveTrial(file, aTrial()); err == nil || !strings.Contains(err.Error(), "save the manifest of trial worker-crash/1") {
		t.Errorf("a file as the folder: %v", err)
	}
	if _, _, err := LoadTrial(dir); err != nil {
		t.Error(err)
	}
}
