package server

import (
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// erlang is an installed Erlang/OTP.
type erlang struct {
	erl string // the program
	lib string // the folder with its applications: kernel-8.5.3, stdlib-4.2 ...
}

var erlangs sync.Map // erl's path -> erlang: asking boots a virtual machine

// findErlang finds erl in PATH. The error is a *MissingError.
func findErlang() (erlang, error) {
	path, err := exec.LookPath("erl")
	if err != nil {
		return erlang{}, missing("erl", "erlang-base", "erlang", nil)
	}
	if known, ok := erlangs.Load(path); ok {
		return known.(erlang), nil
	}
	lib, err := erlangLib(path)
	if err != nil {
		return erlang{}, missing("erl", "erlang-base", "erlang", err)
	}
	e := erlang{erl: path, lib: lib}
	erlangs.Store(path, e)
	return e, nil
}

// erlangLib finds the applications: beside the program that the link in PATH leads
// to, or, when that is a shim of a version manager, by asking.
func erlangLib(erl string) (string, error) {
	if real, err := filepath.EvalSymlinks(erl); err == nil {
		lib := filepath.Join(filepath.Dir(filepath.Dir(real)), "lib")
		if holdsKernel(lib) {
			return lib, nil
		}
	}
	return askErlangLib(erl)
}

func askErlangLib(erl string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	out, err := exec.CommandContext(ctx, erl, "-boot", "no_dot_erlang", "-noshell", "-eval", `io:format("~ts", [code:lib_dir()]), halt().`).Output()
	if err != nil {
		return "", fmt.Errorf("ask %s for its library folder: %w", erl, err)
	}
	lib := strings.TrimSpace(string(out))
	if !holdsKernel(lib) {
		return "", fmt.Errorf("%s names %q as its library folder, which holds no kernel", erl, lib)
	}
	return lib, nil
}

func holdsKernel(lib string) bool {
	found, _ := filepath.Glob(filepath.Join(lib, "kernel-*", "ebin", "kernel.app"))
	return len(found) > 0
}
