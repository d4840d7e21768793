package server

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"acklab/internal/minder"
)

// The user and the database of a private server; nobody else can reach it, so it
// asks for no password unless it was given one.
const (
	postgresRole = "acklab"
	postgresDB   = "acklab"
)

// clusterTemplates are the fresh data folders of this process, one a minder and
// program: initdb takes most of a second, a copy a tenth of that.
var clusterTemplates = struct {
	sync.Mutex
	dirs map[*minder.Minder]map[string]string
}{dirs: map[*minder.Minder]map[string]string{}}

// newCluster makes a data folder inside dir.
func newCluster(ctx context.Context, m *minder.Minder, b Binary, u *minder.User, dir string) error {
	template, err := clusterTemplate(ctx, m, b, u)
	if err != nil {
		return err
	}
	// As its user, so that it owns the copies.
	_, err = output(ctx, m, minder.Spec{Name: "copy of a PostgreSQL cluster", Argv: []string{"cp", "-R", "-p", template, filepath.Join(dir, "data")}, Dir: dir, User: u})
	return err
}

// clusterTemplate makes the template where there is none yet.
func clusterTemplate(ctx context.Context, m *minder.Minder, b Binary, u *minder.User) (string, error) {
	clusterTemplates.Lock()
	defer clusterTemplates.Unlock()
	for other := range clusterTemplates.dirs {
		select {
		case <-other.Done():
			delete(clusterTemplates.dirs, other) // its folders are gone
		default:
		}
	}
	if dir, ok := clusterTemplates.dirs[m][b.Path]; ok {
		return dir, nil
	}
	home, err := m.TempDir("postgres-template")
	if err != nil {
		return "", err
	}
	if err := giveFolder(m, home, u); err != nil {
		return "", err
	}
	dir := filepath.Join(home, "data")
	_, err = output(ctx, m, minder.Spec{Name: "initdb", Dir: home, User: u, Argv: []string{
		filepath.Join(filepath.Dir(b.Path), "initdb"), "--pgdata", dir, "--username", postgresRole, "--auth", "trust",
		"--encoding", "UTF8", "--locale", "C", "--no-sync", "--no-instructions",
	}})
	if err != nil {
		return "", errors.Join(err, m.Remove(home))
	}
	if clusterTemplates.dirs[m] == nil {
		clusterTemplates.dirs[m] = map[string]string{}
	}
	clusterTemplates.dirs[m][b.Path] = dir
	return dir, nil
}

// output runs a program of the minder's to its end and returns what it said.
func output(ctx context.Context, m *minder.Minder, s minder.Spec) (string, error) {
	s.Stdout, s.Stderr = s.Name+".out", s.Name+".out"
	file := filepath.Join(s.Dir, s.Stdout)
	p, err := m.Run(s)
	if err != nil {
		return "", err
	}
	select {
	case <-p.Done():
	case <-ctx.Done():
		err := fmt.Errorf("%s: %w", s.Name, context.Cause(ctx))
		return "", errors.Join(err, p.Kill(context.WithoutCancel(ctx)))
	}
	said, err := os.ReadFile(file)
	if err != nil {
		return "", fmt.Errorf("%s: %w", s.Name, err)
	}
	_ = os.Remove(file)
	text := strings.TrimSpace(string(said))
	if e := p.Exit(); e.Code != 0 {
		return "", fmt.Errorf("%s ended with %s: %s", s.Name, e, text)
	}
	return text, nil
}
