package server

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
)

// PostgresVariable is the environment variable that names the folder of another
// PostgreSQL than the newest one found: the one with bin/postgres and bin/initdb
// in it, or that bin itself.
const PostgresVariable = "ACKLAB_POSTGRES_HOME"

// postgresPlaces are the bin folders that are looked at besides PATH and what
// pg_config says. Debian puts none of them into PATH.
var postgresPlaces = []string{
	"/usr/lib/postgresql/*/bin", "/usr/pgsql-*/bin", "/usr/local/pgsql/bin", "/opt/postgresql*/bin",
	"/opt/homebrew/opt/postgresql*/bin", "/usr/local/opt/postgresql*/bin",
}

var postgresProgram = program{
	name: "postgres", variable: PostgresVariable, debian: "postgresql", brew: "postgresql",
	version: regexp.MustCompile(`\(PostgreSQL\) ([0-9][0-9A-Za-z.-]*)`),
}

// FindPostgres finds a PostgreSQL server: the one that ACKLAB_POSTGRES_HOME names,
// or else the newest there is with its initdb beside it. Path is postgres itself.
// The error is a *MissingError.
func FindPostgres() (Binary, error) {
	if home := os.Getenv(PostgresVariable); home != "" {
		var lastErr error
		for _, dir := range []string{filepath.Join(home, "bin"), home} {
			b, err := postgresIn(dir)
			if err == nil {
				return b, nil
			}
			lastErr = err
		}
		return Binary{}, postgresProgram.missing(fmt.Errorf("%s: %w", PostgresVariable, lastErr))
	}
	var found []Binary
	var lastErr error
	for _, dir := range postgresFolders() {
		b, err := postgresIn(dir)
		if err != nil {
			lastErr = err
			continue
		}
		found = append(found, b)
	}
	best, ok := newest(found)
	if !ok {
		return Binary{}, postgresProgram.missing(lastErr)
	}
	return best, nil
}

// postgresFolders lists the folders that may have a PostgreSQL server.
func postgresFolders() []string {
	var dirs []string
	if path, err := exec.LookPath("postgres"); err == nil {
		if real, err := filepath.EvalSymlinks(path); err == nil { // a link in PATH has no initdb beside it
			path = real
		}
		dirs = append(dirs, filepath.Dir(path))
	}
	if out, err := exec.Command("pg_config", "--bindir").Output(); err == nil {
		dir := strings.TrimSpace(string(out))
		if _, err := os.Stat(filepath.Join(dir, "postgres")); err == nil { // a client's pg_config names a folder without
			dirs = append(dirs, dir)
		}
	}
	for _, pattern := range postgresPlaces {
		matches, _ := filepath.Glob(pattern) // errors: malformed patterns only
		dirs = append(dirs, matches...)
	}
	return dirs
}

// postgresIn is the server in a bin folder.
func postgresIn(dir string) (Binary, error) {
	if _, err := exec.LookPath(filepath.Join(dir, "initdb")); err != nil {
		return Binary{}, err
	}
	path := filepath.Join(dir, "postgres")
	version, err := postgresProgram.ask(path)
	if err != nil {
		return Binary{}, err
	}
	return Binary{Path: path, Version: version}, nil
}
