package minder

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// Spec says what to start.
type Spec struct {
	// Name is for logs and errors; empty means the first word of Argv.
	Name string
	// Argv is the command line. A first word without a slash is looked up in PATH.
	Argv []string
	// Dir is the working directory and HOME; empty means the minder's Root.
	Dir string
	// Env is added to an environment of PATH, LANG, HOME and TMPDIR, which is all that a
	// process inherits. TMPDIR is the minder's Root, so that nothing is left of a
	// process that is killed; another User has none.
	Env []string
	// Stdout and Stderr are files to append to (relative ones are in Dir); empty
	// means nowhere. They may be the same file.
	Stdout, Stderr string
	// Stdin asks for a pipe on the standard input, for Process.WriteStdin; it ends
	// when the process or the minder does. Without it the input is empty.
	Stdin bool
	// User is who the process runs as; nil: as the minder. Only root can give it.
	// The minder still opens Stdout and Stderr itself.
	User *User
}

// User is a user and a group of the system. A process that runs as one is in no
// other group.
type User struct {
	UID uint32 `json:"uid"`
	GID uint32 `json:"gid"`
}

// fallbackPath is for an owner that has no PATH.
const fallbackPath = "/usr/local/bin:/usr/bin:/bin:/usr/local/sbin:/usr/sbin:/sbin"

func (s Spec) label() string {
	switch {
	case s.Name != "":
		return s.Name
	case len(s.Argv) > 0:
		return s.Argv[0]
	}
	return "a process"
}

// order makes every path absolute, so that neither the minder's working directory
// nor the child's has a say.
func (s Spec) order(root string) (*order, error) {
	if len(s.Argv) == 0 || s.Argv[0] == "" {
		return nil, errors.New("no command line given")
	}
	path, err := exec.LookPath(s.Argv[0])
	if err != nil {
		return nil, err
	}
	if path, err = filepath.Abs(path); err != nil {
		return nil, err
	}
	dir := s.Dir
	if dir == "" {
		dir = root
	}
	if dir, err = filepath.Abs(dir); err != nil {
		return nil, err
	}
	if info, err := os.Stat(dir); err != nil {
		return nil, fmt.Errorf("working directory: %w", err)
	} else if !info.IsDir() {
		return nil, fmt.Errorf("working directory %s: not a directory", dir)
	}
	search := os.Getenv("PATH")
	if search == "" {
		search = fallbackPath
	}
	env := []string{"PATH=" + search, "LANG=C.UTF-8", "HOME=" + dir}
	if s.User == nil { // the folder is not open to others
		env = append(env, "TMPDIR="+root)
	}
	env = append(env, s.Env...)
	return &order{
		Name: s.label(), Path: path, Argv: s.Argv, Dir: dir, Env: env,
		Stdout: in(dir, s.Stdout), Stderr: in(dir, s.Stderr), Stdin: s.Stdin, User: s.User,
	}, nil
}

// in resolves a file name against a directory; empty stays empty.
func in(dir, file string) string {
	if file == "" || filepath.IsAbs(file) {
		return file
	}
	return filepath.Join(dir, file)
}
