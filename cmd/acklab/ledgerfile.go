package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// ledgerFile is where --ledger puts the ledger of this process: the path
// itself, or, when it ends in a slash, a new file in that folder, named by the
// time, so that a process that is started again needs no other command line.
func ledgerFile(path, name string) string {
	if !strings.HasSuffix(path, "/") {
		return path
	}
	return filepath.Join(path, fmt.Sprintf("%s-%s-%d.jsonl", name, time.Now().UTC().Format("20060102T150405.000000000Z"), os.Getpid()))
}
