package producer_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"acklab/broker"
	"acklab/internal/ledger"
	"acklab/producer"
	"acklab/task"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// desk is a broker that takes, refuses or is unsure as the test says, and
// looks into the ledger at the moment of each publish.
type desk struct {
	broker.Broker
	t      *testing.T
	path   string // of the ledger
	ledger *ledger.Writer
	// fate is what becomes of the nth message, counted from 0; nil: confirmed.
	fate func(n int) error
	// during is called in each publish, before anything is stored; nil: nothing.
	during func(ctx context.Context, n int)

	mu        sync.Mutex
	file      *os.File        // the ledger, read as far as it was at the last publish
	rest      []byte          // the beginning of a line
	attempted map[string]bool // by message id
	calls     [][]*task.Message
	missing   []string // messages that were published before they were attempted
}

func newDesk(t *testing.T) *desk {
	t.Helper()
	d := &desk{t: t, path: filepath.Join(t.TempDir(), "producer.jsonl")}
	w, err := ledger.Create(d.path, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.Close() })
	d.ledger, d.attempted = w, map[string]bool{}
	if d.file, err = os.Open(d.path); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.file.Close() })
	return d
}

func (d *desk) producer() *producer.Producer {
	return producer.New(producer.Config{Broker: d, Ledger: d.ledger})
}

// Publish looks whether every message has been attempted, by the ledger.
func (d *desk) Publish(ctx context.Context, msgs ...*task.Message) []error {
	d.mu.Lock()
	d.look()
	before := 0
	for _, c := range d.calls {
		before += len(c)
	}
	d.calls = append(d.calls, msgs)
	errs := make([]error, len(msgs))
	for i, m := range msgs {
		if !d.attempted[m.ID] {
			d.missing = append(d.missing, m.ID)
		}
		if d.fate != nil {
			errs[i] = d.fate(before + i)
		}
	}
	d.mu.Unlock()
	if d.during != nil {
		d.during(ctx, before)
	}
	return errs
}

// look takes in what the ledger has got since the last look.
func (d *desk) look() {
	d.t.Helper()
	more, err := io.ReadAll(d.file)
	if err != nil {
		d.t.Errorf("look into the ledger: %v", err)
	}
	d.rest = append(d.rest, more...)
	for {
		raw, rest, whole := bytes.Cut(d.rest, []byte{'\n'})
		if !whole {
			return
		}
		d.rest = rest
		var l ledger.Line
		if err := json.Unmarshal(raw, &l); err != nil {
			d.t.Errorf("line %q: %v", raw, err)
		}
		if l.Event == ledger.Attempted {
			d.attempted[l.Message] = true
		}
	}
}

func (d *desk) lines(event ledger.Event) []ledger.Line {
	d.t.Helper()
	f, err := ledger.Read(d.path)
	if err != nil || f.Damage != "" {
		d.t.Fatalf("read the ledger: %v %s", err, f.Damage)
	}
	return slices.DeleteFunc(f.Lines, func(l ledger.Line) bool { return l.Event != event })
}

// wrote checks how many lines of each event there are.
func (d *desk) wrote(want map[ledger.Event]int) {
	d.t.Helper()
	for _, event := range []ledger.Event{ledger.Planned, ledger.Attempted, ledger.Confirmed, ledger.Refused, ledger.Unsure} {
		if n := len(d.lines(event)); n != want[event] {
			d.t.Errorf("%d lines %s; want %d", n, event, want[event])
		}
	}
}

func message(t *testing.T, queue string) *task.Message {
	t.Helper()
	m, err := task.New("add", task.Options{Queue: queue, Retries: 1}, 4, 4)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func load(count int) producer.Load {
	return producer.Load{Count: count, Name: "noop", Options: task.Options{Queue: "q"}}
}

var (
	errFull = fmt.Errorf("publish: %w", &broker.Refusal{Reason: broker.Full, Err: fmt.Errorf("OOM")})
	errLost = fmt.Errorf("the connection broke: %w", broker.ErrUnsure)
)

// inTurn confirms, refuses, is unsure, confirms...
func inTurn(n int) error { return []error{nil, errFull, errLost}[n%3] }
