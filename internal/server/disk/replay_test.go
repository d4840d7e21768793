package disk

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// hexed writes what stands between backquotes as strace -xx does.
func hexed(trace string) string {
	var b strings.Builder
	for i, part := range strings.Split(trace, "`") {
		if i%2 == 0 {
			b.WriteString(part)
			continue
		}
		b.WriteByte('"')
		for _, c := range []byte(part) {
			fmt.Fprintf(&b, `\x%02x`, c)
		}
		b.WriteByte('"')
	}
	return b.String()
}

// replayed replays a trace that was written by hand: each line gets a second of its
// own, the first is second 1.
func replayed(t *testing.T, trace string, aged ...int64) (*State, error) {
	t.Helper()
	root := t.TempDir()
	var b strings.Builder
	for i, line := range strings.Split(strings.TrimSpace(trace), "\n") {
		pid, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		fmt.Fprintf(&b, "%s %d.000000 %s\n", pid, i+1, hexed(rest))
	}
	file := filepath.Join(t.TempDir(), "trace")
	if err := os.WriteFile(file, []byte(b.String()), 0o644); err != nil {
		t.Fatal(err)
	}
	s, err := Look(root)
	if err != nil {
		t.Fatal(err)
	}
	return s, s.Replay(file, root, aged...)
}

const beginning = "1 openat(AT_FDCWD, `f`, O_WRONLY|O_CREAT|O_APPEND, 0644) = 3\n"

func TestASyncCoversWhatHadReturnedBeforeItWasEntered(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ trace, kept string }{
		"in one thread": {`
			1 write(3, ` + "`abc`" + `, 3) = 3
			1 fdatasync(3) = 0
			1 write(3, ` + "`def`" + `, 3) = 3`, "abc"},
		"a write that had not returned": {`
			1 clone(child_stack=NULL, flags=CLONE_VM|CLONE_FS|CLONE_FILES|CLONE_THREAD) = 2
			1 write(3, ` + "`abc`" + `, 3 <unfinished ...>
			2 fdatasync(3 <unfinished ...>
			1 <... write resumed>) = 3
			2 <... fdatasync resumed>) = 0
			2 +++ exited with 0 +++`, ""},
		"a write during the sync": {`
			1 clone(child_stack=NULL, flags=CLONE_VM|CLONE_FS|CLONE_FILES|CLONE_THREAD) = 2
			1 write(3, ` + "`abc`" + `, 3) = 3
			2 fsync(3 <unfinished ...>
			1 write(3, ` + "`def`" + `, 3) = 3
			2 <... fsync resumed>) = 0
			2 +++ exited with 0 +++`, "abc"},
		"a sync that failed": {`
			1 write(3, ` + "`abc`" + `, 3) = 3
			1 fsync(3) = -1 EIO (Input/output error)`, ""},
		"a sync that was under way": {`
			1 write(3, ` + "`abc`" + `, 3) = 3
			1 fsync(3 <unfinished ...>`, ""},
		"a sync whose end nobody saw": {`
			1 write(3, ` + "`abc`" + `, 3) = 3
			1 fsync(3) = ?`, ""},
		"sync_file_range promises nothing": {`
			1 write(3, ` + "`abc`" + `, 3) = 3
			1 sync_file_range(3, 0, 3, SYNC_FILE_RANGE_WRITE) = 0`, ""},
		"a write that is restarted": {`
			1 write(3, ` + "`abc`" + `, 3) = ? ERESTARTSYS (To be restarted if SA_RESTART is set)
			1 write(3, ` + "`abc`" + `, 3) = 3
			1 fsync(3) = 0`, "abc"},
		"another file's sync": {`
			1 openat(AT_FDCWD, ` + "`g`" + `, O_WRONLY|O_CREAT, 0644) = 4
			1 write(3, ` + "`abc`" + `, 3) = 3
			1 fsync(4) = 0`, ""},
		"a child that writes before its birth is printed": {`
			1 clone(child_stack=NULL, flags=CLONE_CHILD_CLEARTID|SIGCHLD <unfinished ...>
			2 write(3, ` + "`abc`" + `, 3) = 3
			2 close(3) = 0
			1 <... clone resumed>, child_tidptr=0x7f) = 2
			2 +++ exited with 0 +++
			1 --- SIGCHLD {si_signo=SIGCHLD, si_code=CLD_EXITED, si_pid=2} ---
			1 write(3, ` + "`def`" + `, 3) = 3
			1 fsync(3) = 0`, "abcdef"},
		"a process id that is used twice": {`
			1 fork() = 2
			2 close(3) = 0
			2 +++ exited with 0 +++
			1 vfork() = 2
			2 write(3, ` + "`abc`" + `, 3) = 3
			2 +++ killed by SIGTERM +++
			1 fsync(3) = 0`, "abc"},
		"a thread that executes and takes over the id of the first": {`
			1 fcntl(3, F_DUPFD_CLOEXEC, 9) = 9
			1 clone(child_stack=NULL, flags=CLONE_VM|CLONE_FS|CLONE_FILES|CLONE_THREAD) = 2
			1 read(0,  <unfinished ...>
			2 execve(` + "`x`, [`x`]" + `, 0x7f /* 9 vars */ <pid changed to 1 ...>
			1 +++ superseded by execve in pid 2 +++
			1 <... execve resumed>) = 0
			1 write(9, ` + "`abc`" + `, 3) = 3
			1 write(3, ` + "`def`" + `, 3) = 3
			1 fsync(3) = 0`, "def"},
		"a positioned write to a file that appends": {`
			1 write(3, ` + "`abc`" + `, 3) = 3
			1 pwrite64(3, ` + "`def`" + `, 3, 0) = 3
			1 fsync(3) = 0`, "abcdef"},
		"RWF_DSYNC": {`
			1 pwritev2(3, [{iov_base=` + "`abc`" + `, iov_len=3}], 1, -1, RWF_DSYNC) = 3
			1 pwritev2(3, [{iov_base=` + "`def`" + `, iov_len=3}], 1, -1, 0) = 3`, "abc"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, err := replayed(t, beginning+strings.TrimSpace(c.trace)+"\n1 +++ killed by SIGKILL +++")
			if err != nil {
				t.Fatal(err)
			}
			n := s.names["f"]
			if got := string(n.content(n.synced)); got != c.kept {
				t.Errorf("durable is %q, want %q", got, c.kept)
			}
		})
	}
}

func TestDataSyncOfAFileThatHasNotGrownReachesItsCreationOnly(t *testing.T) {
	t.Parallel()
	for call, undone := range map[string]int{"fsync": 0, "fdatasync": 1} {
		s, err := replayed(t, beginning+`1 write(3, `+"`abc`"+`, 3) = 3
			1 fsync(3) = 0
			1 rename(`+"`f`, `g`"+`) = 0
			1 `+call+`(3) = 0
			1 +++ killed by SIGKILL +++`)
		if err != nil {
			t.Fatal(err)
		}
		if _, out := s.Cut(); len(out.Undone) != undone {
			t.Errorf("after %s %d changes of names are undone, want %d: %v", call, len(out.Undone), undone, out.Undone)
		}
	}
}

func TestWhatIsLongAgoIsDurable(t *testing.T) {
	t.Parallel()
	trace := beginning + `1 write(3, ` + "`abc`" + `, 3) = 3
		1 write(3, ` + "`def`" + `, 3) = 3
		1 +++ killed by SIGKILL +++`
	for second, want := range map[int64]File{
		0: {Before: 6, After: -1, Lost: 6, Age: 2 * time.Second},
		1: {Before: 6, After: 0, Lost: 6, Age: 2 * time.Second},
		2: {Before: 6, After: 3, Lost: 3, Age: time.Second},
		9: {Before: 6, After: 6},
	} {
		s, err := replayed(t, trace, second*1_000_000)
		if err != nil {
			t.Fatal(err)
		}
		want.Path, want.Written = "f", 6
		if _, out := s.Cut(); len(out.Files) != 1 || out.Files[0] != want {
			t.Errorf("when second %d is long ago: %+v, want %+v", second, out.Files, want)
		}
	}
}

func TestAWriteThatWasUnderWayMayBeThereOrNot(t *testing.T) {
	t.Parallel()
	trace := beginning + `1 write(3, ` + "`abc`" + `, 3) = 3
		1 write(3, ` + "`def`" + `, 3 <unfinished ...>
		1 +++ killed by SIGKILL +++`
	for actual, good := range map[string]bool{"abc": true, "abcd": true, "abcdef": true, "ab": false, "abcx": false, "abcdefg": false} {
		s, err := replayed(t, trace)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(s.file("f"), []byte(actual), 0o644); err != nil {
			t.Fatal(err)
		}
		if err := s.Check(); (err == nil) != good {
			t.Errorf("%q on the disk: %v, want good %v", actual, err, good)
		}
		if !good {
			continue
		}
		if err := s.Settle(); err != nil {
			t.Fatal(err)
		}
		n := s.names["f"]
		if got := string(n.content(len(n.changes))); got != actual || n.synced != 0 {
			t.Errorf("%q on the disk is taken as %q, of which %d changes are synced", actual, got, n.synced)
		}
	}
}

func TestATraceThatIsNotWholeIsRefused(t *testing.T) {
	t.Parallel()
	for trace, why := range map[string]string{
		beginning: "ends before its processes do",
		beginning + "2 close(3) = 0\n1 +++ killed by SIGKILL +++":              "who started process 2",
		beginning + "1 write(3, `abc`, 3) = 4\n1 +++ killed by SIGKILL +++":    "4 bytes were written, the trace has 3",
		beginning + "1 write(3, `abc`, 3":                                      "not a line of strace",
		beginning + "1 <... write resumed>) = 3":                               "goes on in thread 1",
		beginning + "1 openat(77, `x`, O_RDONLY) = 4\n1 +++ exited with 0 +++": "did not see opened",
	} {
		if _, err := replayed(t, trace); err == nil || !strings.Contains(err.Error(), why) {
			t.Errorf("%s\ngives %v, want %q", trace, err, why)
		}
	}
	for trace, why := range map[string]string{
		"renameat2(AT_FDCWD, `f`, AT_FDCWD, `g`, RENAME_EXCHANGE) = 0":     "exchanged",
		"io_uring_setup(8, {flags=0}) = 5":                                 "io_uring_setup",
		"sendfile(3, 9, NULL, 100) = 100":                                  "sendfile",
		"fallocate(3, FALLOC_FL_KEEP_SIZE|FALLOC_FL_PUNCH_HOLE, 0, 2) = 0": "fallocate",
		"symlink(`f`, `g`) = 0":                                            "symbolic link",
		"write(3, `abc`..., 30) = 30":                                      "beginning of a long write",
		"openat(AT_FDCWD, `h`, O_RDONLY) = 4":                              "does not show how it came to be",
	} {
		s, err := replayed(t, beginning+"1 "+trace+"\n1 +++ killed by SIGKILL +++")
		if err != nil {
			t.Errorf("%s: %v", trace, err)
			continue
		}
		if err := os.WriteFile(s.file("f"), nil, 0o644); err != nil {
			t.Fatal(err)
		}
		if err := s.Check(); !errors.Is(err, ErrUnknown) || !strings.Contains(err.Error(), why) {
			t.Errorf("%s: %v, want %q", trace, err, why)
		}
	}
}

func FuzzAnyTraceIsReplayedOrRefused(f *testing.F) {
	f.Add([]byte("1 1.000000 openat(AT_FDCWD, \"\\x66\", O_WRONLY|O_CREAT, 0644) = 3\n1 2.000000 write(3, \"\\x61\", 1) = 1\n1 3.000000 +++ killed by SIGKILL +++\n"))
	f.Add([]byte("1 1.000000 pwritev(3, [{iov_base=\"\\x66\", iov_len=1}], 1, 7 <unfinished ...>\n1 2.000000 +++ exited with 0 +++\n"))
	f.Fuzz(func(t *testing.T, trace []byte) {
		root := t.TempDir()
		file := filepath.Join(t.TempDir(), "trace")
		if err := os.WriteFile(file, trace, 0o644); err != nil {
			t.Fatal(err)
		}
		s, err := Look(root)
		if err != nil {
			t.Fatal(err)
		}
		if s.Replay(file, root) == nil {
			_ = s.Check() // reads only; what comes out of it is the other tests' business
		}
	})
}
