package server

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"acklab/internal/minder"
)

func startPostgres(t *testing.T, m *minder.Minder, o PostgresOptions) *Postgres {
	t.Helper()
	if _, err := FindPostgres(); err != nil {
		t.Skip(err, "; make test installs it (apt-get install postgresql)")
	}
	began := time.Now()
	s, err := StartPostgres(t.Context(), m, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("postgres %s: ready after %v", s.Version(t.Context()), time.Since(began))
	return s
}

// as is a client's connection.
func as(t *testing.T, s *Postgres) *pgx.Conn {
	t.Helper()
	c, err := pgx.Connect(t.Context(), s.URL(""))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { disconnect(c) })
	return c
}

func TestAPostgresServerLivesThroughItsFaults(t *testing.T) {
	t.Parallel()
	lives(t, startPostgres(t, keep(t), PostgresOptions{}))
}

func TestWhatPostgresHasCommittedSurvivesAKill(t *testing.T) {
	t.Parallel()
	for name, o := range map[string]PostgresOptions{"synced": {}, "not synced": {NoSync: true}} {
		t.Run(name, func(t *testing.T) {
			s := startPostgres(t, keep(t), o)
			ctx := t.Context()
			c := as(t, s)
			if _, err := c.Exec(ctx, "CREATE TABLE kept (n int)"); err != nil {
				t.Fatal(err)
			}
			for round := range 3 {
				if _, err := c.Exec(ctx, "INSERT INTO kept VALUES ($1)", round); err != nil {
					t.Fatal(err)
				}
				do(t, "kill", s.Kill(ctx))
				reboot(t, s)
				c = as(t, s)
				var n int
				do(t, "count", c.QueryRow(ctx, "SELECT count(*) FROM kept").Scan(&n))
				if n != round+1 {
					t.Errorf("after kill %d: %d of %d rows", round, n, round+1)
				}
			}
		})
	}
}

// A statement that runs when the server is killed must not be finished by a
// process that the kill has not reached.
func TestAKillOfPostgresReachesTheProcessesThatServeClients(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	s := startPostgres(t, keep(t), PostgresOptions{})
	c := as(t, s)
	if _, err := c.Exec(ctx, "CREATE TABLE busy (n int)"); err != nil {
		t.Fatal(err)
	}
	family, err := familyOf(s.Pid())
	do(t, "list its processes", err)
	if len(family) < 4 {
		t.Fatalf("only %d processes: the test shows nothing", len(family))
	}
	var running sync.WaitGroup
	running.Go(func() { _, _ = c.Exec(ctx, "INSERT INTO busy SELECT n FROM generate_series(1, 100000000) AS n") })
	do(t, "kill", s.Kill(ctx))
	running.Wait()
	for _, member := range family {
		if _, err := os.Stat("/proc/" + strconv.Itoa(member.pid)); err == nil && !reapedSoon(member.pid) {
			t.Errorf("process %d is left", member.pid)
		}
	}
	reboot(t, s)
}

// reapedSoon gives the one that inherits a dead process a moment to reap it.
func reapedSoon(pid int) bool {
	for range 200 {
		if _, err := os.Stat("/proc/" + strconv.Itoa(pid)); err != nil {
			return true
		}
		time.Sleep(10 * time.Millisecond)
	}
	return false
}

func TestAFrozenPostgresDoesNothing(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	s := startPostgres(t, keep(t), PostgresOptions{})
	c := as(t, s)
	if _, err := c.Exec(ctx, "SELECT 1"); err != nil {
		t.Fatal(err)
	}
	do(t, "freeze", s.Freeze(ctx))
	answered := make(chan error, 1)
	go func() { _, err := c.Exec(ctx, "SELECT 2"); answered <- err }() // over a connection that stands
	select {
	case err := <-answered:
		t.Errorf("a frozen server answers: %v", err)
	case <-time.After(200 * time.Millisecond):
	}
	do(t, "thaw", s.Thaw(ctx))
	do(t, "the answer after the thaw", <-answered)
}

func TestPostgresClosesTheConnectionsOfItsClients(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	s := startPostgres(t, keep(t), PostgresOptions{})
	do(t, "probe", s.Probe(ctx))
	if n, err := s.CloseConnections(ctx, "test"); n != 0 || err != nil {
		t.Errorf("without clients: %d, %v", n, err)
	}
	a, b := as(t, s), as(t, s)
	if n, err := s.CloseConnections(ctx, "test"); n != 2 || err != nil {
		t.Errorf("closed %d, %v; want 2", n, err)
	}
	for _, c := range []*pgx.Conn{a, b} {
		if _, err := c.Exec(ctx, "SELECT 1"); err == nil {
			t.Error("a closed connection answers")
		}
	}
	do(t, "probe", s.Probe(ctx))
	do(t, "settle", s.Settle(ctx))
}

func TestPostgresOptionsReachTheServer(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	s := startPostgres(t, keep(t), PostgresOptions{
		NoSync: true, AsyncCommit: true, Password: "s3'cret", Settings: map[string]string{"max_connections": "17"},
	})
	do(t, "probe", s.Probe(ctx))
	c := as(t, s)
	for name, want := range map[string]string{"fsync": "off", "synchronous_commit": "off", "max_connections": "17", "listen_addresses": "127.0.0.1", "unix_socket_directories": ""} {
		var got string
		if do(t, name, c.QueryRow(ctx, "SELECT current_setting($1)", name).Scan(&got)); got != want {
			t.Errorf("%s is %q; want %q", name, got, want)
		}
	}
	config, err := pgx.ParseConfig(s.URL(""))
	do(t, "read the URL", err)
	config.Password = "wrong"
	if c, err := pgx.ConnectConfig(ctx, config); err == nil {
		disconnect(c)
		t.Error("a wrong password is accepted")
	}
	if _, err := StartPostgres(ctx, keep(t), PostgresOptions{Settings: map[string]string{"no_such_setting": "1"}}); err == nil || !strings.Contains(err.Error(), "no_such_setting") {
		t.Errorf("an unknown setting: %v", err)
	}
}

func TestPostgresTakesAnotherPortWhenItsOwnIsTaken(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	do(t, "listen", err)
	defer l.Close()
	picks := 0
	s := startPostgres(t, keep(t), PostgresOptions{pick: func() (int, error) {
		if picks++; picks == 1 {
			return l.Addr().(*net.TCPAddr).Port, nil
		}
		return freePorts.pick()
	}})
	if picks != 2 || s.Addr() == l.Addr().String() {
		t.Errorf("started on %s after %d picks", s.Addr(), picks)
	}
}

// segments are the System V segments that a process of the family has made.
func segments(t *testing.T) map[string]bool {
	t.Helper()
	text, err := os.ReadFile("/proc/sysvipc/shm")
	if err != nil {
		t.Skip("needs /proc/sysvipc: run the tests on Linux")
	}
	all := map[string]bool{}
	for line := range strings.Lines(string(text)) {
		if f := strings.Fields(line); len(f) > 4 {
			all[f[1]+" of "+f[4]] = true // shmid of cpid
		}
	}
	return all
}

func TestNoSharedMemoryOutlivesAPostgresThatWasKilled(t *testing.T) {
	t.Parallel()
	m := keep(t)
	s := startPostgres(t, m, PostgresOptions{})
	ctx := t.Context()
	var makers []string
	of := func() (found []string) {
		for one := range segments(t) {
			for _, maker := range makers {
				if strings.HasSuffix(one, " of "+maker) {
					found = append(found, one)
				}
			}
		}
		return found
	}
	for range 2 {
		makers = append(makers, strconv.Itoa(s.Pid()))
		if len(of()) != 1 {
			t.Errorf("segments of the running server: %v; want one, else the test shows nothing", of())
		}
		maps, err := os.ReadFile("/proc/" + strconv.Itoa(s.Pid()) + "/maps")
		do(t, "read what it maps", err)
		if strings.Contains(string(maps), "/dev/shm/") {
			t.Errorf("it has files in /dev/shm, which outlive it:\n%s", maps)
		}
		do(t, "kill", s.Kill(ctx))
		if len(of()) != 0 {
			t.Errorf("after the kill there are segments: %v", of())
		}
		reboot(t, s)
	}
	makers = append(makers, strconv.Itoa(s.Pid()))
	do(t, "close", m.Close()) // as at the end of a run, without Close
	if len(of()) != 0 {
		t.Errorf("after the end of the minder there are segments: %v", of())
	}
}

func TestASecondPostgresOfAMinderIsACopy(t *testing.T) {
	t.Parallel()
	m := keep(t)
	startPostgres(t, m, PostgresOptions{})
	began := time.Now()
	second := startPostgres(t, m, PostgresOptions{})
	t.Logf("the second: %v", time.Since(began))
	do(t, "probe", second.Probe(t.Context()))
	templates, _ := filepath.Glob(filepath.Join(m.Root(), "postgres-template-*"))
	if len(templates) != 1 {
		t.Errorf("%d templates", len(templates))
	}
}

func TestAMissingPostgresIsNamedWithItsPackage(t *testing.T) {
	t.Setenv(PostgresVariable, t.TempDir())
	_, err := StartPostgres(context.Background(), nil, PostgresOptions{})
	missing, ok := errors.AsType[*MissingError](err)
	if !ok || missing.Tool != "postgres" || !strings.Contains(missing.Install, "install postgresql") || !strings.Contains(err.Error(), PostgresVariable) {
		t.Errorf("got %v", err)
	}
}

func TestPostgresIsFoundByItsHomeOrItsBinFolder(t *testing.T) {
	b, err := FindPostgres()
	if err != nil {
		t.Skip(err, "; make test installs it (apt-get install postgresql)")
	}
	bin := filepath.Dir(b.Path)
	for _, home := range []string{bin, filepath.Dir(bin)} {
		t.Setenv(PostgresVariable, home)
		if got, err := FindPostgres(); err != nil || got != b {
			t.Errorf("with %s: %+v, %v; want %+v", home, got, err, b)
		}
	}
}
