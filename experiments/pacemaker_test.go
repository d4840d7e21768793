package experiments

import (
	"context"
	"log/slog"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"acklab/internal/ledger"
)

func TestThePacemakerOfAMachineThatIsNeverLateMeasuresNothing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second+paceEvery/2)
		defer cancel()
		if late := pace(ctx); late != 0 {
			t.Errorf("%s late", late)
		}
		if ctx.Err() == nil {
			t.Error("it ended before it was told")
		}
	})
}

func TestAMachineThatWasLaterThanTheCellAllowsMakesTheTrialUnsure(t *testing.T) {
	t.Parallel()
	for stall, want := range map[time.Duration]bool{time.Nanosecond: true, time.Hour: false} {
		path := filepath.Join(t.TempDir(), "runner.jsonl")
		books, err := ledger.Create(path, nil)
		if err != nil {
			t.Fatal(err)
		}
		trial := &Trial{run: &Runner{log: slog.New(slog.DiscardHandler), patience: usual}, cell: &Cell{Stall: stall}, ledger: books}
		trial.paced(t.Context(), []Step{LetPass(2*paceEvery, "")})
		if err := books.Close(); err != nil {
			t.Fatal(err)
		}
		file, err := ledger.Read(path)
		if err != nil {
			t.Fatal(err)
		}
		failed, measured := false, false
		for _, l := range file.Lines {
			failed = failed || l.Event == ledger.ProbeFailed && l.Point == "pacemaker"
			measured = measured || l.Event == ledger.Measured && l.Point == stalled && l.Value > 0
		}
		if failed != want || !measured {
			t.Errorf("%s is allowed: unsure %v, want %v; measured %v", stall, failed, want, measured)
		}
	}
}
