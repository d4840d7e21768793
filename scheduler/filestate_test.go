package scheduler

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func openState(t *testing.T, path string) *StateFile {
	t.Helper()
	k, err := OpenStateFile(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { k.Close() })
	return k
}

func TestAStateFileSurvivesAKillInTheMiddleOfALine(t *testing.T) {
	t.Parallel()
	path, ctx := filepath.Join(t.TempDir(), "state"), context.Background()
	k := openState(t, path)
	a, b := Tick{Schedule: "a", Due: time.Unix(60, 0).UTC()}, Tick{Schedule: "a", Due: time.Unix(120, 0).UTC()}
	for _, tick := range []Tick{a, b} {
		if err := k.Claim(ctx, 1, []Tick{tick}); err != nil {
			t.Fatal(err)
		}
	}
	if err := k.Close(); err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	first := strings.IndexByte(string(whole), '\n') + 1
	for cut := first; cut < len(whole)-1; cut++ {
		if err := os.WriteFile(path, whole[:cut], 0o644); err != nil {
			t.Fatal(err)
		}
		k := openState(t, path)
		states, _ := k.States(ctx)
		if s := states["a"]; len(s.Pending) != 1 || !s.Pending[0].Equal(a) || !s.LastDue.Equal(a.Due) {
			t.Fatalf("cut at %d of %d: %+v", cut, len(whole), s)
		}
		k.Close()
	}
}

func TestAStateFileThatIsDamagedIsRefused(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "state")
	if err := os.WriteFile(path, []byte("{\"name\":\"a\"}\nnonsense\n{\"name\":\"b\"}\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenStateFile(path); err == nil || !strings.Contains(err.Error(), "damaged in line 2") {
		t.Errorf("%v", err)
	}
	if raw, _ := os.ReadFile(path); !strings.Contains(string(raw), "nonsense") {
		t.Error("it was written over")
	}
}

func TestAStateFileDoesNotGrowForEver(t *testing.T) {
	t.Parallel()
	path, ctx := filepath.Join(t.TempDir(), "state"), context.Background()
	k := openState(t, path)
	for i := range 2 * slack {
		tick := Tick{Schedule: fmt.Sprint("s", i%10), Due: time.Unix(int64(i), 0)}
		if err := k.Settle(ctx, 1, []Outcome{{Tick: tick, Kind: Sent, At: time.Unix(int64(i), 0), N: 1, Task: tick.ID()}}); err != nil {
			t.Fatal(err)
		}
	}
	if k.lines > slack+50 {
		t.Errorf("%d lines of 10 schedules", k.lines)
	}
	k.Close()
	states, _ := openState(t, path).States(ctx)
	if s := states["s3"]; len(states) != 10 || s.Runs != 2*slack/10 || s.LastSent.Unix() != 2*slack-7 {
		t.Errorf("%d states, %+v", len(states), s)
	}
	if left, _ := filepath.Glob(path + ".new-*"); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
}
