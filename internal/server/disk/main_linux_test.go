package disk

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// The writer is this test binary, started again under strace: it does what a test
// says in its own folder, and then waits to be killed.
const writerWord = "be-the-writer"

func TestMain(m *testing.M) {
	if len(os.Args) == 3 && os.Args[1] == writerWord {
		writers[os.Args[2]]()
		fmt.Println("done")
		for { // until the power is cut
			_ = syscall.Pause()
		}
	}
	os.Exit(m.Run())
}

// trace runs a writer in a new folder under strace until it says that it is done,
// and kills it. before is what is in the folder first.
func trace(t *testing.T, writer string, before map[string]string) (*State, string) {
	t.Helper()
	if _, err := exec.LookPath("strace"); err != nil {
		t.Skip("strace is not installed; make test installs it (apt-get install strace)")
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	root, record := t.TempDir(), filepath.Join(t.TempDir(), "trace")
	for name, content := range before {
		must(os.MkdirAll(filepath.Dir(filepath.Join(root, name)), 0o755))
		must(os.WriteFile(filepath.Join(root, name), []byte(content), 0o644))
	}
	s, err := Look(root, "log")
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("strace", "-DD", "-f", "-q", "--seccomp-bpf", "-ttt", "-xx", "-s", "1000", "-e", "trace="+Calls, "-o", record, "--", self, writerWord, writer)
	cmd.Dir = root
	cmd.Env = append(os.Environ(), "GOCOVERDIR=") // a covered binary writes counters
	cmd.Stderr = os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if _, err := cmd.StdinPipe(); err != nil { // something to wait for
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	said := make([]byte, 64)
	n, _ := out.Read(said)
	if string(said[:n]) != "done\n" {
		t.Errorf("the writer says %q", said[:n])
	}
	tracer := holdTracer(t, cmd.Process.Pid)
	_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
	_ = cmd.Wait()
	if _, err := unix.Poll([]unix.PollFd{{Fd: int32(tracer), Events: unix.POLLIN}}, 10_000); err != nil {
		t.Fatal(err)
	}
	if err := s.Replay(record, root); err != nil {
		b, _ := os.ReadFile(record)
		t.Fatalf("replay: %v\n%s", err, tail(b))
	}
	return s, root
}

// holdTracer gives a descriptor that shows the end of a process' strace.
func holdTracer(t *testing.T, pid int) int {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(status), "TracerPid:")
	var by int
	if _, err := fmt.Sscan(rest, &by); err != nil || by == 0 {
		t.Fatalf("nobody traces the writer: %v", err)
	}
	fd, err := unix.PidfdOpen(by, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Close(fd) })
	return fd
}

func tail(b []byte) []byte { return b[max(0, len(b)-2000):] }

// must is for the writers, which have nobody to tell.
func must(err error) {
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
}

// open opens a file of the writer's.
func open(name string, flags int) int {
	fd, err := syscall.Open(name, flags, 0o644)
	must(err)
	return fd
}

func write(fd int, s string) {
	n, err := syscall.Write(fd, []byte(s))
	must(err)
	if n != len(s) {
		must(fmt.Errorf("%d of %d bytes written", n, len(s)))
	}
}

// cutDown does the power cut and compares what is left with want: path to content.
func cutDown(t *testing.T, s *State, root string, want map[string]string) Outcome {
	t.Helper()
	if err := s.Check(); err != nil {
		t.Fatal(err)
	}
	after, out := s.Cut()
	if err := after.Write(); err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	must(filepath.WalkDir(root, func(file string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(file)
		name, _ := filepath.Rel(root, file)
		got[name] = string(b)
		return err
	}))
	for name, content := range want {
		if is, there := got[name]; !there || is != content {
			t.Errorf("%s is %q (there: %v), want %q", name, is, there, content)
		}
	}
	for name, content := range got {
		if _, wanted := want[name]; !wanted {
			t.Errorf("%s is there with %q, want no such file", name, content)
		}
	}
	if err := after.Check(); err != nil {
		t.Errorf("what was written is not what was to be: %v", err)
	}
	return out
}
