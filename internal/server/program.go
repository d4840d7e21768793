package server

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"sync"
)

// program is a single binary that can be asked for its version.
type program struct {
	name         string
	variable     string   // of the environment: names another one
	places       []string // looked at besides PATH
	debian, brew string   // the packages that have it
	version      *regexp.Regexp
}

// find takes the one that the variable names, or else the newest there is. The
// error is a *MissingError.
func (p program) find() (Binary, error) {
	if path := os.Getenv(p.variable); path != "" {
		version, err := p.ask(path)
		if err != nil {
			return Binary{}, p.missing(fmt.Errorf("%s: %w", p.variable, err))
		}
		return Binary{Path: path, Version: version}, nil
	}
	var found []Binary
	var lastErr error
	for _, path := range installed(p.name, p.places) {
		version, err := p.ask(path)
		if err != nil {
			lastErr = err
			continue
		}
		found = append(found, Binary{Path: path, Version: version})
	}
	best, ok := newest(found)
	if !ok {
		return Binary{}, p.missing(lastErr)
	}
	return best, nil
}

func (p program) missing(err error) *MissingError { return missing(p.name, p.debian, p.brew, err) }

// installed lists the files a program may be: the one in PATH first.
func installed(name string, places []string) []string {
	var paths []string
	if path, err := exec.LookPath(name); err == nil {
		paths = append(paths, path)
	}
	for _, pattern := range places {
		found, _ := filepath.Glob(pattern) // errors: malformed patterns only
		paths = append(paths, found...)
	}
	return paths
}

// versions are those that were asked for, by asked: it costs a process.
var versions sync.Map

// asked is one program at one path: another one there says nothing about it.
type asked struct{ name, path string }

// ask has the program itself say its version.
func (p program) ask(path string) (string, error) {
	if known, ok := versions.Load(asked{p.name, path}); ok {
		if _, err := os.Stat(path); err == nil {
			return known.(string), nil
		}
	}
	out, err := exec.Command(path, "--version").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("ask %s for its version: %w", path, err)
	}
	match := p.version.FindSubmatch(out)
	if match == nil {
		return "", fmt.Errorf("%s does not say a version as %s does", path, p.name)
	}
	versions.Store(asked{p.name, path}, string(match[1]))
	return string(match[1]), nil
}
