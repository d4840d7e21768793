package doctor

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"acklab/internal/server"
)

// script writes a script and returns its path.
func script(t *testing.T, dir, name, text string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+text+"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestAToolIsFoundWithItsVersion(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	good := script(t, dir, "good", `echo "good, version 2.42.0+ds (branch: x)"`)
	silent := script(t, dir, "silent", "exit 0")
	broken := script(t, dir, "broken", "exit 3")
	for path, want := range map[string]Tool{
		good:                         {Path: good, Version: "2.42.0"},
		silent:                       {Path: silent},
		broken:                       {Path: broken, Missing: broken + " is there and does not run: exit status 3"},
		filepath.Join(dir, "absent"): {Missing: "absent is not in PATH"},
	} {
		if got := program(t.Context(), Tool{}, "--version", path); got != want {
			t.Errorf("%s: %+v, want %+v", path, got, want)
		}
	}
}

func TestAToolThatHangsIsGivenUp(t *testing.T) {
	t.Parallel()
	path := script(t, t.TempDir(), "hangs", "exec sleep 600")
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if got := program(ctx, Tool{}, "--version", path); !strings.Contains(got.Missing, "does not run") {
		t.Errorf("%+v", got)
	}
}

func TestWhatIsMissingIsSaidWithTheCommandThatGetsIt(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	t.Setenv(server.RedisVariable, "/nowhere/redis-server")
	t.Setenv(server.RabbitVariable, "/nowhere/rabbitmq")
	t.Setenv(PythonVariable, "/nowhere/python3")
	m := Examine(t.Context())
	for _, name := range []string{"redis-server", "rabbitmq-server", "erlang"} {
		if !strings.Contains(strings.Join(m.Missing(), " "), name) {
			t.Errorf("%s is not missing: %v", name, m.Missing())
		}
	}
	var b strings.Builder
	if err := m.WriteText(&b, nil); err != nil {
		t.Fatal(err)
	}
	wants := []string{"missing  redis-server (needed): ACKLAB_REDIS_SERVER", "missing  python with celery (optional): ACKLAB_PYTHON", "needed and missing: redis-server, rabbitmq-server, erlang"}
	if runtime.GOOS == "linux" {
		wants = append(wants, "get it with: apt-get install redis-server", "get it with: apt-get install erlang-base")
	}
	for _, want := range wants {
		if !strings.Contains(b.String(), want) {
			t.Errorf("no %q in:\n%s", want, b.String())
		}
	}
}

func TestThisMachineIsExamined(t *testing.T) {
	t.Parallel()
	m := Examine(t.Context())
	var text, asJSON strings.Builder
	if err := m.WriteText(&text, nil); err != nil {
		t.Fatal(err)
	}
	if err := m.WriteJSON(&asJSON); err != nil {
		t.Fatal(err)
	}
	t.Log("\n" + text.String())
	var back Machine
	if err := json.Unmarshal([]byte(asJSON.String()), &back); err != nil || len(back.Tools) != len(m.Tools) || len(back.Findings) != len(m.Findings) {
		t.Errorf("the JSON does not hold the machine: %v", err)
	}
	if _, err := server.FindRedis(); err == nil && m.Tools[0].Version == "" {
		t.Error("redis-server is found, without a version")
	}
	if len(m.Missing()) > 0 == strings.Contains(text.String(), "everything that is needed is there") {
		t.Errorf("missing %v and the last line disagree:\n%s", m.Missing(), text.String())
	}
	left, _ := filepath.Glob(filepath.Join(os.TempDir(), "acklab-doctor-*"))
	for _, dir := range left {
		if info, err := os.Stat(dir); err == nil && time.Since(info.ModTime()) < time.Second {
			t.Errorf("%s is left", dir) // an older one is somebody else's
		}
	}
}

func TestTheMachineIsJudged(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		findings []Finding
		level    Level
		start    string
	}{
		"tmpfs":         {judgeFolder("/tmp/", fileSystem{memory: true, free: 1e10}), Warning, "the temporary folder /tmp is in memory (tmpfs)"},
		"disk":          {judgeFolder("/tmp", fileSystem{free: 1e10}), Fine, "the temporary folder /tmp is on a disk"},
		"little space":  {judgeFolder("/tmp", fileSystem{free: 9e8}), Warning, "900.0 MB are free"},
		"space":         {judgeFolder("/tmp", fileSystem{free: 1e9}), Fine, "1.0 GB are free"},
		"no folder":     {temporaryFolder("/nowhere/at/all"), Warning, "nothing can be made in the temporary folder"},
		"no ports":      {judgePorts(0, 32), Warning, "0 of 32"},
		"few ports":     {judgePorts(15, 32), Advice, "15 of 32"},
		"ports":         {judgePorts(16, 32), Fine, "16 of 32"},
		"few files":     {judgeOpenFiles("1024"), Advice, "a process may open 1024 files"},
		"files":         {judgeOpenFiles("4096"), Fine, "a process may open 4096 files"},
		"all files":     {judgeOpenFiles("unlimited"), Fine, "a process may open unlimited files"},
		"no limit told": {judgeOpenFiles("what"), Unseen, "the open-files limit"},
		"one core":      {judgeCores(1, 8), Advice, "1 of 8 cores"},
		"cores":         {judgeCores(2, 2), Fine, "2 cores"},
		"tsc":           {judgeClock("tsc", 40, false), Fine, "the monotonic clock (clock source tsc)"},
		"no source":     {judgeClock("", 40, false), Fine, "the monotonic clock takes"},
		"hpet":          {judgeClock("hpet", 40, false), Advice, "the monotonic clock (clock source hpet)"},
		"slow":          {judgeClock("tsc", 2000, false), Advice, "the monotonic clock (clock source tsc)"},
		"backwards":     {judgeClock("tsc", 40, true), Warning, "the monotonic clock (clock source tsc) goes back"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			has(t, c.findings, c.level, c.start)
		})
	}
}

func TestATemporaryFolderInMemoryIsNoticed(t *testing.T) {
	t.Parallel()
	if _, err := os.Stat("/dev/shm"); runtime.GOOS != "linux" || err != nil {
		t.Skip("this system has no /dev/shm")
	}
	fs, err := lookAtFileSystem("/dev/shm")
	if err != nil {
		t.Fatal(err)
	}
	if !fs.memory {
		t.Error("/dev/shm is not seen to be in memory")
	}
}

func TestAFindingNamesTheExperimentsThatSpeakOfIt(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	err := writeFindings(&b, []Finding{{Warning, "what", "why", "set", []string{"A4", "I1", "I2"}}, {Level: Fine, What: "good"}}, map[string]string{"A4": "queue-holder-killed"})
	want := "warning  what\n         why: why\n         set: set\n         see: A4 (acklab run queue-holder-killed), I1, I2 (not built yet)\nfine     good\n"
	if err != nil || b.String() != want {
		t.Errorf("%v\n%s\nwant\n%s", err, b.String(), want)
	}
}
