package experiments

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"acklab/internal/ledger"
	"acklab/task"
)

// tailEvery is how often a ledger is looked at while a trial waits for a line.
const tailEvery = 2 * time.Millisecond

// tail follows the ledger of a living process and keeps what trials wait for.
type tail struct {
	path    string
	file    *os.File
	rest    []byte
	counts  map[ledger.Event]int
	open    map[string]int  // message id: deliveries received here and not over yet
	seen    map[string]bool // messages that were received here
	last    ledger.Line
	final   int             // failures for good
	failing map[string]bool // messages whose latest run failed, and a retry was to follow
	results int             // finished states that were stored, superseded or lost
	points  map[string]bool // checkpoints at which it is or was holding
	ofTerm  int             // confirms since it last began to lead
}

func newTail(path string) *tail {
	return &tail{path: path, counts: map[ledger.Event]int{}, open: map[string]int{}, seen: map[string]bool{}, points: map[string]bool{}, failing: map[string]bool{}}
}

// read takes in what was written since the last time.
func (f *tail) read() error {
	if f.file == nil {
		file, err := os.Open(f.path)
		if errors.Is(err, os.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		f.file = file
	}
	more, err := io.ReadAll(f.file)
	if err != nil {
		return err
	}
	f.rest = append(f.rest, more...)
	for {
		raw, after, whole := bytes.Cut(f.rest, []byte{'\n'})
		if !whole {
			return nil
		}
		var l ledger.Line
		if err := json.Unmarshal(raw, &l); err != nil {
			return fmt.Errorf("ledger %s: %w", f.path, err)
		}
		f.take(l)
		f.rest = after
	}
}

func (f *tail) take(l ledger.Line) {
	f.counts[l.Event]++
	f.last = l
	switch l.Event {
	case ledger.Received:
		f.open[l.Message]++
		f.seen[l.Message] = true
	case ledger.AckSent, ledger.StaleAck, ledger.AckUnsure, ledger.Requeued, ledger.Rejected, ledger.Dropped, ledger.GivenBack:
		f.over(l.Message)
	case ledger.Started:
		delete(f.failing, l.Message)
	case ledger.Failed:
		f.failed(l)
	case ledger.ResultStored, ledger.ResultKept, ledger.ResultLost:
		if task.State(l.State).Finished() {
			f.results++
		}
	case ledger.Leading:
		f.ofTerm = 0
	case ledger.Confirmed:
		f.ofTerm++
	case ledger.Holding:
		f.points[l.Point] = true
	}
}

// failed counts a failure. One whose retry is refused is failed twice, the
// second time for good: it is one run all the same.
func (f *tail) failed(l ledger.Line) {
	if !l.Final {
		f.failing[l.Message] = true
		return
	}
	f.final++
	if f.failing[l.Message] {
		f.counts[ledger.Failed]--
	}
}

func (f *tail) over(message string) {
	if f.open[message]--; f.open[message] <= 0 {
		delete(f.open, message)
	}
}

func (f *tail) close() {
	if f.file != nil {
		f.file.Close()
	}
}

// running is how many handlers have begun and not ended.
func (f *tail) running() int {
	return f.counts[ledger.Started] - f.counts[ledger.Finished] - f.counts[ledger.Failed] - f.counts[ledger.Interrupted]
}

// await follows the ledger of the named member until want is satisfied. It
// fails when the process ends before that, or ctx does.
func (t *Trial) await(ctx context.Context, name, what string, want func(*tail) bool) error {
	m, err := t.member(name)
	if err != nil {
		return err
	}
	tick := time.NewTicker(tailEvery)
	defer tick.Stop()
	for {
		gone := !m.Alive()
		if err := m.tail.read(); err != nil {
			return fmt.Errorf("wait until %s %s: %w", name, what, err)
		}
		if want(m.tail) {
			return nil
		}
		if gone {
			return fmt.Errorf("wait until %s %s: it ended first (%v); its last words are in %s", name, what, m.Exit(), name+".log")
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("wait until %s %s: %w; its ledger ends with %q", name, what, ctx.Err(), m.tail.last.Event)
		}
	}
}
