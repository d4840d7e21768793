package main

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"
)

// event is a line of go test -json; see go doc test2json.
type event struct {
	Action  string
	Package string
	Test    string
	Elapsed float64 // seconds
	Output  string
}

// testID names a test; Test is empty for the package itself.
type testID struct{ Package, Test string }

// outcome of a test: how it ended, "" while it runs.
type outcome struct {
	action  string
	seconds float64
}

// line is a line of output and the test that wrote it.
type line struct {
	test string
	text string
}

// summary collects events and prints each package when it ends.
type summary struct {
	out      io.Writer
	pending  map[string][]line // output by package, until the package ends
	packages map[string]string // package: its last action
	tests    map[testID]outcome
	skipped  map[string][]testID // by reason
	failed   bool
}

func newSummary(out io.Writer) *summary {
	return &summary{
		out:      out,
		pending:  map[string][]line{},
		packages: map[string]string{},
		tests:    map[testID]outcome{},
		skipped:  map[string][]testID{},
	}
}

func (s *summary) add(e event) {
	switch e.Action {
	case "build-output":
		fmt.Fprint(s.out, e.Output)
	case "build-fail":
		s.failed = true
	case "start":
		s.packages[e.Package] = "start"
	case "output":
		s.pending[e.Package] = append(s.pending[e.Package], line{e.Test, e.Output})
	case "run":
		s.tests[testID{e.Package, e.Test}] = outcome{}
	case "pass", "fail", "skip":
		if e.Test == "" {
			s.endPackage(e)
		} else {
			s.endTest(e)
		}
	}
}

func (s *summary) endTest(e event) {
	id := testID{e.Package, e.Test}
	s.tests[id] = outcome{e.Action, e.Elapsed}
	if e.Action == "skip" {
		reason := s.reason(id)
		s.skipped[reason] = append(s.skipped[reason], id)
	}
}

func (s *summary) endPackage(e event) {
	s.packages[e.Package] = e.Action
	if e.Action == "fail" {
		s.failed = true
		s.printFailed(e.Package)
	} else {
		s.printClosing(e.Package)
	}
	delete(s.pending, e.Package)
}

// closing is the line with which go test ends a package that did not fail.
var closing = regexp.MustCompile(`^(ok  |\?   )\t`)

func (s *summary) printClosing(pkg string) {
	for _, l := range s.pending[pkg] {
		if l.test == "" && closing.MatchString(l.text) {
			fmt.Fprint(s.out, l.text)
		}
	}
}

// printFailed prints, in their order, the lines of the package itself and of
// every test that neither passed nor was skipped.
func (s *summary) printFailed(pkg string) {
	for _, l := range s.pending[pkg] {
		ended := s.tests[testID{pkg, l.test}].action
		if l.test == "" || ended != "pass" && ended != "skip" {
			fmt.Fprint(s.out, l.text)
		}
	}
}

// chatter are the lines of a test's output that are not its own words.
var chatter = regexp.MustCompile(`^\s*(===|---) `)

// position is where a test's log line was written.
var position = regexp.MustCompile(`^\s*[\w.-]+\.go:\d+: `)

// reason returns what a skipped test said last.
func (s *summary) reason(id testID) string {
	said := "no reason given"
	for _, l := range s.pending[id.Package] {
		if l.test == id.Test && !chatter.MatchString(l.text) && strings.TrimSpace(l.text) != "" {
			said = strings.TrimSpace(position.ReplaceAllString(l.text, ""))
		}
	}
	return said
}

// finish prints the end of the log and reports whether all is well.
func (s *summary) finish() bool {
	for _, pkg := range slices.Sorted(maps.Keys(s.packages)) {
		if s.packages[pkg] == "start" {
			s.failed = true
			s.printFailed(pkg)
			fmt.Fprintf(s.out, "FAIL\t%s\tnever finished\n", pkg)
		}
	}
	if len(s.packages) == 0 {
		s.failed = true
		fmt.Fprintln(s.out, "no package was tested")
	}
	s.printSkipped()
	s.printSlowest(10)
	s.printTotals()
	return !s.failed
}

func (s *summary) printSkipped() {
	if len(s.skipped) == 0 {
		return
	}
	fmt.Fprintln(s.out, "\nskipped:")
	for _, reason := range slices.Sorted(maps.Keys(s.skipped)) {
		tests := s.skipped[reason]
		first := tests[0].Package + " " + tests[0].Test
		if len(tests) > 1 {
			first += ", ..."
		}
		fmt.Fprintf(s.out, "  %4d  %s\n        (%s)\n", len(tests), reason, first)
	}
}

// printSlowest lists tests without subtests: what a test with subtests takes
// is what they take.
func (s *summary) printSlowest(n int) {
	parents := map[testID]bool{}
	for id := range s.tests {
		for i, r := range id.Test {
			if r == '/' {
				parents[testID{id.Package, id.Test[:i]}] = true
			}
		}
	}
	var leaves []testID
	for id, o := range s.tests {
		if !parents[id] && o.seconds > 0 {
			leaves = append(leaves, id)
		}
	}
	slices.SortFunc(leaves, func(a, b testID) int {
		return cmp.Or(cmp.Compare(s.tests[b].seconds, s.tests[a].seconds),
			cmp.Compare(a.Package, b.Package), cmp.Compare(a.Test, b.Test))
	})
	if len(leaves) == 0 {
		return
	}
	fmt.Fprintln(s.out, "\nslowest tests:")
	for _, id := range leaves[:min(n, len(leaves))] {
		took := time.Duration(s.tests[id].seconds * float64(time.Second))
		fmt.Fprintf(s.out, "  %8s  %s %s\n", took.Round(10*time.Millisecond), id.Package, id.Test)
	}
}

func (s *summary) printTotals() {
	count := map[string]int{}
	for _, o := range s.tests {
		count[cmp.Or(o.action, "never finished")]++
	}
	verdict := "ok"
	if s.failed {
		verdict = "FAIL"
	}
	fmt.Fprintf(s.out, "\n%s: %d packages, %d tests passed, %d failed, %d skipped, %d never finished\n", verdict,
		len(s.packages), count["pass"], count["fail"], count["skip"], count["never finished"])
}
