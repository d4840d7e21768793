package server

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"

	"acklab/internal/minder"
)

// PostgresOptions says how a PostgreSQL server is configured.
type PostgresOptions struct {
	// NoSync turns fsync off: what a client was told is written and not synced, so a
	// SIGKILL takes nothing, a power cut anything.
	NoSync bool
	// AsyncCommit turns synchronous_commit off: a commit is told to the client up to
	// three wal_writer_delay (0.6 s) before it is written, and a SIGKILL takes what
	// was not.
	AsyncCommit bool
	// Password is required of clients, if not empty. Ours (Probe) have it.
	Password string
	// Settings are further ones, as in "max_connections": "200"; they win.
	Settings map[string]string

	pick func() (int, error) // of a port; nil: freePorts
}

// Postgres is a private PostgreSQL server with a user and a database of its own,
// on loopback TCP only. See Server for its methods.
//
// As root it runs as another user (postgres, or nobody), because it refuses to run
// as root.
type Postgres struct {
	*instance
	binary   Binary
	port     int
	password string
}

// StartPostgres makes a cluster, starts a server on it and returns when it serves
// clients. A *MissingError says that there is no PostgreSQL.
func StartPostgres(ctx context.Context, m *minder.Minder, o PostgresOptions) (*Postgres, error) {
	binary, err := FindPostgres()
	if err != nil {
		return nil, err
	}
	u, err := postgresUser()
	if err != nil {
		return nil, fmt.Errorf("start postgres: %w", err)
	}
	if o.pick == nil {
		o.pick = freePorts.pick
	}
	ctx, cancel := bounded(ctx)
	defer cancel()
	var s *Postgres
	err = bootOnFreePorts(ctx, func() (*instance, error) {
		if s, err = newPostgres(ctx, m, binary, u, o); err != nil {
			return nil, fmt.Errorf("start postgres: %w", err)
		}
		return s.instance, nil
	})
	if err != nil {
		return nil, err
	}
	if err := s.furnish(ctx, o.Password); err != nil {
		return nil, errors.Join(fmt.Errorf("start postgres: %w", err), s.Close(context.WithoutCancel(ctx)))
	}
	return s, nil
}

func newPostgres(ctx context.Context, m *minder.Minder, binary Binary, u *minder.User, o PostgresOptions) (*Postgres, error) {
	port, err := o.pick()
	if err != nil {
		return nil, err
	}
	dir, err := m.TempDir("postgres")
	if err != nil {
		return nil, err
	}
	if err := giveFolder(m, dir, u); err != nil {
		return nil, err
	}
	if err := newCluster(ctx, m, binary, u, dir); err != nil {
		return nil, errors.Join(err, m.Remove(dir))
	}
	data := filepath.Join(dir, "data")
	argv := []string{binary.Path, "-D", data}
	for name, value := range settings(port, o) {
		argv = append(argv, "-c", name+"="+value)
	}
	s := &Postgres{binary: binary, port: port}
	s.instance = &instance{
		m: m, name: "postgres", dir: dir, logs: []string{"postgres.log"}, pause: 5 * time.Millisecond,
		spec: func() minder.Spec {
			return minder.Spec{Name: "postgres", Argv: argv, Dir: dir, Stdout: "postgres.log", Stderr: "postgres.log", User: u}
		},
		try: func(ctx context.Context, p *minder.Process) error {
			if err := s.try(ctx, p); err != nil {
				return err
			}
			return releaseSegment(ctx, m, data, u)
		},
	}
	return s, nil
}

// settings are the command line's. What they say of shared memory has it end with
// the processes or the folder.
func settings(port int, o PostgresOptions) map[string]string {
	all := map[string]string{
		"port": strconv.Itoa(port), "listen_addresses": "127.0.0.1", "unix_socket_directories": "",
		"shared_memory_type": "mmap", "dynamic_shared_memory_type": "mmap",
		"logging_collector": "off", "log_destination": "stderr", "external_pid_file": "",
	}
	if o.NoSync {
		all["fsync"] = "off"
	}
	if o.AsyncCommit {
		all["synchronous_commit"] = "off"
	}
	for name, value := range o.Settings {
		all[name] = value
	}
	return all
}

// furnish makes the database, and has the server ask for the password.
func (s *Postgres) furnish(ctx context.Context, password string) error {
	c, err := s.connect(ctx, "postgres")
	if err != nil {
		return err
	}
	defer disconnect(c)
	if _, err := c.Exec(ctx, "CREATE DATABASE "+postgresDB); err != nil {
		return fmt.Errorf("make the database: %w", err)
	}
	if password == "" {
		return nil
	}
	if _, err := c.Exec(ctx, "ALTER ROLE "+postgresRole+" PASSWORD "+quoted(password)); err != nil {
		return fmt.Errorf("set the password: %w", err)
	}
	s.password = password
	if err := s.replaceHBA(); err != nil {
		return err
	}
	if _, err := c.Exec(ctx, "SELECT pg_reload_conf()"); err != nil {
		return fmt.Errorf("have it read who may connect: %w", err)
	}
	return nil
}

// Version implements Server.
func (s *Postgres) Version(ctx context.Context) string {
	ctx, cancel := bounded(ctx)
	defer cancel()
	version := ""
	c, err := s.connect(ctx, "postgres")
	if err == nil {
		defer disconnect(c)
		err = c.QueryRow(ctx, "SELECT split_part(current_setting('server_version'), ' ', 1)").Scan(&version)
	}
	if err != nil {
		return s.binary.Version
	}
	return version
}

// Addr implements Server.
func (s *Postgres) Addr() string { return loopback(s.port) }

// URL implements Server: postgres://user@host:port/database.
func (s *Postgres) URL(scheme string) string {
	if scheme == "" {
		scheme = "postgres"
	}
	u := url.URL{Scheme: scheme, Host: s.Addr(), Path: "/" + postgresDB, User: url.User(postgresRole), RawQuery: "sslmode=disable"}
	if s.password != "" {
		u.User = url.UserPassword(postgresRole, s.password)
	}
	return u.String()
}

// LogFile implements Server.
func (s *Postgres) LogFile() string { return filepath.Join(s.dir, "postgres.log") }

// connect makes a connection of our own.
func (s *Postgres) connect(ctx context.Context, database string) (*pgx.Conn, error) {
	u := url.URL{Scheme: "postgres", Host: s.Addr(), Path: "/" + database, User: url.User(postgresRole)}
	u.RawQuery = url.Values{"sslmode": {"disable"}, "application_name": {ourName}}.Encode()
	config, err := pgx.ParseConfig(u.String())
	if err != nil {
		return nil, err
	}
	config.Password = s.password
	return pgx.ConnectConfig(ctx, config)
}

// disconnect is polite for a moment only: the server may stand still.
func disconnect(c *pgx.Conn) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_ = c.Close(ctx) // it was closed all the same
}

// try succeeds when our own process serves clients.
func (s *Postgres) try(ctx context.Context, p *minder.Process) error {
	if err := dialable(ctx, s.Addr()); err != nil {
		return err // the common case while it boots, without a client for it
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	c, err := s.connect(ctx, "postgres")
	if err != nil {
		return err
	}
	defer disconnect(c)
	return isParent(p, c)
}

// isParent makes sure that it is p that answers: the process that serves the
// connection is a child of it.
func isParent(p *minder.Process, c *pgx.Conn) error {
	family, err := familyOf(p.Pid())
	if err != nil {
		return err
	}
	for _, member := range family {
		if uint32(member.pid) == c.PgConn().PID() {
			return nil
		}
	}
	return fmt.Errorf("process %d answers, which is no child of %d, that was started", c.PgConn().PID(), p.Pid())
}

// Probe implements Server.
func (s *Postgres) Probe(ctx context.Context) error {
	ctx, cancel := bounded(ctx)
	defer cancel()
	p := s.Process()
	if !p.Alive() {
		return s.failed("probe", ErrNotRunning)
	}
	ctx, release := whileAlive(ctx, p)
	defer release()
	return s.failed("probe", because(ctx, s.rowRoundTrip(ctx, p)))
}

// rowRoundTrip writes, reads and removes a table of its own.
func (s *Postgres) rowRoundTrip(ctx context.Context, p *minder.Process) error {
	c, err := s.connect(ctx, postgresDB)
	if err != nil {
		return err
	}
	defer disconnect(c)
	if err := isParent(p, c); err != nil {
		return err
	}
	value := rand.Text()
	table := pgx.Identifier{"acklab_probe_" + value}.Sanitize()
	if _, err := c.Exec(ctx, "CREATE TABLE "+table+" AS SELECT "+quoted(value)+" AS value"); err != nil {
		return fmt.Errorf("write: %w", err)
	}
	var got string
	if err := c.QueryRow(ctx, "SELECT value FROM "+table).Scan(&got); err != nil {
		return fmt.Errorf("read: %w", err)
	}
	if got != value {
		return fmt.Errorf("read: %q was written, %q came back", value, got)
	}
	if _, err := c.Exec(ctx, "DROP TABLE "+table); err != nil {
		return fmt.Errorf("remove: %w", err)
	}
	return nil
}

// Settle implements Server: a checkpoint.
func (s *Postgres) Settle(ctx context.Context) error {
	ctx, cancel := bounded(ctx)
	defer cancel()
	c, err := s.connect(ctx, postgresDB)
	if err == nil {
		defer disconnect(c)
		_, err = c.Exec(ctx, "CHECKPOINT")
	}
	return s.failed("settle", because(ctx, err))
}

// CloseConnections implements Server, with pg_terminate_backend, which tells the
// clients that an administrator did it. Connections of this package do not count.
func (s *Postgres) CloseConnections(ctx context.Context, _ string) (int, error) {
	ctx, cancel := bounded(ctx)
	defer cancel()
	c, err := s.connect(ctx, "postgres")
	if err != nil {
		return 0, s.failed("close connections of", because(ctx, err))
	}
	defer disconnect(c)
	rows, _ := c.Query(ctx, "SELECT pid FROM pg_stat_activity WHERE backend_type = 'client backend' AND application_name <> $1 AND pg_terminate_backend(pid)", ourName)
	closing, err := pgx.CollectRows(rows, pgx.RowTo[int32])
	for left := len(closing); err == nil && left > 0; { // they were told, and need a moment to end
		err = c.QueryRow(ctx, "SELECT count(*) FROM (SELECT pg_sleep(0.002)) AS pause, pg_stat_activity WHERE pid = ANY($1)", closing).Scan(&left)
	}
	return len(closing), s.failed("close connections of", because(ctx, err))
}

// Kill implements Server: SIGKILL for each of its processes.
func (s *Postgres) Kill(ctx context.Context) error {
	ctx, cancel := bounded(ctx)
	defer cancel()
	p := s.Process()
	if !p.Alive() {
		return s.failed("kill", ErrNotRunning)
	}
	return s.failed("kill", notRunning(killFamily(ctx, p)))
}

// Stop implements Server, with SIGINT: at SIGTERM it would wait until its clients
// have left.
func (s *Postgres) Stop(ctx context.Context) error {
	ctx, cancel := bounded(ctx)
	defer cancel()
	p := s.Process()
	if err := p.Signal(syscall.SIGINT); err != nil {
		return s.failed("stop", notRunning(err))
	}
	select {
	case <-p.Done():
		return nil
	case <-ctx.Done():
		return s.failed("stop", context.Cause(ctx))
	}
}

// Freeze implements Server, for each of its processes.
func (s *Postgres) Freeze(ctx context.Context) error {
	ctx, cancel := bounded(ctx)
	defer cancel()
	_, err := standStill(ctx, s.Process())
	return s.failed("freeze", notRunning(err))
}

// Thaw implements Server.
func (s *Postgres) Thaw(ctx context.Context) error {
	ctx, cancel := bounded(ctx)
	defer cancel()
	return s.failed("thaw", notRunning(goOn(ctx, s.Process())))
}

// Close implements Server.
func (s *Postgres) Close(ctx context.Context) error {
	ctx, cancel := bounded(ctx)
	defer cancel()
	if p := s.Process(); p.Alive() {
		if err := killFamily(ctx, p); err != nil && !errors.Is(notRunning(err), ErrNotRunning) && !errors.Is(err, minder.ErrGone) {
			return s.failed("close", err)
		}
	}
	return s.instance.Close(ctx)
}

var _ Server = (*Postgres)(nil)
