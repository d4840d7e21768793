package experiments

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// binary is this program, built once for the tests that start processes.
var binary string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "acklab-test-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	binary = filepath.Join(dir, "acklab")
	if out, err := exec.Command("go", "build", "-o", binary, "acklab/cmd/acklab").CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "build the program under test: %v\n%s", err, out)
		os.RemoveAll(dir)
		os.Exit(1)
	}
	code := m.Run()
	os.RemoveAll(dir)
	os.Exit(code)
}
