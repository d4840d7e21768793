package minder

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"
)

// patience is how long the minder waits, at the end, for what it has killed. Only
// a process stuck in the kernel can use it up.
const patience = 30 * time.Second

// Main is the minder process: it serves requests from in until in ends, then kills
// all that it started, removes its temporary folder and returns. It belongs to a
// process that does nothing else: it takes over SIGCHLD, reaps every child, and
// ignores SIGINT, SIGTERM and SIGHUP, because whether a run ends is its owner's
// decision, and the owner tells by closing the pipe.
//
// The error says what could not be set up or removed.
func Main(in io.Reader, out io.Writer) error {
	// Caught and dropped, not set to be ignored: ignored signals stay ignored in
	// children. SIGPIPE is among them because the owner's death must not end the
	// minder before its work is done.
	ignored := make(chan os.Signal, 1)
	signal.Notify(ignored, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGPIPE)
	defer signal.Stop(ignored)

	if err := becomeSubreaper(); err != nil {
		return fmt.Errorf("minder: become the reaper of orphans: %w", err)
	}
	root, err := os.MkdirTemp("", "acklab-")
	if err != nil {
		return fmt.Errorf("minder: make the temporary folder: %w", err)
	}
	k := newKeeper(root, out)
	k.say(notice{Word: wordHello, Root: root})
	serveErr := k.serve(in)
	k.end()
	if err := os.RemoveAll(root); err != nil {
		return errors.Join(serveErr, fmt.Errorf("minder: remove the temporary folder: %w", err))
	}
	return serveErr
}

// keeper is the state of the minder process.
type keeper struct {
	root string

	saying sync.Mutex
	out    *json.Encoder

	// forking is held from a fork until the child is in the tables, and while
	// reaping, so that nobody reaps a child that is not known yet.
	// Lock order: forking, then mu.
	forking sync.Mutex

	// mu guards the tables and is held while signalling and while reaping, so that
	// a process id in the tables is never one that was reaped. It is not held
	// during a fork: a signal does not wait for a start.
	mu      sync.Mutex
	byID    map[uint64]*child
	byPid   map[int]*child
	closing bool

	starts  chan request
	sigchld chan os.Signal
	stop    chan struct{} // ends the reaper
	reaper  sync.WaitGroup
}

// child is a process that was started and not yet reaped.
type child struct {
	id    uint64
	pid   int
	stdin *stdin // nil without a pipe
}

func newKeeper(root string, out io.Writer) *keeper {
	k := &keeper{
		root:    root,
		out:     json.NewEncoder(out),
		byID:    map[uint64]*child{},
		byPid:   map[int]*child{},
		starts:  make(chan request),
		sigchld: make(chan os.Signal, 1),
		stop:    make(chan struct{}),
	}
	signal.Notify(k.sigchld, syscall.SIGCHLD)
	go k.spawner()
	k.reaper.Go(k.reapUntilStopped)
	return k
}

// say sends one line to the owner. An owner that is gone is no error here: the
// request pipe tells the same.
func (k *keeper) say(n notice) {
	k.saying.Lock()
	defer k.saying.Unlock()
	_ = k.out.Encode(n)
}

// serve answers requests until the owner closes the pipe.
func (k *keeper) serve(in io.Reader) error {
	lines := json.NewDecoder(in)
	for {
		var r request
		if err := lines.Decode(&r); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return fmt.Errorf("minder: read a request: %w", err)
		}
		switch r.Op {
		case opStart:
			go func() { k.starts <- r }() // a fork takes a millisecond; signals must not queue behind it
		case opSignal:
			k.signal(r)
		case opStdin:
			go k.feed(r)
		default:
			k.say(notice{Word: wordReply, ID: r.ID, Error: fmt.Sprintf("unknown request %q", r.Op)})
		}
	}
}

// signal sends a signal to a process or its group, if it was not reaped yet.
func (k *keeper) signal(r request) {
	k.mu.Lock()
	c := k.byID[r.Proc]
	var err error
	if c != nil && r.Group {
		err = syscall.Kill(-c.pid, r.Signal)
	} else if c != nil {
		err = syscall.Kill(c.pid, r.Signal)
	}
	k.mu.Unlock()
	answer := notice{Word: wordReply, ID: r.ID, Exited: c == nil}
	answer.blame(err)
	k.say(answer)
}

// feed writes to the standard input of a process.
func (k *keeper) feed(r request) {
	k.mu.Lock()
	c := k.byID[r.Proc]
	k.mu.Unlock()
	answer := notice{Word: wordReply, ID: r.ID}
	switch {
	case c == nil:
		answer.Exited = true
	case c.stdin == nil:
		answer.Error = "it was started without a pipe on its standard input"
	default:
		answer.blame(c.stdin.write(r.Data))
	}
	k.say(answer)
}

// blame puts err into the reply.
func (n *notice) blame(err error) {
	if err == nil {
		return
	}
	n.Error = err.Error()
	errors.As(err, &n.Errno)
}

// end kills everything and returns when the minder has no children left.
func (k *keeper) end() {
	k.mu.Lock()
	k.closing = true
	for pid := range k.byPid {
		_ = syscall.Kill(-pid, syscall.SIGKILL) // whole groups first, as one act
	}
	k.mu.Unlock()
	close(k.stop)
	k.reaper.Wait()

	deadline := time.NewTimer(patience)
	defer deadline.Stop()
	again := time.NewTicker(10 * time.Millisecond)
	defer again.Stop()
	for {
		k.killChildren()
		k.reapAll()
		if !hasChildren() {
			return
		}
		select {
		case <-k.sigchld:
		case <-again.C: // orphans arrive without a signal
		case <-deadline.C:
			return
		}
	}
}

// killChildren kills every direct child, adopted orphans included. Killing a child
// makes its own children ours, so the caller repeats this until none is left.
func (k *keeper) killChildren() {
	k.forking.Lock() // nobody reaps meanwhile: each id stays the child's own
	defer k.forking.Unlock()
	for _, pid := range children() {
		_ = syscall.Kill(pid, syscall.SIGKILL)
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	for pid := range k.byPid {
		_ = syscall.Kill(-pid, syscall.SIGKILL)
	}
}

func (k *keeper) reapUntilStopped() {
	for {
		select {
		case <-k.sigchld:
			k.reapAll()
		case <-k.stop:
			return
		}
	}
}

func (k *keeper) reapAll() {
	for {
		n, more := k.reapOne()
		if n != nil {
			k.say(*n)
		}
		if !more {
			return
		}
	}
}

// reapOne reaps one dead child, if there is one. The notice is nil for an orphan
// that was adopted.
func (k *keeper) reapOne() (*notice, bool) {
	k.forking.Lock()
	defer k.forking.Unlock()
	k.mu.Lock()
	defer k.mu.Unlock()
	pid, status, ok := collect(func(pid int) {
		if k.byPid[pid] != nil {
			_ = syscall.Kill(-pid, syscall.SIGKILL) // what is left of its group
		}
	})
	if !ok {
		return nil, false
	}
	c := k.byPid[pid]
	if c == nil {
		return nil, true
	}
	delete(k.byPid, pid)
	delete(k.byID, c.id)
	c.stdin.close()
	n := &notice{Word: wordExit, Proc: c.id, Pid: pid, Code: status.ExitStatus(), At: Now()}
	if status.Signaled() {
		n.Code, n.Signal = -1, status.Signal()
	}
	return n, true
}
