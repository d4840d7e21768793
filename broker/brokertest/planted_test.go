package brokertest_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"acklab/broker/brokertest"
)

const plantVariable = "ACKLAB_BROKERTEST_PLANT"

// TestPlantedFaultsAreCaught runs, in a child process for each fault, the tests
// that are named, and wants each to fail.
func TestPlantedFaultsAreCaught(t *testing.T) {
	t.Parallel()
	for _, p := range append(plants(), wirePlants()...) {
		if len(p.caught) == 0 {
			continue // nothing is wrong with it
		}
		t.Run(p.name, func(t *testing.T) {
			t.Parallel()
			out, err := runPlanted(t, p)
			if err == nil {
				t.Fatalf("the suite passes with this fault:\n%s", out)
			}
			for _, name := range p.caught {
				if !failed(out, name) {
					t.Errorf("test %q does not fail with this fault:\n%s", name, tail(out))
				}
			}
		})
	}
}

// failed tells whether the output says so of the test; of the whole suite if
// the name is empty.
func failed(out []byte, name string) bool {
	for line := range strings.Lines(string(out)) {
		if rest, ok := strings.CutPrefix(strings.TrimSpace(line), "--- FAIL: TestSuite"); ok {
			whole, _, _ := strings.Cut(rest, " (")
			if name == "" && whole == "" || name != "" && strings.HasSuffix(whole, "/"+strings.ReplaceAll(name, " ", "_")) {
				return true
			}
		}
	}
	return false
}

func tail(out []byte) []byte { return out[max(0, len(out)-6000):] }

// only is the pattern of the tests that must fail; of all, where it is the
// suite itself that must.
func (p plant) only() string {
	if slices.Contains(p.caught, "") {
		return "^TestSuite$"
	}
	var names []string
	for _, name := range p.caught {
		names = append(names, regexp.QuoteMeta(strings.ReplaceAll(name, " ", "_")))
	}
	return "^TestSuite$/./^(" + strings.Join(names, "|") + ")$"
}

func runPlanted(t *testing.T, p plant) ([]byte, error) {
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, os.Args[0], "-test.run="+p.only(), "-test.v", "-test.timeout=2m")
	cmd.Env = append(os.Environ(), plantVariable+"="+p.name)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && (!errors.As(err, &exit) || exit.ExitCode() != 1) {
		t.Fatalf("run the suite in a child: %v\n%s", err, tail(out.Bytes()))
	}
	if bytes.Contains(out.Bytes(), []byte("panic:")) {
		t.Fatalf("the suite panics:\n%s", tail(out.Bytes()))
	}
	return out.Bytes(), err
}

// TestSuite runs the suite over the hooks: of the fault that the environment
// names, or of none, which must pass.
func TestSuite(t *testing.T) {
	name := os.Getenv(plantVariable)
	all := append(append(plants(), wirePlants()...), plant{})
	i := slices.IndexFunc(all, func(p plant) bool { return p.name == name })
	if i < 0 {
		t.Fatalf("no plant %q", name)
	}
	h := brokertest.Harness{Start: all[i].start}
	if name != "" {
		h.Patience = 400 * time.Millisecond // something will not come
	}
	brokertest.Run(t, h)
}

// TestSuiteOverANetwork is TestSuite with nothing wrong, over TCP, where
// servers can be killed and frozen.
func TestSuiteOverANetwork(t *testing.T) {
	if os.Getenv(plantVariable) != "" {
		t.Skip("a child runs TestSuite")
	}
	brokertest.Run(t, brokertest.Harness{Start: plant{wire: &habits{}}.start})
}
