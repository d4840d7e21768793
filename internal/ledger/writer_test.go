package ledger

import (
	"bytes"
	"encoding/json"
	"errors"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

func create(t testing.TB) (*Writer, string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "deep", "down", "worker.jsonl")
	w, err := Create(path, map[string]string{"role": "worker"})
	if err != nil {
		t.Fatal(err)
	}
	return w, path
}

func TestALedgerBeginsWithOpenedAndEndsWithClosed(t *testing.T) {
	t.Parallel()
	w, path := create(t)
	before := Now()
	n, err := w.Write(Line{Event: Finished, Task: "t", Message: "m", Seq: 99, Mono: 1})
	if err != nil || n != 2 {
		t.Errorf("line %d, %v", n, err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	f, err := Read(path)
	if err != nil {
		t.Fatal(err)
	}
	if f.Damage != "" || f.Torn || !f.Closed() || f.Path != path || len(f.Lines) != 3 {
		t.Fatalf("%+v", f)
	}
	if l := f.Lines[0]; l.Event != Opened || l.Detail["role"] != "worker" {
		t.Errorf("the first line is %+v", l)
	}
	l := f.Lines[1]
	if l.Event != Finished || l.Seq != 2 || l.Mono < before || l.Mono > Now() || time.Since(l.Wall) > time.Minute {
		t.Errorf("the stamps of %+v", l)
	}
}

func TestALedgerThatExistsIsRefusedAndLeftAsItIs(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "a.jsonl")
	if err := os.WriteFile(path, []byte("theirs"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := Create(path, nil); !errors.Is(err, fs.ErrExist) {
		t.Errorf("%v", err)
	}
	if b, _ := os.ReadFile(path); string(b) != "theirs" {
		t.Errorf("it now holds %q", b)
	}
}

func TestCreateSaysWhatItCouldNotMake(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := Create(filepath.Join(file, "below", "a.jsonl"), nil); err == nil || !strings.Contains(err.Error(), "make the ledger's folder") {
		t.Errorf("%v", err)
	}
}

// full is a writer on a file system without room, as far as it can tell.
func full(t *testing.T) *Writer {
	t.Helper()
	f, err := os.OpenFile("/dev/full", os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		t.Skipf("no /dev/full here: %v; run on Linux", err)
	}
	return &Writer{file: f, bad: make(chan struct{})}
}

func TestTheFirstFailureIsKeptAndAnnounced(t *testing.T) {
	t.Parallel()
	closed, _ := create(t)
	closed.file.Close()
	for name, c := range map[string]struct {
		w    *Writer
		want error
	}{"no room": {full(t), syscall.ENOSPC}, "closed below it": {closed, os.ErrClosed}} {
		select {
		case <-c.w.Broken():
			t.Errorf("%s: broken before anything was written", name)
		default:
		}
		_, first := c.w.Write(Line{Event: Started})
		if !errors.Is(first, c.want) || !strings.HasPrefix(first.Error(), "write the ledger: ") {
			t.Errorf("%s: %v", name, first)
		}
		n, second := c.w.Write(Line{Event: Finished})
		if n != 0 || second != first || c.w.Err() != first {
			t.Errorf("%s: then line %d, %v, %v", name, n, second, c.w.Err())
		}
		select {
		case <-c.w.Broken():
		default:
			t.Errorf("%s: not announced", name)
		}
		if err := c.w.Close(); err != first {
			t.Errorf("%s: closing said %v", name, err)
		}
	}
}

func TestAWriterOfNothingIsContent(t *testing.T) {
	t.Parallel()
	var w *Writer
	if n, err := w.Write(Line{Event: Started}); n != 0 || err != nil {
		t.Error(n, err)
	}
	if w.Err() != nil || w.Broken() != nil || w.Close() != nil {
		t.Error("a writer of nothing failed")
	}
	w.WriteLast(Line{Event: Checkpoint})
}

func TestConcurrentWritersNumberWithoutAGap(t *testing.T) {
	t.Parallel()
	w, path := create(t)
	const writers, each = 8, 250
	numbers := make([][]int64, writers)
	var all sync.WaitGroup
	for i := range writers {
		all.Go(func() {
			for range each {
				n, err := w.Write(Line{Event: Received, Task: "t", Reason: strings.Repeat("x", i*100)})
				if err != nil {
					t.Error(err)
					return
				}
				numbers[i] = append(numbers[i], n)
			}
		})
	}
	all.Wait()
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	f, err := Read(path)
	if err != nil || f.Damage != "" || f.Torn || len(f.Lines) != writers*each+2 {
		t.Fatalf("%d lines, torn %v, %s, %v", len(f.Lines), f.Torn, f.Damage, err)
	}
	var last int64
	for _, l := range f.Lines {
		if l.Mono < last {
			t.Fatalf("line %d is earlier than the one before", l.Seq)
		}
		last = l.Mono
	}
	for i, ns := range numbers {
		for _, n := range ns {
			if got := len(f.Lines[n-1].Reason); got != i*100 {
				t.Fatalf("line %d is of another writer", n)
			}
		}
	}
}

func TestNothingFollowsTheLastLine(t *testing.T) {
	t.Parallel()
	w, path := create(t)
	w.WriteLast(Line{Event: Checkpoint, Point: "mid"})
	late := make(chan struct{})
	go func() { // waits for ever: the process is meant to die
		w.Write(Line{Event: Finished})
		close(late)
	}()
	select {
	case <-late:
		t.Error("a line was taken after the last")
	case <-time.After(50 * time.Millisecond):
	}
	f, err := Read(path)
	if err != nil || len(f.Lines) != 2 || f.Lines[1].Event != Checkpoint {
		t.Errorf("%+v, %v", f, err)
	}
}

// sameJSON tells whether append wrote what encoding/json would, in meaning.
func sameJSON(t *testing.T, l Line) {
	t.Helper()
	raw := l.append(nil)
	if bytes.Count(raw, []byte("\n")) != 1 || raw[len(raw)-1] != '\n' {
		t.Fatalf("not one line: %q", raw)
	}
	want, err := json.Marshal(l)
	if err != nil {
		t.Fatal(err)
	}
	var a, b any
	if err := json.Unmarshal(raw, &a); err != nil {
		t.Fatalf("%v in %q", err, raw)
	}
	if err := json.Unmarshal(want, &b); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(a, b) {
		t.Errorf("%s\nis not\n%s", raw, want)
	}
}

func TestALineIsWhatEncodingJSONWouldWrite(t *testing.T) {
	t.Parallel()
	wall := time.Date(2026, 1, 2, 3, 4, 5, 678_900_000, time.UTC)
	for _, l := range []Line{
		{},
		{Seq: 1, Wall: wall, Mono: 2, Event: Opened, Detail: map[string]string{"a": "b", "quote\"": "<&>\u2028"}},
		{Seq: 1, Wall: wall, Mono: 2, Event: Received, Task: "t", Message: "m", Name: "n", Queue: "q", Retries: 3, Hash: "h", Session: 4,
			Seen: "first", Count: 5, Upto: 6, ETA: 9, Final: true, Point: "p", Process: "x", Fault: "f", State: "s", N: 7, Value: 0.25, Reason: "r"},
		{Retries: -1, Upto: math.MinInt64, Value: -1e300, N: math.MaxInt},
		{Wall: time.Date(2026, 1, 2, 3, 4, 5, 1, time.FixedZone("", 3600)), Value: math.SmallestNonzeroFloat64},
		{Task: "tab\tnewline\nnull\x00delete\x7fbackslash\\quote\"", Name: "größe ✓ 𝄞", Reason: "\xff\xfe not utf-8 \xed\xa0\x80"},
	} {
		sameJSON(t, l)
	}
}

func TestAMeasureThatIsNoNumberDoesNotBreakTheLine(t *testing.T) {
	t.Parallel()
	for _, v := range []float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
		l := Line{Seq: 1, Event: Measured, Value: v}
		f, err := Parse(bytes.NewReader(l.append(nil)))
		if err != nil || len(f.Lines) != 1 {
			t.Errorf("%v: %+v, %v", v, f, err)
		}
	}
}

func FuzzALineIsWhatEncodingJSONWouldWrite(f *testing.F) {
	f.Add("finished", "task", "größe\n\x00\"\\<>&\u2028", "\xff", int64(1), int64(-5), 3, 0.5, true, int64(0))
	f.Add("", "", "", "", int64(0), int64(0), 0, 0.0, false, int64(1e18))
	f.Fuzz(func(t *testing.T, event, task, reason, key string, seq, mono int64, n int, value float64, final bool, wall int64) {
		if math.IsNaN(value) || math.IsInf(value, 0) {
			return
		}
		l := Line{
			Seq: seq, Mono: mono, Wall: time.Unix(0, wall).UTC(), Event: Event(event), Task: task, Message: reason, Name: key,
			Retries: n, Session: -n, Upto: mono, ETA: seq, Final: final, Value: value, Reason: reason + task,
		}
		if key != "" {
			l.Detail = map[string]string{key: reason}
		}
		sameJSON(t, l)
	})
}

func BenchmarkWrite(b *testing.B) {
	w, err := Create(filepath.Join(b.TempDir(), "a.jsonl"), nil)
	if err != nil {
		b.Fatal(err)
	}
	l := Line{Event: Received, Task: "0198f1de-7c0a-7f00-8000-000000000001", Message: "0198f1de-7c0a-7f00-8000-000000000002",
		Queue: "q", Session: 1, Seen: "first", Hash: "0123456789abcdef"}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := w.Write(l); err != nil {
			b.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		b.Fatal(err)
	}
}

func TestAMomentOfTheWallClockIsTheSameOnTheMonotonicOne(t *testing.T) {
	t.Parallel()
	if n := MonoAt(time.Time{}); n != 0 {
		t.Errorf("the zero time is at %d", n)
	}
	for _, ahead := range []time.Duration{-time.Second, 0, time.Minute} {
		before := Now()
		at := MonoAt(time.Now().Add(ahead))
		if late := at - Now() - int64(ahead); late > 0 || at < before+int64(ahead)-int64(time.Second) {
			t.Errorf("%v ahead: %v away", ahead, time.Duration(late))
		}
	}
}
