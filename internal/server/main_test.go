package server

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"acklab/internal/minder"
)

func TestMain(m *testing.M) {
	if len(os.Args) == 2 && os.Args[1] == "minder" {
		if err := minder.Main(os.Stdin, os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	goleak.VerifyTestMain(m)
}

// keep starts a minder for one test, and checks in the end that nothing is left of
// what it had started.
func keep(t *testing.T) *minder.Minder {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	m, err := minder.Start(t.Context(), self, "minder")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := m.Close(); err != nil {
			t.Error(err)
		}
		if left := mentioning(m.Root()); len(left) > 0 {
			t.Errorf("processes are left: %v", left)
		}
		if _, err := os.Stat(m.Root()); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("the temporary folder is left: %v", err)
		}
	})
	return m
}

// mentioning lists the processes whose command line or environment names a folder.
func mentioning(folder string) []string {
	entries, _ := os.ReadDir("/proc") // none on a system without it
	var found []string
	for _, e := range entries {
		cmdline, _ := os.ReadFile("/proc/" + e.Name() + "/cmdline")
		environ, _ := os.ReadFile("/proc/" + e.Name() + "/environ")
		if strings.Contains(string(cmdline), folder) || strings.Contains(string(environ), folder) {
			found = append(found, e.Name()+" "+strings.ReplaceAll(string(cmdline), "\x00", " "))
		}
	}
	return found
}

func needRedis(t *testing.T) {
	t.Helper()
	if _, err := FindRedis(); err != nil {
		t.Skip(err, "; make test installs it (apt-get install redis-server)")
	}
}

func needRabbit(t *testing.T) {
	t.Helper()
	if _, err := FindRabbit(); err != nil {
		t.Skip(err, "; make test installs it (apt-get install rabbitmq-server)")
	}
}

func startRedis(t *testing.T, m *minder.Minder, o RedisOptions) *Redis {
	t.Helper()
	needRedis(t)
	began := time.Now()
	r, err := StartRedis(t.Context(), m, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("redis %s, persistence %q: ready after %v", r.Version(t.Context()), o.Persistence, time.Since(began))
	return r
}

func startRabbit(t *testing.T, m *minder.Minder, o RabbitOptions) *Rabbit {
	t.Helper()
	needRabbit(t)
	began := time.Now()
	r, err := StartRabbit(t.Context(), m, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("rabbitmq %s, %+v: ready after %v", r.Version(t.Context()), o.Plugins, time.Since(began))
	return r
}

// do fails the test if err is not nil.
func do(t *testing.T, what string, err error) {
	t.Helper()
	if err != nil {
		t.Fatalf("%s: %v", what, err)
	}
}

// reboot boots and says how long it took.
func reboot(t *testing.T, s Server) {
	t.Helper()
	began := time.Now()
	do(t, "boot", s.Boot(t.Context()))
	t.Logf("%s: ready again after %v", s.Name(), time.Since(began))
	do(t, "probe after the boot", s.Probe(t.Context()))
}

// shortly is a context that ends soon.
func shortly(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	t.Cleanup(cancel)
	return ctx
}

// lives is the life of any server: probed, frozen, thawed, killed, booted, stopped,
// booted, closed.
func lives(t *testing.T, s Server) {
	t.Helper()
	ctx := t.Context()
	do(t, "probe", s.Probe(ctx))
	addr, dir, pid := s.Addr(), s.Dir(), s.Pid()
	if err := s.Boot(ctx); !errors.Is(err, ErrRunning) {
		t.Errorf("boot of a running server: %v, want ErrRunning", err)
	}
	if _, err := os.Stat(s.LogFile()); err != nil {
		t.Errorf("its log: %v", err)
	}

	do(t, "freeze", s.Freeze(ctx))
	if err := s.Probe(shortly(t)); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("probe of a frozen server: %v, want DeadlineExceeded", err)
	}
	if !s.Alive() {
		t.Error("a frozen server counts as dead")
	}
	do(t, "thaw", s.Thaw(ctx))
	do(t, "probe after the thaw", s.Probe(ctx))

	do(t, "kill", s.Kill(ctx))
	if e := s.Process().Exit(); e.Signal.String() != "killed" || s.Alive() {
		t.Errorf("after the kill: %v, alive %v", e, s.Alive())
	}
	for what, err := range map[string]error{
		"probe": s.Probe(ctx), "kill": s.Kill(ctx), "stop": s.Stop(ctx), "freeze": s.Freeze(ctx), "thaw": s.Thaw(ctx),
	} {
		if !errors.Is(err, ErrNotRunning) {
			t.Errorf("%s of a dead server: %v, want ErrNotRunning", what, err)
		}
	}

	reboot(t, s)
	if s.Addr() != addr || s.Dir() != dir || s.Pid() == pid {
		t.Errorf("after the boot: %s %s %d, before: %s %s %d", s.Addr(), s.Dir(), s.Pid(), addr, dir, pid)
	}
	began := time.Now()
	do(t, "stop", s.Stop(ctx))
	t.Logf("%s: stopped politely in %v with %v", s.Name(), time.Since(began), s.Process().Exit())
	if e := s.Process().Exit(); e.Code != 0 || e.Signal != 0 {
		t.Errorf("after a polite stop: %v", e)
	}
	reboot(t, s)

	do(t, "freeze", s.Freeze(ctx))
	do(t, "close, while frozen", s.Close(ctx))
	do(t, "close again", s.Close(ctx))
	if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("its folder after Close: %v", err)
	}
	if err := s.Boot(ctx); !errors.Is(err, ErrClosed) {
		t.Errorf("boot of a closed server: %v, want ErrClosed", err)
	}
}
