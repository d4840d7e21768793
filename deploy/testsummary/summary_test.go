package main

import (
	"bytes"
	"strings"
	"testing"
)

// read returns what is printed for a stream, and whether all was well.
func read(t *testing.T, stream ...string) (string, bool) {
	t.Helper()
	var out bytes.Buffer
	s := newSummary(&out)
	if err := s.read(strings.NewReader(strings.Join(stream, "\n") + "\n")); err != nil {
		t.Fatal(err)
	}
	ok := s.finish()
	return out.String(), ok
}

var passing = []string{
	`{"Action":"start","Package":"p"}`,
	`{"Action":"run","Package":"p","Test":"TestA"}`,
	`{"Action":"output","Package":"p","Test":"TestA","Output":"=== RUN   TestA\n"}`,
	`{"Action":"output","Package":"p","Test":"TestA","Output":"    a_test.go:3: chatter of a good test\n"}`,
	`{"Action":"pass","Package":"p","Test":"TestA","Elapsed":1.25}`,
	`{"Action":"output","Package":"p","Output":"PASS\n"}`,
	`{"Action":"output","Package":"p","Output":"ok  \tp\t1.300s\n"}`,
	`{"Action":"pass","Package":"p","Elapsed":1.3}`,
}

func TestAPassingPackageIsOneLine(t *testing.T) {
	t.Parallel()
	got, ok := read(t, passing...)
	want := "ok  \tp\t1.300s\n\nslowest tests:\n     1.25s  p TestA\n\nok: 1 packages, 1 tests passed, 0 failed, 0 skipped, 0 never finished\n"
	if got != want || !ok {
		t.Errorf("ok %v, printed:\n%s\nwant:\n%s", ok, got, want)
	}
}

func TestAFailingTestIsShownWholeAndItsPassingNeighbourIsNot(t *testing.T) {
	t.Parallel()
	got, ok := read(t,
		`{"Action":"start","Package":"p"}`,
		`{"Action":"run","Package":"p","Test":"TestGood"}`,
		`{"Action":"output","Package":"p","Test":"TestGood","Output":"of the good one\n"}`,
		`{"Action":"pass","Package":"p","Test":"TestGood"}`,
		`{"Action":"run","Package":"p","Test":"TestBad"}`,
		`{"Action":"output","Package":"p","Test":"TestBad","Output":"first\n"}`,
		`{"Action":"run","Package":"p","Test":"TestBad/sub"}`,
		`{"Action":"output","Package":"p","Test":"TestBad/sub","Output":"second\n"}`,
		`{"Action":"fail","Package":"p","Test":"TestBad/sub"}`,
		`{"Action":"fail","Package":"p","Test":"TestBad"}`,
		`{"Action":"output","Package":"p","Output":"FAIL\n"}`,
		`{"Action":"output","Package":"p","Output":"FAIL\tp\t0.1s\n"}`,
		`{"Action":"fail","Package":"p"}`)
	if want := "first\nsecond\nFAIL\nFAIL\tp\t0.1s\n"; !strings.HasPrefix(got, want) {
		t.Errorf("printed:\n%s\nwant first:\n%s", got, want)
	}
	if ok || !strings.Contains(got, "FAIL: 1 packages, 1 tests passed, 2 failed") {
		t.Errorf("ok %v, printed:\n%s", ok, got)
	}
}

func TestSkippedTestsAreCountedByReason(t *testing.T) {
	t.Parallel()
	skip := func(test, reason string) []string {
		return []string{
			`{"Action":"run","Package":"p","Test":"` + test + `"}`,
			`{"Action":"output","Package":"p","Test":"` + test + `","Output":"    x_test.go:9: ` + reason + `\n"}`,
			`{"Action":"output","Package":"p","Test":"` + test + `","Output":"--- SKIP: ` + test + ` (0.00s)\n"}`,
			`{"Action":"skip","Package":"p","Test":"` + test + `"}`,
		}
	}
	stream := []string{`{"Action":"start","Package":"p"}`}
	stream = append(stream, skip("TestA", "no redis-server")...)
	stream = append(stream, skip("TestB", "no redis-server")...)
	stream = append(stream, skip("TestC", "not on this system")...)
	stream = append(stream, `{"Action":"pass","Package":"p"}`)
	got, ok := read(t, stream...)
	for _, want := range []string{
		"     2  no redis-server\n        (p TestA, ...)\n",
		"     1  not on this system\n        (p TestC)\n",
		"3 skipped",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("lacks %q:\n%s", want, got)
		}
	}
	if !ok {
		t.Error("skipped tests are a failure")
	}
}

func TestWhatCannotBeASuccessIsAFailure(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		stream []string
		says   string
	}{
		"an empty stream":                   {nil, "no package was tested"},
		"a stream that is not JSON":         {[]string{"go: cannot find main module"}, "go: cannot find main module"},
		"a package that never finished":     {passing[:4], "FAIL\tp\tnever finished"},
		"the test that was running is told": {passing[:4], "chatter of a good test"},
		"a build that failed": {append([]string{
			`{"ImportPath":"q","Action":"build-output","Output":"q.go:1: syntax error\n"}`,
			`{"ImportPath":"q","Action":"build-fail"}`}, passing...), "q.go:1: syntax error"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, ok := read(t, c.stream...)
			if ok || !strings.Contains(got, c.says) {
				t.Errorf("ok %v, want false and %q in:\n%s", ok, c.says, got)
			}
		})
	}
}

func TestOnlyLeavesAreSlow(t *testing.T) {
	t.Parallel()
	got, _ := read(t,
		`{"Action":"start","Package":"p"}`,
		`{"Action":"run","Package":"p","Test":"TestA"}`,
		`{"Action":"run","Package":"p","Test":"TestA/one"}`,
		`{"Action":"pass","Package":"p","Test":"TestA/one","Elapsed":2}`,
		`{"Action":"pass","Package":"p","Test":"TestA","Elapsed":2}`,
		`{"Action":"pass","Package":"p"}`)
	if !strings.Contains(got, "p TestA/one\n") || strings.Contains(got, "p TestA\n") {
		t.Errorf("printed:\n%s", got)
	}
}
