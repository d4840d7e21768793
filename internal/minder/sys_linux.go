package minder

import (
	"bytes"
	"os"
	"strconv"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// becomeSubreaper makes the kernel give this process the orphans of its
// descendants, instead of giving them to init.
func becomeSubreaper() error {
	return unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
}

// leashed puts a child into a group of its own and has the kernel kill it when the
// minder dies.
func leashed() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}

// collect reaps one dead child, if there is one; before is called while the child
// is still a zombie and so still owns its process and group id.
func collect(before func(pid int)) (pid int, status syscall.WaitStatus, ok bool) {
	pid, ok = peek()
	if !ok {
		return 0, 0, false
	}
	before(pid)
	for {
		_, err := syscall.Wait4(pid, &status, 0, nil)
		if err != syscall.EINTR {
			return pid, status, err == nil
		}
	}
}

// peek names a dead child without reaping it.
func peek() (pid int, ok bool) {
	var info unix.Siginfo
	for {
		err := unix.Waitid(unix.P_ALL, 0, &info, unix.WEXITED|unix.WNOHANG|unix.WNOWAIT, nil)
		if err == unix.EINTR {
			continue
		}
		if err != nil || info.Signo == 0 {
			return 0, false
		}
		return siginfoPid(&info), true
	}
}

// siginfoPid is si_pid: the first field behind the three leading ints of
// siginfo_t, aligned as the union that holds it, which contains pointers.
func siginfoPid(info *unix.Siginfo) int {
	const align = unsafe.Alignof(uintptr(0))
	const offset = (unsafe.Offsetof(info.Code) + unsafe.Sizeof(info.Code) + align - 1) &^ (align - 1)
	return int(*(*int32)(unsafe.Add(unsafe.Pointer(info), offset)))
}

// hasChildren reports whether any child is left, dead or alive.
func hasChildren() bool {
	var info unix.Siginfo
	return unix.Waitid(unix.P_ALL, 0, &info, unix.WEXITED|unix.WNOHANG|unix.WNOWAIT, nil) != unix.ECHILD
}

// children lists the direct children of this process.
func children() []int {
	names, err := os.ReadDir("/proc")
	if err != nil {
		return nil
	}
	self := os.Getpid()
	var pids []int
	for _, n := range names {
		pid, err := strconv.Atoi(n.Name())
		if err != nil {
			continue
		}
		if _, ppid, ok := stat("/proc/" + n.Name() + "/stat"); ok && ppid == self {
			pids = append(pids, pid)
		}
	}
	return pids
}

// stat reads state and parent out of a stat file of proc(5). The name in its
// second field may hold anything, so fields are counted from its last parenthesis.
func stat(path string) (state byte, ppid int, ok bool) {
	b, err := os.ReadFile(path)
	if err != nil {
		return 0, 0, false
	}
	fields := bytes.Fields(b[bytes.LastIndexByte(b, ')')+1:])
	if len(fields) < 2 {
		return 0, 0, false
	}
	ppid, err = strconv.Atoi(string(fields[1]))
	return fields[0][0], ppid, err == nil
}

// stopped reports whether every thread of a process is stopped by a signal. A stop
// reaches the threads of a process one by one, so the state of the first thread
// alone proves nothing.
func stopped(pid int) (bool, error) {
	dir := "/proc/" + strconv.Itoa(pid) + "/task"
	threads, err := os.ReadDir(dir)
	if err != nil {
		return false, err
	}
	for _, t := range threads {
		state, _, ok := stat(dir + "/" + t.Name() + "/stat")
		if ok && state != 'T' && state != 'Z' { // a first thread that ended early stays as Z
			return false, nil
		}
	}
	return len(threads) > 0, nil
}
