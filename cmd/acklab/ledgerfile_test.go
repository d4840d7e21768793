package main

import (
	"path/filepath"
	"testing"

	"acklab/internal/ledger"
)

func TestALedgerInAFolderIsANewFileAtEveryStart(t *testing.T) {
	t.Parallel()
	folder := t.TempDir() + "/made/on/demand/"
	for range 3 {
		w, err := ledger.Create(ledgerFile(folder, "worker"), nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
	}
	files, err := filepath.Glob(folder + "worker-*.jsonl")
	if err != nil || len(files) != 3 {
		t.Errorf("%d files, %v; want one a start: %q", len(files), err, files)
	}
	if got := ledgerFile("/runs/one.jsonl", "worker"); got != "/runs/one.jsonl" {
		t.Errorf("a file became %q", got)
	}
}
