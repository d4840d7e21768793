package disk

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"unsafe"
)

const create = syscall.O_CREAT | syscall.O_WRONLY

// writers are what the traced process does, by the name of the test's case.
var writers = map[string]func(){
	"append": func() {
		fd := open("f", create|syscall.O_APPEND)
		write(fd, "kept ")
		must(syscall.Fsync(fd))
		write(fd, "lost")
		never := open("never", create)
		write(never, "synced")
	},
	"overwrite": func() {
		fd := open("f", create)
		write(fd, "0123456789")
		must(syscall.Fdatasync(fd))
		_, err := syscall.Pwrite(fd, []byte("ab"), 2)
		must(err)
		must(syscall.Fdatasync(fd))
		_, err = syscall.Pwrite(fd, []byte("XY"), 3)
		must(err)
		_, err = syscall.Seek(fd, -1, 2)
		must(err)
		write(fd, "Z!")
	},
	"truncate": func() {
		for _, name := range []string{"synced", "not"} {
			fd := open(name, create)
			write(fd, "0123456789")
			must(syscall.Fsync(fd))
			must(syscall.Close(fd))
			fd = open(name, syscall.O_WRONLY|syscall.O_TRUNC)
			write(fd, "new")
			if name == "synced" {
				must(syscall.Fsync(fd))
			}
		}
		fd := open("longer", create)
		write(fd, "0123456789")
		must(syscall.Ftruncate(fd, 4))
		must(syscall.Ftruncate(fd, 6))
		must(syscall.Fsync(fd))
	},
	"rename": func() {
		for _, name := range []string{"directory", "nothing", "again"} {
			fd := open("tmp-"+name, create)
			write(fd, "new "+name)
			must(syscall.Fsync(fd))
			must(syscall.Rename("tmp-"+name, name))
			switch name {
			case "directory":
				dir := open(".", syscall.O_RDONLY)
				must(syscall.Fsync(dir))
			case "again": // an append after the rename, synced
				write(fd, ", longer")
				must(syscall.Fdatasync(fd))
				write(fd, ", lost")
			}
		}
		must(syscall.Rename("again", "last"))
		must(syscall.Unlink("old"))
	},
	"folders": func() {
		must(syscall.Mkdir("d", 0o755))
		fd := open("d/f", create)
		write(fd, "x")
		must(syscall.Fsync(fd))
		must(syscall.Rename("d", "e"))
		must(syscall.Mkdir("lost", 0o755))
		dir, err := syscall.Open("e", syscall.O_RDONLY|syscall.O_DIRECTORY, 0)
		must(err)
		must(syscall.Fsync(dir))
		must(syscall.Mkdir("later", 0o755))
		at, err := syscall.Openat(dir, "relative", create, 0o644)
		must(err)
		write(at, "y")
		must(syscall.Fsync(at))
		must(syscall.Unlink("e/f"))
	},
	"copies": func() {
		fd := open("f", create)
		twin, err := syscall.Dup(fd)
		must(err)
		write(fd, "one ")
		write(twin, "two ") // they share the offset
		must(syscall.Close(fd))
		must(syscall.Fsync(twin))
		must(syscall.Dup3(twin, 77, 0))
		write(77, "three")
		own := open("f", syscall.O_WRONLY) // this has an offset of its own
		write(own, "ONE")
		_, _, e := syscall.Syscall(syscall.SYS_FCNTL, uintptr(own), syscall.F_SETFL, syscall.O_APPEND)
		if e != 0 {
			must(e)
		}
		write(own, "!")
		must(syscall.Fsync(own))
		write(own, " lost")
	},
	"vectors": func() {
		fd := open("f", create)
		a, b := []byte("first "), []byte("second")
		iov := []syscall.Iovec{{Base: &a[0], Len: uint64(len(a))}, {Base: &b[0], Len: uint64(len(b))}}
		_, _, e := syscall.Syscall(syscall.SYS_WRITEV, uintptr(fd), uintptr(unsafe.Pointer(&iov[0])), 2)
		if e != 0 {
			must(e)
		}
		_, _, e = syscall.Syscall6(syscall.SYS_PWRITEV, uintptr(fd), uintptr(unsafe.Pointer(&iov[0])), 1, 20, 0, 0)
		if e != 0 {
			must(e)
		}
		runtime.KeepAlive(iov)
		must(syscall.Fsync(fd))
	},
	"sync-open": func() {
		fd := open("f", create|syscall.O_DSYNC)
		write(fd, "kept")
		syscall.Sync()
		g := open("g", create)
		write(g, "lost")
	},
	"threads": func() {
		var all sync.WaitGroup
		for i := range 4 {
			all.Go(func() {
				runtime.LockOSThread() // it ends with the goroutine
				fd := open(fmt.Sprint("f", i), create|syscall.O_APPEND)
				for j := range 50 {
					write(fd, fmt.Sprintf("%d.", j))
					if j == 24 {
						must(syscall.Fsync(fd))
					}
				}
			})
		}
		all.Wait()
	},
	"children": func() {
		fd := open("f", create|syscall.O_APPEND) // not closed at exec: Go does that itself for os.File only
		out := os.NewFile(uintptr(fd), "f")
		write(fd, "parent ")
		for range 3 {
			cmd := exec.Command("/bin/sh", "-c", "echo -n child; echo x >> child; rm -f gone")
			cmd.Stdout = out
			must(cmd.Run())
		}
		must(syscall.Fsync(fd))
	},
	"exec-closes": func() { // after exec, descriptor numbers that were files are something else
		fd := open("f", create|syscall.O_CLOEXEC)
		write(fd, "mine")
		must(syscall.Fsync(fd))
		must(syscall.Dup3(fd, 88, syscall.O_CLOEXEC))
		must(syscall.Exec("/bin/sh", []string{"sh", "-c", "exec 8>/dev/null; echo not yours >&8; echo done; read forever"}, os.Environ()))
	},
	"short": func() { // the disk is full after 8 bytes: a limit stands for it
		limit := syscall.Rlimit{Cur: 8, Max: 8}
		must(syscall.Setrlimit(syscall.RLIMIT_FSIZE, &limit))
		fd := open("f", create)
		n, err := syscall.Write(fd, []byte("0123456789"))
		must(err)
		if n != 8 {
			must(fmt.Errorf("%d bytes written, not 8", n))
		}
		must(syscall.Fsync(fd))
	},
	"mapped": func() {
		fd := open("f", syscall.O_CREAT|syscall.O_RDWR)
		must(syscall.Ftruncate(fd, 4096))
		m, err := syscall.Mmap(fd, 0, 4096, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_SHARED)
		must(err)
		copy(m, "unseen")
	},
	"long": func() { // longer than the trace keeps of a string
		fd := open("f", create)
		write(fd, string(make([]byte, 2000)))
	},
	"logs": func() {
		must(syscall.Mkdir("log", 0o755))
		write(open("log/server.log", create), "all of it")
	},
	"nothing": func() {},
}

func TestWhatIsLeftIsWhatTheModelSays(t *testing.T) {
	t.Parallel()
	half := ""
	for j := range 25 {
		half += fmt.Sprintf("%d.", j)
	}
	for name, c := range map[string]struct {
		before, want map[string]string
		undone       []string
	}{
		"append":    {want: map[string]string{"f": "kept "}, undone: []string{"create never"}},
		"overwrite": {want: map[string]string{"f": "01ab456789"}},
		"truncate":  {want: map[string]string{"synced": "new", "not": "0123456789", "longer": "0123\x00\x00"}},
		"rename": {
			before: map[string]string{"old": "o", "nothing": "old nothing"},
			want: map[string]string{
				"old": "o", "directory": "new directory", "nothing": "new nothing", // the sync of the third file reached this rename, which came before
				"again": "new again, longer",
			},
			undone: []string{"rename again to last", "remove old"},
		},
		"folders":     {want: map[string]string{"e/f": "x", "e/relative": "y"}, undone: []string{"remove e/f"}},
		"copies":      {want: map[string]string{"f": "ONE two three!"}},
		"vectors":     {want: map[string]string{"f": "first second\x00\x00\x00\x00\x00\x00\x00\x00first "}},
		"sync-open":   {want: map[string]string{"f": "kept"}, undone: []string{"create g"}},
		"threads":     {want: map[string]string{"f0": half, "f1": half, "f2": half, "f3": half}},
		"children":    {before: map[string]string{"gone": "g"}, want: map[string]string{"f": "parent childchildchild", "gone": "g"}, undone: []string{"create child", "remove gone"}},
		"exec-closes": {want: map[string]string{"f": "mine"}},
		"short":       {want: map[string]string{"f": "01234567"}},
		"logs":        {want: map[string]string{"log/server.log": "all of it"}},
		"nothing":     {before: map[string]string{"a/b/c": "deep"}, want: map[string]string{"a/b/c": "deep"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, root := trace(t, name, c.before)
			out := cutDown(t, s, root, c.want)
			if got, want := fmt.Sprint(out.Undone), fmt.Sprint(c.undone); got != want {
				t.Errorf("undone %s, want %s", got, want)
			}
		})
	}
}

func TestWhatATraceDoesNotShowIsRefused(t *testing.T) {
	t.Parallel()
	for name, why := range map[string]string{
		"mapped": "through shared memory (mmap)",
		"long":   "only the beginning of a long write",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, _ := trace(t, name, nil)
			if err := s.Check(); !errors.Is(err, ErrUnknown) || !strings.Contains(err.Error(), why) {
				t.Errorf("checked: %v, want %q", err, why)
			}
		})
	}
	for what, tamper := range map[string]func(root string){
		"is not what the traced calls wrote": func(root string) { must(os.WriteFile(filepath.Join(root, "f"), []byte("kept lose"), 0o644)) },
		"does not show how it came to be":    func(root string) { must(os.WriteFile(filepath.Join(root, "stranger"), nil, 0o644)) },
		"does not show how":                  func(root string) { must(os.Remove(filepath.Join(root, "f"))) },
		"the trace says the other": func(root string) {
			must(os.Remove(filepath.Join(root, "f")))
			must(os.Mkdir(filepath.Join(root, "f"), 0o755))
		},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			s, root := trace(t, "append", nil)
			tamper(root)
			if err := s.Check(); !errors.Is(err, ErrUnknown) || !strings.Contains(err.Error(), what) {
				t.Errorf("checked: %v, want %q", err, what)
			}
		})
	}
}
