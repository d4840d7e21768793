package ledger

import (
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// Writer appends the lines of one process incarnation to one file. It is safe
// for concurrent use. A nil *Writer writes nothing and reports no error: a
// process that was not asked to keep a ledger.
type Writer struct {
	mu   sync.Mutex
	file *os.File
	seq  int64
	buf  []byte
	err  error
	bad  chan struct{} // closed at the first failed write
}

// Create makes the file, and the folders above it, and writes opened with the
// detail. A file that exists is refused: an incarnation never appends to the
// ledger of another.
func Create(path string, detail map[string]string) (*Writer, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, fmt.Errorf("make the ledger's folder: %w", err)
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return nil, fmt.Errorf("create the ledger: %w", err)
	}
	w := &Writer{file: f, bad: make(chan struct{})}
	if _, err := w.Write(Line{Event: Opened, Detail: detail}); err != nil {
		f.Close()
		return nil, err
	}
	return w, nil
}

// Write numbers and stamps the line, appends it with one write(2), and returns
// its number. After the first failure every call returns that error: the
// process must take no more work, see Broken.
func (w *Writer) Write(l Line) (int64, error) {
	if w == nil {
		return 0, nil
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.append(l)
}

// append is Write under the lock.
func (w *Writer) append(l Line) (int64, error) {
	if w.err != nil {
		return 0, w.err
	}
	l.Seq = w.seq + 1
	l.Wall = time.Now().UTC()
	l.Mono = Now()
	w.buf = l.append(w.buf[:0])
	if _, err := w.file.Write(w.buf); err != nil {
		w.err = fmt.Errorf("write the ledger: %w", err)
		close(w.bad)
		return 0, w.err
	}
	w.seq++
	return w.seq, nil
}

// WriteLast appends the line, which shall be the last: every later call, from
// any goroutine, waits for ever. It is for a process that is about to kill
// itself, and for nothing else.
func (w *Writer) WriteLast(l Line) {
	if w == nil {
		return
	}
	w.mu.Lock()
	w.append(l)
}

// Broken is closed when a write has failed. For a nil Writer it never is.
func (w *Writer) Broken() <-chan struct{} {
	if w == nil {
		return nil
	}
	return w.bad
}

// Err is the first failure, or nil. It waits for nobody.
func (w *Writer) Err() error {
	select {
	case <-w.Broken():
		return w.err
	default:
		return nil
	}
}

// Close writes closed and closes the file. It returns the first failure.
func (w *Writer) Close() error {
	if w == nil {
		return nil
	}
	if _, err := w.Write(Line{Event: Closed}); err != nil {
		w.file.Close()
		return err
	}
	return w.file.Close()
}

// Now is the host's CLOCK_MONOTONIC in nanoseconds: comparable between the
// processes of one machine since its start, unlike Go's monotonic reading.
func Now() int64 {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts); err != nil {
		panic("ledger: this system has no monotonic clock: " + err.Error())
	}
	return ts.Nano()
}

// MonoAt is the wall-clock moment on CLOCK_MONOTONIC, as Line.ETA has it, by what
// both clocks say now; 0 for the zero time. It is never later than the moment,
// so that nothing is called early for the sake of the conversion.
func MonoAt(moment time.Time) int64 {
	if moment.IsZero() {
		return 0
	}
	now := Now()
	return max(1, now+int64(time.Until(moment.Round(0))))
}
