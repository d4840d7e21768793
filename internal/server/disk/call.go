package disk

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// Calls are the system calls that a trace must hold for Replay: all that change files,
// names, descriptors, or the processes that share them. A call that this machine's
// strace does not know is skipped by the leading question mark.
const Calls = "?open,openat,?openat2,?creat,close,?close_range,?dup,?dup2,dup3,fcntl," +
	"write,pwrite64,writev,pwritev,?pwritev2,lseek,ftruncate,truncate,fallocate," +
	"?rename,?renameat,renameat2,?unlink,unlinkat,?rmdir,?link,linkat,?symlink,symlinkat,?mkdir,mkdirat," +
	"fsync,fdatasync,sync,syncfs,mmap,sendfile,splice,?copy_file_range,?io_uring_setup,?io_submit," +
	"clone,?clone3,?fork,?vfork,execve,?execveat,chdir,fchdir"

// line is one line of a trace of strace -f -ttt -xx.
type line struct {
	pid  string
	at   int64 // microseconds of the wall clock
	kind lineKind
	name string // of the call
	args []byte // what stands between its parentheses, as far as this line has it
	ret  string // what the call returned; of an end: how the process ended
}

type lineKind int

const (
	whole   lineKind = iota // a call and what it returned
	entered                 // <unfinished ...>
	resumed                 // <... NAME resumed>
	ended                   // +++ exited with 0 +++, +++ killed by SIGKILL +++
	other                   // signals and remarks
)

var unfinished = []byte("<unfinished ...>")

var errLine = errors.New("not a line of strace -f -ttt")

func parseLine(raw []byte) (line, error) {
	var l line
	raw = bytes.TrimRight(raw, "\n")
	pid, rest, ok := bytes.Cut(raw, []byte{' '})
	if !ok {
		return l, errLine
	}
	l.pid = string(pid)
	stamp, rest, ok := bytes.Cut(bytes.TrimLeft(rest, " "), []byte{' '})
	if !ok {
		return l, errLine
	}
	var err error
	if l.at, err = micros(string(stamp)); err != nil {
		return l, errLine
	}
	switch {
	case bytes.HasPrefix(rest, []byte("+++ ")):
		l.kind = ended
		l.ret = string(bytes.Trim(rest, "+ "))
		return l, nil
	case bytes.HasPrefix(rest, []byte("<... ")):
		l.kind = resumed
		name, tail, ok := bytes.Cut(rest[len("<... "):], []byte(" resumed>"))
		if !ok {
			return l, errLine
		}
		l.name = string(name)
		l.args, l.ret, err = cutReturn(tail)
		return l, err
	case len(rest) == 0 || !isName(rest[0]):
		l.kind = other
		return l, nil
	}
	name, tail, ok := bytes.Cut(rest, []byte{'('})
	if !ok {
		return l, errLine
	}
	l.name = string(name)
	if i := bytes.LastIndex(tail, []byte("<pid changed to ")); i >= 0 { // exec by a thread that is not the first
		tail = append(tail[:i:i], unfinished...)
	}
	if args, ok := bytes.CutSuffix(tail, unfinished); ok {
		l.kind, l.args = entered, bytes.TrimRight(args, " ")
		return l, nil
	}
	l.args, l.ret, err = cutReturn(tail)
	return l, err
}

func isName(c byte) bool { return c >= 'a' && c <= 'z' || c == '_' }

// micros reads seconds with six decimals.
func micros(stamp string) (int64, error) {
	seconds, fraction, _ := strings.Cut(stamp, ".")
	if len(fraction) != 6 {
		return 0, errLine
	}
	return strconv.ParseInt(seconds+fraction, 10, 64)
}

// cutReturn parts the arguments from what was returned: the last ") = ".
func cutReturn(tail []byte) (args []byte, ret string, err error) {
	i := bytes.LastIndex(tail, []byte(" = "))
	if i < 0 {
		return nil, "", errLine
	}
	args = bytes.TrimRight(tail[:i], " ")
	args, ok := bytes.CutSuffix(args, []byte{')'})
	if !ok {
		return nil, "", errLine
	}
	return args, string(bytes.TrimSpace(tail[i+3:])), nil
}

// call is one system call, once it has returned or was left unfinished.
type call struct {
	name string
	args [][]byte
	ret  int64
	over bool // it returned a number; else it was under way at the end
}

// outcome reads what a call returned. fail: it had no effect.
func outcome(ret string) (value int64, over, fail bool) {
	word, rest, _ := strings.Cut(ret, " ")
	if word == "?" {
		return 0, false, rest != "" // ERESTARTSYS and the like: it comes again
	}
	if strings.HasPrefix(word, "0x") {
		return 0, true, false // an address
	}
	n, err := strconv.ParseInt(word, 10, 64)
	return n, true, err != nil || n < 0
}

// splitArgs parts arguments at the commas of the outermost level.
func splitArgs(s []byte) [][]byte {
	var args [][]byte
	depth, from := 0, 0
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '"':
			end := bytes.IndexByte(s[i+1:], '"') // -xx: no quotes inside
			if end < 0 {
				i = len(s)
				break
			}
			i += 1 + end
		case '(', '[', '{':
			depth++
		case ')', ']', '}':
			depth--
		case ',':
			if depth == 0 {
				args = append(args, bytes.TrimSpace(s[from:i]))
				from = i + 1
			}
		}
	}
	if last := bytes.TrimSpace(s[from:]); len(last) > 0 {
		args = append(args, last)
	}
	return args
}

var errShortened = errors.New("the trace has only the beginning of what was written")

// text reads a string of strace -xx.
func text(arg []byte) ([]byte, error) {
	if bytes.HasSuffix(arg, []byte("...")) {
		return nil, errShortened
	}
	if len(arg) < 2 || arg[0] != '"' || arg[len(arg)-1] != '"' {
		return nil, fmt.Errorf("not a string: %.40q", arg)
	}
	return unhex(arg[1 : len(arg)-1])
}

// unhex reads \x41\x42.
func unhex(s []byte) ([]byte, error) {
	if len(s)%4 != 0 {
		return nil, fmt.Errorf("not in hexadecimal: %.40q", s)
	}
	digits := make([]byte, 0, len(s)/2)
	for i := 0; i < len(s); i += 4 {
		if s[i] != '\\' || s[i+1] != 'x' {
			return nil, fmt.Errorf("not in hexadecimal: %.40q", s[i:])
		}
		digits = append(digits, s[i+2], s[i+3])
	}
	n, err := hex.Decode(digits, digits)
	return digits[:n], err
}

// vector reads the strings of an array of iovec.
func vector(arg []byte) ([]byte, error) {
	const base = "iov_base="
	if bytes.HasSuffix(arg, []byte("...]")) {
		return nil, errShortened
	}
	var all []byte
	for {
		i := bytes.Index(arg, []byte(base))
		if i < 0 {
			return all, nil
		}
		arg = arg[i+len(base):]
		end := bytes.IndexByte(arg, ',')
		if end < 0 {
			return nil, fmt.Errorf("not an iovec: %.40q", arg)
		}
		part, err := text(arg[:end])
		if err != nil {
			return nil, err
		}
		all = append(all, part...)
		arg = arg[end:]
	}
}

func number(arg []byte) (int64, error) { return strconv.ParseInt(string(arg), 0, 64) }
