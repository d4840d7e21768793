package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"acklab/broker"
	"acklab/internal/connect"
	"acklab/internal/ledger"
	"acklab/task"
)

// patience bounds what should take a second, on a slow and busy machine.
const patience = time.Minute

// box is a folder of its own for some runs of the program: temporary files, the
// ledgers, the runs. When its test is over nothing may be left that knows it.
type box struct {
	t    *testing.T
	root string
	env  []string // beside the least
}

func newBox(t *testing.T) *box {
	t.Helper()
	b := &box{t: t, root: t.TempDir()}
	if err := os.Mkdir(b.tmp(), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.nothingLeft)
	return b
}

func (b *box) tmp() string { return filepath.Join(b.root, "tmp") }

// path is a file of the box.
func (b *box) path(name string) string { return filepath.Join(b.root, name) }

// running is a started program.
type running struct {
	t              *testing.T
	cmd            *exec.Cmd
	stdout, stderr bytes.Buffer
	done           chan struct{}
}

// start runs the program in a process group of its own.
func (b *box) start(args ...string) *running {
	b.t.Helper()
	p := &running{t: b.t, cmd: exec.Command(program, args...), done: make(chan struct{})}
	p.cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + b.root, "TMPDIR=" + b.tmp()}, b.env...)
	p.cmd.Dir = b.root
	p.cmd.Stdout, p.cmd.Stderr = &p.stdout, &p.stderr
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	p.cmd.WaitDelay = patience
	if err := p.cmd.Start(); err != nil {
		b.t.Fatal(err)
	}
	go func() {
		defer close(p.done)
		p.cmd.Wait()
	}()
	b.t.Cleanup(func() {
		if p.alive() {
			p.cmd.Process.Kill()
		}
		<-p.done
	})
	return p
}

// run runs the program to its end.
func (b *box) run(args ...string) *running {
	b.t.Helper()
	p := b.start(args...)
	p.wait()
	return p
}

func (p *running) alive() bool {
	select {
	case <-p.done:
		return false
	default:
		return true
	}
}

// wait waits for the end and gives the exit status, or minus the signal.
func (p *running) wait() int {
	p.t.Helper()
	select {
	case <-p.done:
	case <-time.After(patience):
		p.t.Fatalf("%s does not end; it said:\n%s", p.cmd.Args[1:], p.quit())
	}
	return p.code()
}

func (p *running) code() int {
	status := p.cmd.ProcessState.Sys().(syscall.WaitStatus)
	if status.Signaled() {
		return -int(status.Signal())
	}
	return status.ExitStatus()
}

// quit kills it and returns what it had said.
func (p *running) quit() string {
	p.cmd.Process.Kill()
	<-p.done
	return p.stderr.String()
}

func (p *running) signal(s syscall.Signal) {
	p.t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil {
		p.t.Fatalf("signal %v: %v", s, err)
	}
}

// ended checks the exit status.
func (p *running) ended(want int) {
	p.t.Helper()
	if got := p.wait(); got != want {
		p.t.Fatalf("%s ended with %d; want %d; it said:\n%s%s", p.cmd.Args[1:], got, want, &p.stdout, &p.stderr)
	}
}

// nothingLeft waits until no process and no temporary file of the box is left.
func (b *box) nothingLeft() {
	b.t.Helper()
	var left []string
	reached := eventually(func() bool {
		left = mentioning(b.root)
		files, _ := os.ReadDir(b.tmp())
		for _, f := range files {
			left = append(left, f.Name())
		}
		return len(left) == 0
	})
	if !reached {
		b.t.Errorf("this is left: %v", left)
	}
}

// eventually asks until it is so, or patience is over.
func eventually(so func() bool) bool {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(patience); !so(); <-tick.C {
		if time.Now().After(end) {
			return false
		}
	}
	return true
}

// mentioning lists the processes whose command line, environment or working
// folder names a folder. A zombie has ended.
func mentioning(folder string) []string {
	entries, _ := os.ReadDir("/proc") // none on a system without it
	var found []string
	for _, e := range entries {
		proc := "/proc/" + e.Name() + "/"
		cmdline, _ := os.ReadFile(proc + "cmdline")
		environ, _ := os.ReadFile(proc + "environ")
		cwd, _ := os.Readlink(proc + "cwd")
		if bytes.Contains(cmdline, []byte(folder)) || bytes.Contains(environ, []byte(folder)) || strings.HasPrefix(cwd, folder) {
			found = append(found, e.Name()+" "+strings.ReplaceAll(string(cmdline), "\x00", " "))
		}
	}
	return found
}

// lines are those of a ledger so far, all of them or of some events.
func lines(t *testing.T, path string, events ...ledger.Event) []ledger.Line {
	t.Helper()
	f, err := ledger.Read(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		t.Fatal(err)
	}
	if len(events) == 0 {
		return f.Lines
	}
	return slices.DeleteFunc(f.Lines, func(l ledger.Line) bool { return !slices.Contains(events, l.Event) })
}

// await waits until the ledger has n lines of the event.
func (p *running) await(path string, event ledger.Event, n int) []ledger.Line {
	p.t.Helper()
	var found []ledger.Line
	reached := eventually(func() bool {
		gone := !p.alive()
		found = lines(p.t, path, event)
		return len(found) >= n || gone
	})
	if !reached || len(found) < n {
		p.t.Fatalf("%d lines %s; want %d; it said:\n%s", len(found), event, n, p.quit())
	}
	return found
}

// client is the test's own client of a broker.
type client struct {
	t *testing.T
	broker.Broker
}

func dial(t *testing.T, url string) *client {
	t.Helper()
	b, err := connect.Open(t.Context(), url, broker.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return &client{t, b}
}

// newQueue makes a queue of this test alone.
func (c *client) newQueue() string {
	c.t.Helper()
	name := fmt.Sprintf("q-%d", queues.Add(1))
	if err := c.Declare(within(c.t), name); err != nil {
		c.t.Fatal(err)
	}
	return name
}

// put publishes one task and returns its id.
func (c *client) put(queue, name string, args ...any) string {
	c.t.Helper()
	m, err := task.New(name, task.Options{Queue: queue}, args...)
	if err != nil {
		c.t.Fatal(err)
	}
	if err := c.Publish(within(c.t), m)[0]; err != nil {
		c.t.Fatal(err)
	}
	return m.TaskID
}

// holds are the messages of the queue that the broker holds, by task id.
func (c *client) holds(queue string) map[string]broker.Held {
	c.t.Helper()
	all := map[string]broker.Held{}
	for h, err := range c.Census(within(c.t), queue) {
		if err != nil {
			c.t.Fatal(err)
		}
		if _, twice := all[h.Message.TaskID]; twice {
			c.t.Errorf("task %s is held twice", h.Message.TaskID)
		}
		all[h.Message.TaskID] = h
	}
	return all
}

func within(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}
