package minder

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"sync"
	"syscall"
)

// spawner starts processes one after another, on one OS thread that lives as long
// as the minder: the parent death signal fires when the *thread* that forked ends.
func (k *keeper) spawner() {
	runtime.LockOSThread()
	for r := range k.starts {
		answer := notice{Word: wordReply, ID: r.ID}
		pid, err := k.start(r)
		answer.Pid = pid
		answer.blame(err)
		k.say(answer)
	}
}

// start forks, executes, and enters the child into the tables.
func (k *keeper) start(r request) (int, error) {
	o := r.Start
	if o == nil || len(o.Argv) == 0 {
		return 0, errors.New("nothing to start")
	}
	f, err := openFiles(o)
	if err != nil {
		return 0, err
	}
	defer f.closeChildEnds()

	k.forking.Lock()
	defer k.forking.Unlock()
	k.mu.Lock()
	closing := k.closing
	k.mu.Unlock()
	if closing {
		f.stdin.close()
		return 0, errors.New("the minder is closing")
	}
	sys := leashed()
	if o.User != nil {
		sys.Credential = &syscall.Credential{Uid: o.User.UID, Gid: o.User.GID}
	}
	pid, err := syscall.ForkExec(o.Path, o.Argv, &syscall.ProcAttr{
		Dir: o.Dir, Env: o.Env, Files: f.child[:], Sys: sys,
	})
	if err != nil {
		f.stdin.close()
		return 0, fmt.Errorf("exec %s: %w", o.Path, err)
	}
	c := &child{id: r.Proc, pid: pid, stdin: f.stdin}
	k.mu.Lock()
	k.byID[c.id], k.byPid[pid] = c, c
	if k.closing { // the end came during the fork; its sweep waits for our lock
		_ = syscall.Kill(-pid, syscall.SIGKILL)
	}
	k.mu.Unlock()
	return pid, nil
}

// files are the standard streams of a child to be.
type files struct {
	child  [3]uintptr
	opened []*os.File
	stdin  *stdin
}

func openFiles(o *order) (f *files, err error) {
	f = &files{}
	defer func() {
		if err != nil {
			f.closeChildEnds()
			f.stdin.close()
		}
	}()
	if o.Stdin {
		r, w, err := os.Pipe()
		if err != nil {
			return f, fmt.Errorf("make a pipe for its standard input: %w", err)
		}
		f.stdin = &stdin{pipe: w}
		f.keep(0, r)
	} else if err := f.open(0, os.DevNull, os.O_RDONLY); err != nil {
		return f, err
	}
	if err := f.open(1, o.Stdout, os.O_WRONLY|os.O_APPEND|os.O_CREATE); err != nil {
		return f, err
	}
	if o.Stderr == o.Stdout {
		f.child[2] = f.child[1]
		return f, nil
	}
	return f, f.open(2, o.Stderr, os.O_WRONLY|os.O_APPEND|os.O_CREATE)
}

func (f *files) open(fd int, path string, flag int) error {
	if path == "" {
		path = os.DevNull
	}
	file, err := os.OpenFile(path, flag, 0o644)
	if err != nil {
		return err
	}
	f.keep(fd, file)
	return nil
}

func (f *files) keep(fd int, file *os.File) {
	f.opened = append(f.opened, file)
	f.child[fd] = file.Fd()
}

func (f *files) closeChildEnds() {
	for _, file := range f.opened {
		_ = file.Close()
	}
}

// stdin is the minder's end of the pipe on a child's standard input.
type stdin struct {
	order sync.Mutex // one writer at a time
	pipe  *os.File
}

// write waits while the pipe is full; the end of the child ends the wait.
func (s *stdin) write(p []byte) error {
	s.order.Lock()
	defer s.order.Unlock()
	_, err := s.pipe.Write(p)
	return err
}

func (s *stdin) close() {
	if s != nil {
		_ = s.pipe.Close()
	}
}
