package redisstore_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"acklab/scheduler"
	"acklab/scheduler/redisstore"
)

// A leader in a process of its own, that can be killed and frozen.

const (
	leaderURL   = "ACKLAB_TEST_LEADER"
	leaderLease = "ACKLAB_TEST_LEASE"
)

// beLeader makes this process a leader, and ends it after that, if a test has
// started it as one. It says what happens, a line each, and claims a tick every
// 10 ms while it believes that it leads.
func beLeader() {
	url := os.Getenv(leaderURL)
	if url == "" {
		return
	}
	length, err := time.ParseDuration(os.Getenv(leaderLease))
	if err == nil {
		err = leadForEver(url, length)
	}
	fmt.Println("error", err)
	os.Exit(1)
}

func leadForEver(url string, length time.Duration) error {
	s, err := redisstore.Open(url, redisstore.Options{Lease: length})
	if err != nil {
		return err
	}
	ctx := context.Background()
	tick := time.NewTicker(10 * time.Millisecond)
	for {
		l, err := s.Campaign(ctx)
		if err != nil {
			return err
		}
		fmt.Println("leads", l.Term())
		for leads := true; leads; {
			select {
			case <-l.Lost():
				fmt.Println("lost", l.Term())
				// What a leader would do that froze after it had looked.
				err := s.Claim(ctx, l.Term(), []scheduler.Tick{{Schedule: "late", Due: time.Now()}})
				fmt.Println("deposed", errors.Is(err, scheduler.ErrDeposed))
				leads = false
			case <-tick.C:
				if err := s.Claim(ctx, l.Term(), []scheduler.Tick{{Schedule: "ticks", Due: time.Now()}}); err != nil {
					fmt.Println("refused", errors.Is(err, scheduler.ErrDeposed))
				}
			}
		}
	}
}

// leader is such a process.
type leader struct {
	t     *testing.T
	cmd   *exec.Cmd
	lines chan string
}

func startLeader(t *testing.T, url string, length time.Duration) *leader {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	l := &leader{t: t, cmd: exec.Command(self), lines: make(chan string, 1000)}
	l.cmd.Env = append(os.Environ(), leaderURL+"="+url, leaderLease+"="+length.String())
	out, err := l.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := l.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		defer close(l.lines)
		for scan := bufio.NewScanner(out); scan.Scan(); {
			l.lines <- scan.Text()
		}
	}()
	t.Cleanup(func() {
		_ = l.cmd.Process.Kill()
		<-ended
		_ = l.cmd.Wait()
	})
	return l
}

func (l *leader) signal(s syscall.Signal) {
	l.t.Helper()
	if err := l.cmd.Process.Signal(s); err != nil {
		l.t.Fatal(err)
	}
}

// says waits for a line that begins with a word, and returns the rest.
func (l *leader) says(word string) string {
	l.t.Helper()
	end := time.NewTimer(patience)
	defer end.Stop()
	for {
		select {
		case line, open := <-l.lines:
			if !open {
				l.t.Fatalf("the leader ended before it said %q", word)
			}
			if rest, ok := strings.CutPrefix(line, word+" "); ok {
				return rest
			}
		case <-end.C:
			l.t.Fatalf("the leader did not say %q", word)
		}
	}
}

func (l *leader) term() scheduler.Term {
	l.t.Helper()
	term, err := strconv.ParseInt(l.says("leads"), 10, 64)
	if err != nil {
		l.t.Fatal(err)
	}
	return scheduler.Term(term)
}

func TestALeaderThatIsKilledIsFollowedWithinItsLease(t *testing.T) {
	t.Parallel()
	url := database(t)
	const lease = redisstore.MinLease
	first := startLeader(t, url, lease)
	before := first.term()
	second := startLeader(t, url, lease)
	<-time.After(lease) // it has renewed meanwhile
	first.signal(syscall.SIGKILL)
	at := time.Now()
	after := second.term()
	took := time.Since(at)
	t.Logf("followed %v after the kill; the lease is %v", took.Round(time.Millisecond), lease)
	if after <= before {
		t.Errorf("term %d after term %d", after, before)
	}
	if took > lease+5*time.Second { // a busy machine
		t.Errorf("followed after %v", took)
	}
}

func TestALeaderThatWasFrozenPastItsLeaseWritesNothingMore(t *testing.T) {
	t.Parallel()
	for _, lease := range []time.Duration{redisstore.MinLease, redisstore.DefaultLease} {
		t.Run(lease.String(), func(t *testing.T) {
			t.Parallel()
			freezePastLease(t, lease)
		})
	}
}

func freezePastLease(t *testing.T, lease time.Duration) {
	url := database(t)
	first := startLeader(t, url, lease)
	before := first.term()
	first.signal(syscall.SIGSTOP)
	at := time.Now()
	s := open(t, url, redisstore.Options{Lease: lease})
	l, err := s.Campaign(soon(t))
	if err != nil {
		t.Fatal(err)
	}
	if l.Term() <= before {
		t.Errorf("term %d after term %d", l.Term(), before)
	}
	if took := time.Since(at); took > lease+5*time.Second { // a busy machine
		t.Errorf("followed after %v", took)
	}
	frozen := len(mustStates(t, s)["ticks"].Pending)
	first.signal(syscall.SIGCONT)
	if term := first.says("lost"); term != strconv.FormatInt(int64(before), 10) {
		t.Errorf("it lost term %s; want %d", term, before)
	}
	if first.says("deposed") != "true" {
		t.Error("its claim for the old term was taken")
	}
	states := mustStates(t, s)
	if n := len(states["ticks"].Pending); n != frozen || len(states["late"].Pending) != 0 {
		t.Errorf("%d claims after the thaw; want %d: %v", n, frozen, states["late"])
	}
	if err := l.Resign(soon(t)); err != nil {
		t.Error(err)
	}
	if again := first.term(); again <= l.Term() {
		t.Errorf("term %d after term %d", again, l.Term())
	}
}

func mustStates(t *testing.T, s *redisstore.Store) map[string]scheduler.State {
	t.Helper()
	states, err := s.States(soon(t))
	if err != nil {
		t.Fatal(err)
	}
	return states
}
