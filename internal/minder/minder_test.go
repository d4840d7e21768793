package minder_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"acklab/internal/minder"
)

// TestMain is three programs: the tests, a minder, and an owner of a minder that
// is there to be killed.
func TestMain(m *testing.M) {
	if len(os.Args) == 2 {
		switch os.Args[1] {
		case "minder":
			if err := minder.Main(os.Stdin, os.Stdout); err != nil {
				fmt.Fprintln(os.Stderr, err)
				os.Exit(1)
			}
			os.Exit(0)
		case "owner":
			ownAndWait()
		}
	}
	goleak.VerifyTestMain(m)
}

// family is a process with a child in its group and one that left for a session of
// its own, two generations deep.
var family = []string{"sh", "-c", "sleep 1000 & setsid sh -c 'sleep 1000 & sleep 1000' & wait"}

// owned is what the owner tells the test.
type owned struct {
	Root string
	Pids []int
}

// ownAndWait is the owner: it starts families and waits to be killed.
func ownAndWait() {
	m := must(minder.Start(context.Background(), must(os.Executable()), "minder"))
	o := owned{Root: m.Root()}
	for range 3 {
		p := must(m.Run(minder.Spec{Argv: family, Dir: must(m.TempDir("family"))}))
		o.Pids = append(o.Pids, p.Pid())
	}
	if err := json.NewEncoder(os.Stdout).Encode(o); err != nil {
		panic(err)
	}
	select {}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func start(t *testing.T) *minder.Minder {
	t.Helper()
	m, err := minder.Start(t.Context(), must(os.Executable()), "minder")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := m.Close(); err != nil {
			t.Error(err)
		}
		if _, err := os.Stat(m.Root()); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("the temporary folder is still there: %v", err)
		}
	})
	return m
}

func run(t *testing.T, m *minder.Minder, s minder.Spec) *minder.Process {
	t.Helper()
	p, err := m.Run(s)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func awaitExit(t *testing.T, p *minder.Process) minder.Exit {
	t.Helper()
	select {
	case <-p.Done():
		return p.Exit()
	case <-time.After(30 * time.Second):
		t.Fatalf("%s (pid %d) did not end", p.Name(), p.Pid())
		return minder.Exit{}
	}
}

// descendants of roots that are alive; zombies do not count.
func descendants(t *testing.T, roots ...int) []int {
	t.Helper()
	parent := map[int]int{}
	entries, err := os.ReadDir("/proc")
	if err != nil {
		t.Skip("needs /proc: run the tests on Linux")
	}
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		if state, ppid := stat(pid); state != "" && state != "Z" && state != "X" {
			parent[pid] = ppid
		}
	}
	under := map[int]bool{}
	for _, r := range roots {
		under[r] = true
	}
	var found []int
	for grew := true; grew; {
		grew = false
		for pid, ppid := range parent {
			if under[ppid] && !under[pid] {
				under[pid], grew = true, true
				found = append(found, pid)
			}
		}
	}
	for _, r := range roots {
		if _, ok := parent[r]; ok {
			found = append(found, r)
		}
	}
	return found
}

func stat(pid int) (state string, ppid int) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return "", 0
	}
	f := strings.Fields(string(b[strings.LastIndexByte(string(b), ')')+1:]))
	ppid, _ = strconv.Atoi(f[1])
	return f[0], ppid
}

// eventually waits until ok holds.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	deadline := time.Now().Add(30 * time.Second)
	for !ok() {
		if time.Now().After(deadline) {
			t.Fatalf("not within 30 s: %s", what)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// dead reports whether none of the processes is alive (zombies are not).
func dead(pids []int) bool {
	for _, pid := range pids {
		if state, _ := stat(pid); state != "" && state != "Z" && state != "X" {
			return false
		}
	}
	return true
}

func TestNothingSurvivesAnOwnerThatIsKilledWithSIGKILL(t *testing.T) {
	t.Parallel()
	owner := exec.Command(must(os.Executable()), "owner")
	out, err := owner.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := owner.Start(); err != nil {
		t.Fatal(err)
	}
	var o owned
	line, err := bufio.NewReader(out).ReadBytes('\n')
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(line, &o); err != nil {
		t.Fatal(err)
	}
	var all []int
	eventually(t, "three families of 5 processes are complete", func() bool {
		all = descendants(t, o.Pids...)
		return len(all) == 15
	})
	_, keeper := stat(o.Pids[0])
	all = append(all, keeper)

	if err := owner.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = owner.Wait()
	eventually(t, "all processes and the minder are gone", func() bool { return dead(all) })
	if _, err := os.Stat(o.Root); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the temporary folder %s is still there (%v)", o.Root, err)
	}
}

func TestCloseEndsOrphansThatLeftTheirGroup(t *testing.T) {
	t.Parallel()
	m := start(t)
	p := run(t, m, minder.Spec{Argv: family})
	var all []int
	eventually(t, "the family is complete", func() bool {
		all = descendants(t, p.Pid())
		return len(all) == 5
	})
	if err := p.Kill(t.Context()); err != nil {
		t.Fatal(err)
	}
	if dead(all) {
		t.Fatal("the session of its own died with the group; the test shows nothing")
	}
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
	if !dead(all) {
		t.Error("an orphan survived Close")
	}
	if _, err := m.Run(minder.Spec{Argv: family}); !errors.Is(err, minder.ErrGone) {
		t.Errorf("Run after Close: %v, want ErrGone", err)
	}
}

func TestMinderIgnoresInterruptAndTerm(t *testing.T) {
	t.Parallel()
	m := start(t)
	p := run(t, m, minder.Spec{Argv: []string{"sleep", "1000"}})
	_, keeper := stat(p.Pid())
	if keeper == 0 {
		t.Skip("needs /proc: run the tests on Linux")
	}
	for _, s := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGPIPE} {
		if err := syscall.Kill(keeper, s); err != nil {
			t.Fatal(err)
		}
	}
	if q := run(t, m, minder.Spec{Argv: []string{"true"}}); awaitExit(t, q).Code != 0 {
		t.Error("no process could be started after the signals")
	}
	if !p.Alive() {
		t.Error("the child died with the signals")
	}
	if sid, err := syscall.Getpgid(keeper); err != nil || sid != keeper {
		t.Errorf("the minder is in group %d (%v), want its own, %d", sid, err, keeper)
	}
}

func TestChildrenHaveTheSignalsAtTheirDefaults(t *testing.T) {
	t.Parallel()
	m := start(t)
	for _, s := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGPIPE} {
		p := run(t, m, minder.Spec{Argv: []string{"sleep", "1000"}})
		if err := p.Signal(s); err != nil {
			t.Fatal(err)
		}
		if e := awaitExit(t, p); e.Signal != s {
			t.Errorf("sent %v, ended by %v", s, e)
		}
	}
}

func TestExitsAreReportedWithCodeOrSignal(t *testing.T) {
	t.Parallel()
	m := start(t)
	before := minder.Now()
	e := awaitExit(t, run(t, m, minder.Spec{Argv: []string{"sh", "-c", "exit 7"}}))
	if e.Code != 7 || e.Signal != 0 || e.Err != nil || e.At < before || e.At > minder.Now() {
		t.Errorf("exit 7 was reported as %+v", e)
	}
	if got := e.String(); got != "exit status 7" {
		t.Errorf("String() = %q", got)
	}

	p := run(t, m, minder.Spec{Argv: []string{"sleep", "1000"}})
	if err := p.Kill(t.Context()); err != nil {
		t.Fatal(err)
	}
	if e := p.Exit(); e.Code != -1 || e.Signal != syscall.SIGKILL {
		t.Errorf("a kill was reported as %+v", e)
	}
	if err := p.Signal(syscall.SIGTERM); !errors.Is(err, minder.ErrExited) {
		t.Errorf("signal after the end: %v, want ErrExited", err)
	}
	if err := p.Kill(t.Context()); err != nil {
		t.Errorf("kill after the end: %v", err)
	}
}

func TestTheRestOfAGroupEndsWithItsLeader(t *testing.T) {
	t.Parallel()
	m := start(t)
	dir := must(m.TempDir("group"))
	p := run(t, m, minder.Spec{Argv: []string{"sh", "-c", "sleep 1000 & echo $!"}, Dir: dir, Stdout: "out"})
	if e := awaitExit(t, p); e.Code != 0 {
		t.Fatalf("the leader: %v", e)
	}
	child, err := strconv.Atoi(strings.TrimSpace(string(must(os.ReadFile(filepath.Join(dir, "out"))))))
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "the leader's child is dead", func() bool { return dead([]int{child}) })
}

func TestTerminateIsPoliteFirst(t *testing.T) {
	t.Parallel()
	m := start(t)
	dir := must(m.TempDir("polite"))
	trap := func(action, ready string) *minder.Process {
		p := run(t, m, minder.Spec{Argv: []string{"sh", "-c", "trap '" + action + "' TERM; : > " + ready + "; while :; do sleep 0.01; done"}, Dir: dir})
		eventually(t, "the trap is set", func() bool { _, err := os.Stat(filepath.Join(dir, ready)); return err == nil })
		return p
	}
	e, err := trap("exit 3", "a").Terminate(t.Context(), time.Minute)
	if err != nil || e.Code != 3 {
		t.Errorf("a polite process: %v, %v", e, err)
	}
	e, err = trap("", "b").Terminate(t.Context(), 50*time.Millisecond)
	if err != nil || e.Signal != syscall.SIGKILL {
		t.Errorf("a deaf process: %v, %v", e, err)
	}
	deaf := trap("", "c")
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err = deaf.Terminate(ctx, time.Minute); !errors.Is(err, context.DeadlineExceeded) || !deaf.Alive() {
		t.Errorf("the context ended before the grace: %v, alive %v", err, deaf.Alive())
	}
}

func TestFiftyConcurrentStartsAreCheap(t *testing.T) {
	t.Parallel()
	m := start(t)
	began := time.Now()
	var wg sync.WaitGroup
	for i := range 50 {
		wg.Go(func() {
			p, err := m.Run(minder.Spec{Argv: []string{"sh", "-c", fmt.Sprintf("exit %d", i)}})
			if err != nil {
				t.Error(err)
				return
			}
			<-p.Done()
			if e := p.Exit(); e.Code != i || e.Signal != 0 {
				t.Errorf("exit %d was reported as %v", i, e)
			}
		})
	}
	wg.Wait()
	t.Logf("50 concurrent starts and exits: %v", time.Since(began))
	var starts time.Duration
	for range 20 {
		began := time.Now()
		p := run(t, m, minder.Spec{Argv: []string{"true"}})
		starts += time.Since(began)
		awaitExit(t, p)
	}
	t.Logf("one start: %v", starts/20)
}

func TestAnUnknownProgramIsAClearError(t *testing.T) {
	t.Parallel()
	m := start(t)
	for name, c := range map[string]struct {
		spec minder.Spec
		is   error
		says string
	}{
		"not in PATH":      {minder.Spec{Name: "redis", Argv: []string{"no-such-server"}}, exec.ErrNotFound, "start redis: "},
		"no such file":     {minder.Spec{Argv: []string{"/no/such/server"}}, os.ErrNotExist, "start /no/such/server: "},
		"not executable":   {minder.Spec{Argv: []string{"/etc/passwd"}}, os.ErrPermission, "/etc/passwd"},
		"no such folder":   {minder.Spec{Argv: []string{"true"}, Dir: "/no/such/folder"}, os.ErrNotExist, "working directory"},
		"no such log":      {minder.Spec{Argv: []string{"true"}, Stdout: "/no/such/folder/log"}, syscall.ENOENT, "/no/such/folder/log"},
		"no such log (2)":  {minder.Spec{Argv: []string{"true"}, Stdin: true, Stderr: "/no/such/folder/log"}, syscall.ENOENT, "/no/such/folder/log"},
		"no command line":  {minder.Spec{Name: "nothing"}, nil, "no command line"},
		"no first word":    {minder.Spec{Argv: []string{""}}, nil, "no command line"},
		"a bad executable": {minder.Spec{Argv: []string{badExecutable(t)}}, syscall.ENOEXEC, "exec format error"},
	} {
		_, err := m.Run(c.spec)
		if err == nil || c.is != nil && !errors.Is(err, c.is) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v (want %v, with %q)", name, err, c.is, c.says)
		}
	}
}

func badExecutable(t *testing.T) string {
	path := filepath.Join(t.TempDir(), "bad")
	if err := os.WriteFile(path, []byte("\x00\x01\x02"), 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestStandardInputOutputAndEnvironment(t *testing.T) {
	t.Parallel()
	m := start(t)
	dir := must(m.TempDir("streams/with slash"))
	out := filepath.Join(dir, "out")
	p := run(t, m, minder.Spec{Argv: []string{"cat"}, Dir: dir, Stdin: true, Stdout: "out", Stderr: "out"})
	for _, line := range []string{"one\n", "two\n"} {
		if err := p.WriteStdin([]byte(line)); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, "cat has written", func() bool { b, _ := os.ReadFile(out); return string(b) == "one\ntwo\n" })
	if err := p.Kill(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := p.WriteStdin([]byte("three\n")); !errors.Is(err, minder.ErrExited) {
		t.Errorf("write after the end: %v, want ErrExited", err)
	}

	p = run(t, m, minder.Spec{Argv: []string{"sh", "-c", "cat; env | cut -d= -f1 | sort; echo $HOME $TMPDIR $A; echo oops >&2"},
		Dir: dir, Env: []string{"A=b"}, Stdout: "env", Stderr: "err"})
	if err := p.WriteStdin([]byte("x")); err == nil {
		t.Error("write without a pipe: no error")
	}
	awaitExit(t, p)
	if got, want := string(must(os.ReadFile(filepath.Join(dir, "env")))), "A\nHOME\nLANG\nPATH\nPWD\nTMPDIR\n"+dir+" "+m.Root()+" b\n"; got != want {
		t.Errorf("environment:\n%swant:\n%s", got, want)
	}
	if got := string(must(os.ReadFile(filepath.Join(dir, "err")))); got != "oops\n" {
		t.Errorf("standard error: %q", got)
	}
}

func TestAFullStandardInputDoesNotBlockOthers(t *testing.T) {
	t.Parallel()
	m := start(t)
	p := run(t, m, minder.Spec{Argv: []string{"sleep", "1000"}, Stdin: true})
	wrote := make(chan error, 1)
	go func() { wrote <- p.WriteStdin(make([]byte, 1<<20)) }()
	for range 10 {
		awaitExit(t, run(t, m, minder.Spec{Argv: []string{"true"}}))
	}
	select {
	case err := <-wrote:
		t.Fatalf("a megabyte into a pipe that nobody reads: %v", err)
	default:
	}
	if err := p.Kill(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := <-wrote; err == nil {
		t.Error("the write to a killed process succeeded")
	}
}

func TestFreezeStopsEveryThread(t *testing.T) {
	t.Parallel()
	m := start(t)
	p := run(t, m, minder.Spec{ // a program with threads
		Argv: []string{must(os.Executable()), "minder"}, Env: []string{"TMPDIR=" + m.Root()}, Stdin: true,
	})
	if err := p.Freeze(t.Context()); err != nil {
		t.Fatal(err)
	}
	if is, err := p.Frozen(); err != nil || !is {
		t.Errorf("after Freeze: %v, %v", is, err)
	}
	if err := p.Thaw(t.Context()); err != nil {
		t.Fatal(err)
	}
	if is, err := p.Frozen(); err != nil || is {
		t.Errorf("after Thaw: %v, %v", is, err)
	}
	if err := p.Freeze(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := p.Kill(t.Context()); err != nil { // also ends what is frozen
		t.Fatal(err)
	}
	if err := p.Freeze(t.Context()); !errors.Is(err, minder.ErrExited) {
		t.Errorf("freeze after the end: %v, want ErrExited", err)
	}
	if _, err := p.Frozen(); !errors.Is(err, minder.ErrExited) {
		t.Errorf("state after the end: %v, want ErrExited", err)
	}
}

func TestFoldersAreMadeAndRemovedInsideRootOnly(t *testing.T) {
	t.Parallel()
	m := start(t)
	a, b := must(m.TempDir("redis")), must(m.TempDir("redis"))
	if a == b || filepath.Dir(a) != m.Root() || !strings.HasPrefix(filepath.Base(a), "redis-") {
		t.Errorf("folders %s, %s", a, b)
	}
	if err := os.WriteFile(filepath.Join(a, "file"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := m.Remove(a); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(a); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("still there: %v", err)
	}
	for _, foreign := range []string{m.Root(), t.TempDir(), filepath.Join(m.Root(), ".."), filepath.Join(b, "..", "..", "x"), ""} {
		if err := m.Remove(foreign); err == nil {
			t.Errorf("removed %q", foreign)
		}
	}
}

func TestStartFailsWhenTheProgramIsNoMinder(t *testing.T) {
	t.Parallel()
	if _, err := minder.Start(t.Context(), "/no/such/program"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no program: %v", err)
	}
	if _, err := minder.Start(t.Context(), "echo", "hello"); err == nil || !strings.Contains(err.Error(), "exit status 0") {
		t.Errorf("a program that ends: %v", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := minder.Start(ctx, "sleep", "1000"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a program that says nothing: %v", err)
	}
	if _, err := minder.Start(t.Context()); err == nil {
		t.Error("no command line: no error")
	}
}

func TestAMinderThatDiesEndsEveryWait(t *testing.T) {
	t.Parallel()
	m, err := minder.Start(t.Context(), must(os.Executable()), "minder")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(m.Root()) // a minder killed with SIGKILL cannot do it
	p := run(t, m, minder.Spec{Argv: []string{"sleep", "1000"}})
	_, keeper := stat(p.Pid())
	if keeper == 0 {
		t.Skip("needs /proc: run the tests on Linux")
	}
	if err := syscall.Kill(keeper, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if e := awaitExit(t, p); !errors.Is(e.Err, minder.ErrGone) {
		t.Errorf("exit: %v, want ErrGone", e)
	}
	<-m.Done()
	if err := p.Kill(t.Context()); !errors.Is(err, minder.ErrGone) {
		t.Errorf("kill: %v, want ErrGone", err)
	}
	if err := m.Close(); err == nil || !strings.Contains(err.Error(), "signal: killed") {
		t.Errorf("close: %v", err)
	}
	eventually(t, "the child died with the minder", func() bool { return dead([]int{p.Pid()}) })
}

func TestAProcessRunsAsTheUserThatIsNamed(t *testing.T) {
	t.Parallel()
	m := start(t)
	dir := must(m.TempDir("user"))
	const nobody = 65534
	p, err := m.Run(minder.Spec{Argv: []string{"sh", "-c", "id -u; id -g; id -G"}, Dir: "/", Stdout: filepath.Join(dir, "out"), User: &minder.User{UID: nobody, GID: nobody}})
	if os.Geteuid() != 0 {
		if !errors.Is(err, syscall.EPERM) {
			t.Errorf("without the right to: %v, want EPERM", err)
		}
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	if e := awaitExit(t, p); e.Code != 0 {
		t.Errorf("it ended with %v", e)
	}
	if got := string(must(os.ReadFile(filepath.Join(dir, "out")))); got != "65534\n65534\n65534\n" {
		t.Errorf("user, group and groups are %q", got)
	}
}
