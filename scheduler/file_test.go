package scheduler

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
)

const everything = `# all fields
schedules:
  - name: report
    task: send_email
    args: [1, "zwei", {drei: [3.5, null, true]}]
    kwargs: {to: "a@example.org"}
    queue: high
    priority: 4
    cron: "*/15 9-17 * * MON-FRI"
    zone: Europe/Berlin
    expires: 1h
    jitter: 5s
    enabled: false
    catch_up: all
    window: 2h30m
    overlap: skip
    max_runs: 7
  - {name: tick, task: noop, every: 10s, phase: 1s}
  - name: once
    task: noop
    at: 2026-11-21T07:31:43+01:00
`

func TestAFileSaysEverythingAndJSONSaysTheSame(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "beat.yaml")
	if err := os.WriteFile(path, []byte(everything), 0o644); err != nil {
		t.Fatal(err)
	}
	all, err := (&File{Path: path}).Load(t.Context())
	if err != nil || len(all) != 3 {
		t.Fatalf("%d schedules, %v", len(all), err)
	}
	report := all[0]
	if string(report.Args[2]) != `{"drei":[3.5,null,true]}` || string(report.Kwargs["to"]) != `"a@example.org"` ||
		report.Queue != "high" || report.Enabled || report.Window != 150*time.Minute || report.MaxRuns != 7 || report.Overlap != OverlapSkip {
		t.Errorf("%+v", report)
	}
	if tick := all[1]; !tick.Enabled || tick.Queue != "" || tick.CatchUp != CatchUpOnce || tick.Phase != time.Second {
		t.Errorf("%+v", tick)
	}
	if once := all[2]; !once.At.Equal(time.Date(2026, 11, 21, 6, 31, 43, 0, time.UTC)) {
		t.Errorf("%+v", once)
	}
	for _, s := range all {
		raw, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		var again Schedule
		if err := json.Unmarshal(raw, &again); err != nil || !reflect.DeepEqual(again, s) {
			t.Errorf("%s\nis read as %+v, %v", raw, again, err)
		}
	}
	if raw, _ := json.Marshal(all[1]); string(raw) != `{"name":"tick","task":"noop","every":"10s","phase":"1s"}` {
		t.Errorf("%s", raw)
	}
}

func TestJSONOfAnotherKindIsRefused(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]string{
		`[]`:                "a schedule is a JSON object",
		`{"nmae": "a"}`:     "nmae: unknown, there are name",
		`{"name": 5}`:       "name: 5 is not a text",
		`{"name": null}`:    "name: null is not a text",
		`{"every": "1"}`:    `every: "1" is not a duration`,
		`{"enabled": 1}`:    "enabled: 1 is not true or false",
		`{"max_runs": 1.5}`: "max_runs: 1.5 is not a whole number",
		`{"args": {}}`:      "args: {} is not a list",
		`{"at": "noon"}`:    `at: "noon" is no moment`,
	} {
		var s Schedule
		if err := json.Unmarshal([]byte(raw), &s); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", raw, err, want)
		}
	}
}

func TestAFileIsWatchedHoweverItIsWritten(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "beat.yaml")
	if err := os.WriteFile(path, []byte("schedules: []"), 0o644); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	changed := (&File{Path: path}).Watch(ctx)
	for name, write := range map[string]func() error{
		"in place": func() error { return os.WriteFile(path, []byte("schedules: [ ]"), 0o644) },
		"by another file with its name": func() error {
			next := filepath.Join(dir, "next")
			return errors.Join(os.WriteFile(next, []byte("schedules: [  ]"), 0o644), os.Rename(next, path))
		},
		"removed": func() error { return os.Remove(path) },
	} {
		if err := write(); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		select {
		case <-changed:
		case <-time.After(time.Minute):
			t.Fatalf("%s: nothing was said", name)
		}
	}
	cancel()
	for range changed { // it is closed
	}
}

func TestAMomentIsReadAsItIsWritten(t *testing.T) {
	t.Parallel()
	item := func(at string) []byte {
		return []byte("schedules:\n  - name: a\n    task: noop\n    args: [2026-11-21]\n    at: " + at + "\n")
	}
	for _, at := range []string{"2026-11-21 07:31:43", "2026-11-21", `"2026-11-21 07:31:43"`} {
		if all, err := parseYAML(item(at)); err == nil || !strings.HasPrefix(err.Error(), "5:5: at: ") {
			t.Errorf("%s has no zone, and was read as %+v, %v", at, all, err)
		}
	}
	all, err := parseYAML(item("2026-11-21T07:31:43+01:00"))
	if err != nil || all[0].At.Unix() != time.Date(2026, 11, 21, 6, 31, 43, 0, time.UTC).Unix() || string(all[0].Args[0]) != `"2026-11-21"` {
		t.Errorf("%+v, %v", all, err)
	}
}

func FuzzYAML(f *testing.F) {
	f.Add([]byte(everything))
	f.Add([]byte("schedules: &a [*a]"))
	f.Add([]byte("a: &x {schedules: *x}"))
	f.Fuzz(func(t *testing.T, data []byte) {
		all, err := parseYAML(data)
		if err != nil && strings.TrimSpace(err.Error()) == "" {
			t.Error("an error that says nothing")
		}
		for _, s := range all {
			if err := s.Check(); err != nil {
				t.Errorf("%+v was taken: %v", s, err)
			}
		}
	})
}
