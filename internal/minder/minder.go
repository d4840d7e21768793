package minder

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"
)

var (
	// ErrExited means that the process has ended and was reaped: there is nothing
	// left to signal or to write to.
	ErrExited = errors.New("the process has exited")
	// ErrGone means that the minder process has ended, and with it, on Linux, all
	// that it had started.
	ErrGone = errors.New("the minder is gone")
)

// helloLimit bounds the start of a minder when the context does not.
const helloLimit = 30 * time.Second

// Minder is the owner's side of one minder process. All methods are safe for
// concurrent use.
type Minder struct {
	cmd  *exec.Cmd
	root string
	gone chan struct{} // closed when the minder process was reaped

	sending sync.Mutex
	in      io.WriteCloser
	out     *json.Encoder

	mu      sync.Mutex
	last    uint64 // id given out last
	replies map[uint64]chan notice
	procs   map[uint64]*Process
	ended   error // why requests are refused, nil while serving
}

// Start starts a minder process, with self as its command line (usually this
// program's own path and "minder"), and returns when it is ready. The context
// bounds the start only. The minder lives until Close, or until this process ends
// in whatever way.
func Start(ctx context.Context, self ...string) (*Minder, error) {
	if len(self) == 0 {
		return nil, errors.New("minder: start: no command line given")
	}
	ctx, cancel := context.WithTimeout(ctx, helloLimit)
	defer cancel()
	cmd := exec.Command(self[0], self[1:]...)
	cmd.Stderr = os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true} // out of the terminal's foreground group
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, fmt.Errorf("minder: start: %w", err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, fmt.Errorf("minder: start: %w", err)
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("minder: start %s: %w", self[0], err)
	}
	m := &Minder{
		cmd: cmd, gone: make(chan struct{}), in: in, out: json.NewEncoder(in),
		replies: map[uint64]chan notice{}, procs: map[uint64]*Process{},
	}
	hello := make(chan string, 1)
	go m.listen(out, hello)
	select {
	case root := <-hello:
		m.root = root
		return m, nil
	case <-m.gone:
		return nil, fmt.Errorf("minder: start %s: it ended (%s) before it was ready", strings.Join(self, " "), cmd.ProcessState)
	case <-ctx.Done():
		_ = cmd.Process.Kill()
		<-m.gone
		return nil, fmt.Errorf("minder: start %s: not ready: %w", strings.Join(self, " "), context.Cause(ctx))
	}
}

// listen reads what the minder says until it says no more, then reaps it.
func (m *Minder) listen(out io.Reader, hello chan<- string) {
	lines := json.NewDecoder(out)
	for {
		var n notice
		if err := lines.Decode(&n); err != nil {
			_, _ = io.Copy(io.Discard, out) // after nonsense: let it write, until it ends
			break
		}
		m.hear(n, hello)
	}
	_ = m.cmd.Wait()
	m.fail(fmt.Errorf("%w (%s)", ErrGone, m.cmd.ProcessState))
	close(m.gone)
}

// hear takes one line of the minder.
func (m *Minder) hear(n notice, hello chan<- string) {
	switch n.Word {
	case wordHello:
		select {
		case hello <- n.Root:
		default: // it said so before
		}
	case wordReply:
		m.mu.Lock()
		reply := m.replies[n.ID]
		delete(m.replies, n.ID)
		m.mu.Unlock()
		if reply != nil {
			reply <- n
		}
	case wordExit:
		m.mu.Lock()
		p := m.procs[n.Proc]
		delete(m.procs, n.Proc)
		m.mu.Unlock()
		if p != nil {
			p.ended(Exit{Code: n.Code, Signal: n.Signal, At: n.At})
		}
	}
}

// fail ends every wait with err and refuses further requests.
func (m *Minder) fail(err error) {
	m.mu.Lock()
	m.ended = err
	replies, procs := m.replies, m.procs
	m.replies, m.procs = nil, nil
	m.mu.Unlock()
	for _, reply := range replies {
		close(reply)
	}
	for _, p := range procs {
		p.ended(Exit{Code: -1, Err: err})
	}
}

// ask sends a request and waits for its reply. With newborn, the process is known
// under the request's id before the minder hears of it, so its exit cannot be
// missed.
func (m *Minder) ask(r request, newborn *Process) (notice, error) {
	reply := make(chan notice, 1)
	m.mu.Lock()
	if m.ended != nil {
		defer m.mu.Unlock()
		return notice{}, m.ended
	}
	m.last++
	r.ID = m.last
	m.replies[r.ID] = reply
	if newborn != nil {
		r.Proc, newborn.id = r.ID, r.ID
		m.procs[r.ID] = newborn
	}
	m.mu.Unlock()

	m.sending.Lock()
	err := m.out.Encode(r)
	m.sending.Unlock()
	if err != nil {
		<-m.gone // the pipe breaks when the minder ends, or when Close closed it
	}
	n, ok := <-reply
	switch {
	case !ok:
		return n, m.err()
	case n.Exited:
		return n, ErrExited
	case n.Errno != 0:
		return n, &replyError{text: n.Error, errno: n.Errno}
	case n.Error != "":
		return n, errors.New(n.Error)
	}
	return n, nil
}

// err is why requests are refused, nil while serving.
func (m *Minder) err() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.ended
}

// replyError is an error of the minder's, with its cause for errors.Is.
type replyError struct {
	text  string
	errno syscall.Errno
}

func (e *replyError) Error() string { return e.text }
func (e *replyError) Unwrap() error { return e.errno }

// Run starts a process and returns when it executes its own program. A program
// that does not exist is an error here ([exec.ErrNotFound], or [os.ErrNotExist]).
func (m *Minder) Run(s Spec) (*Process, error) {
	o, err := s.order(m.root)
	if err := m.err(); err != nil { // the better reason: the working directory went with it
		return nil, fmt.Errorf("start %s: %w", s.label(), err)
	}
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", s.label(), err)
	}
	p := &Process{m: m, name: s.label(), done: make(chan struct{})}
	n, err := m.ask(request{Op: opStart, Start: o}, p)
	if err != nil {
		m.mu.Lock()
		delete(m.procs, p.id)
		m.mu.Unlock()
		return nil, fmt.Errorf("start %s: %w", s.label(), err)
	}
	p.pid = n.Pid
	return p, nil
}

// Root is the minder's temporary folder, which ends with it.
func (m *Minder) Root() string { return m.root }

// TempDir makes a folder inside Root whose name begins with name. It is removed at
// the end, or by Remove.
func (m *Minder) TempDir(name string) (string, error) {
	dir, err := os.MkdirTemp(m.root, strings.ReplaceAll(name, string(filepath.Separator), "_")+"-")
	if err != nil {
		return "", fmt.Errorf("make a temporary folder: %w", err)
	}
	return dir, nil
}

// Remove removes a folder that TempDir made, with all that is inside. Any other
// path is refused.
func (m *Minder) Remove(dir string) error {
	if filepath.Dir(filepath.Clean(dir)) != m.root {
		return fmt.Errorf("remove %s: not a temporary folder of this minder", dir)
	}
	if err := os.RemoveAll(dir); err != nil {
		return fmt.Errorf("remove a temporary folder: %w", err)
	}
	return nil
}

// Done is closed when the minder process has ended.
func (m *Minder) Done() <-chan struct{} { return m.gone }

// Close kills all that was started, removes Root, and returns when the minder has
// ended. A second Close waits for the first.
func (m *Minder) Close() error {
	m.sending.Lock()
	_ = m.in.Close()
	m.sending.Unlock()
	late := time.NewTimer(2 * patience)
	defer late.Stop()
	select {
	case <-m.gone:
	case <-late.C:
		_ = m.cmd.Process.Kill()
		<-m.gone
		return errors.New("minder: close: it did not end and was killed")
	}
	if !m.cmd.ProcessState.Success() {
		return fmt.Errorf("minder: close: it ended with %s", m.cmd.ProcessState)
	}
	return nil
}
