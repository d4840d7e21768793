package server

import (
	"context"
	"crypto/rand"
	"fmt"
	"net"
	"net/url"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"

	"acklab/internal/minder"
)

// Persistence is what a Redis server writes to its disk.
type Persistence string

// The persistence modes. A process that is killed loses nothing that it had given
// to write(2); what a power cut takes besides is what it had not synced (CutPower).
// With AOFEverySec Redis holds back writes in its own memory while a sync takes long,
// for up to two seconds, so on a slow disk even a SIGKILL can take some (31 of 4934
// measured on a busy machine).
const (
	None        Persistence = "none"         // nothing
	RDB         Persistence = "rdb"          // snapshots at redis.conf's own save points
	AOFNo       Persistence = "aof-no"       // append-only file, the kernel decides when to sync
	AOFEverySec Persistence = "aof-everysec" // append-only file, synced once a second
	AOFAlways   Persistence = "aof-always"   // append-only file, synced before each reply
	RDBAndAOF   Persistence = "rdb+aof"      // RDB and AOFEverySec
	RDB1s       Persistence = "rdb-1s"       // a snapshot within a second or two of every change
)

// savePoints are the defaults of Redis 7: after an hour with 1 change, 5 minutes
// with 100, a minute with 10000 (redis.conf, "save").
const savePoints = "3600 1 300 100 60 10000"

// everySecond saves after a second with 1 change.
const everySecond = "1 1"

func (p Persistence) args() ([]string, error) {
	switch p {
	case "", None:
		return []string{"--save", "", "--appendonly", "no"}, nil
	case RDB:
		return []string{"--save", savePoints, "--appendonly", "no"}, nil
	case RDB1s:
		return []string{"--save", everySecond, "--appendonly", "no"}, nil
	case AOFNo, AOFEverySec, AOFAlways:
		return []string{"--save", "", "--appendonly", "yes", "--appendfsync", strings.TrimPrefix(string(p), "aof-")}, nil
	case RDBAndAOF:
		return []string{"--save", savePoints, "--appendonly", "yes", "--appendfsync", "everysec"}, nil
	}
	return nil, fmt.Errorf("unknown persistence %q", string(p))
}

// RedisOptions says how a Redis server is configured.
type RedisOptions struct {
	// Persistence is None when empty.
	Persistence Persistence
	// Password is required of clients, if not empty.
	Password string
	// Args are further words of the command line, as in "--maxmemory", "3mb"; they
	// win over those of Persistence.
	Args []string
	// Trace runs the server under strace, so that CutPower can be done to it. It is
	// slower then, and cannot be frozen.
	Trace bool

	pick func() (int, error) // of a port; nil: freePorts
}

// Redis is a private redis-server. See Server for its methods.
type Redis struct {
	*instance
	binary   Binary
	port     int
	password string
}

// StartRedis starts a Redis server and returns when it serves clients. A
// *MissingError says that there is no redis-server.
func StartRedis(ctx context.Context, m *minder.Minder, o RedisOptions) (*Redis, error) {
	binary, err := FindRedis()
	if err != nil {
		return nil, err
	}
	persist, err := o.Persistence.args()
	if err != nil {
		return nil, fmt.Errorf("start redis: %w", err)
	}
	if o.pick == nil {
		o.pick = freePorts.pick
	}
	var r *Redis
	err = bootOnFreePorts(ctx, func() (*instance, error) {
		if r, err = newRedis(m, binary, o, persist); err != nil {
			return nil, fmt.Errorf("start redis: %w", err)
		}
		return r.instance, nil
	})
	if err != nil {
		return nil, err
	}
	return r, nil
}

func newRedis(m *minder.Minder, binary Binary, o RedisOptions, persist []string) (*Redis, error) {
	port, err := o.pick()
	if err != nil {
		return nil, err
	}
	dir, err := m.TempDir("redis")
	if err != nil {
		return nil, err
	}
	argv := []string{
		binary.Path, "--port", strconv.Itoa(port), "--bind", "127.0.0.1", "--dir", dir,
		"--daemonize", "no", "--protected-mode", "no", "--logfile", "redis.log", "--pidfile", "",
	}
	if o.Password != "" {
		argv = append(argv, "--requirepass", o.Password)
	}
	argv = append(append(argv, persist...), o.Args...)
	r := &Redis{binary: binary, port: port, password: o.Password}
	r.instance = &instance{
		m: m, name: "redis", dir: dir, logs: []string{"redis.log", "redis.out"}, pause: 2 * time.Millisecond,
		spec: func() minder.Spec {
			return minder.Spec{Name: "redis", Argv: argv, Dir: dir, Stdout: "redis.out", Stderr: "redis.out"}
		},
		try: r.try,
	}
	if o.Trace {
		r.tracing, err = newTracing(m)
	}
	return r, err
}

// Version implements Server.
func (r *Redis) Version(ctx context.Context) string {
	ctx, cancel := bounded(ctx)
	defer cancel()
	c := r.clientUntil(ctx)
	defer c.Close()
	if version, err := infoField(ctx, c, "redis_version"); err == nil {
		return version
	}
	return r.binary.Version
}

// Addr implements Server.
func (r *Redis) Addr() string { return loopback(r.port) }

// URL implements Server: redis://host:port/0, or with another scheme, as in asynq.
func (r *Redis) URL(scheme string) string {
	if scheme == "" {
		scheme = "redis"
	}
	u := url.URL{Scheme: scheme, Host: r.Addr(), Path: "/0"}
	if r.password != "" {
		u.User = url.UserPassword("", r.password)
	}
	return u.String()
}

// LogFile implements Server.
func (r *Redis) LogFile() string { return filepath.Join(r.dir, "redis.log") }

// Client is a new client of this server. It never repeats a command (a repeated
// write whose reply was lost would be made twice), and it honours contexts. Each
// call gives a new one, which the caller closes.
//
// go-redis refuses to dial for up to a second after as many failed dials in a row
// as its pool is large; do not use one client to wait for a server.
func (r *Redis) Client() *redis.Client { return redis.NewClient(r.options()) }

func (r *Redis) options() *redis.Options {
	return &redis.Options{
		Addr: r.Addr(), Password: r.password,
		MaxRetries: -1, DialerRetries: 1, DialTimeout: time.Second,
		ContextTimeoutEnabled: true, DisableIdentity: true,
		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
	}
}

// clientUntil is a client whose connections break when the context ends, also when
// it is cancelled, and whose calls wait for as long as that.
func (r *Redis) clientUntil(ctx context.Context) *redis.Client {
	o := r.options()
	o.ClientName = ourName
	o.ContextTimeoutEnabled, o.ReadTimeout, o.WriteTimeout = false, -1, -1
	o.Dialer = func(_ context.Context, network, addr string) (net.Conn, error) {
		var d net.Dialer
		socket, err := d.DialContext(ctx, network, addr)
		if err == nil {
			context.AfterFunc(ctx, func() { _ = socket.Close() })
		}
		return socket, err
	}
	return redis.NewClient(o)
}

// try succeeds when our own process has loaded its data and serves clients.
func (r *Redis) try(ctx context.Context, p *minder.Process) error {
	var d net.Dialer
	socket, err := d.DialContext(ctx, "tcp", r.Addr())
	if err != nil {
		return err // the common case while it boots, without a client for it
	}
	_ = socket.Close()
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	c := r.clientUntil(ctx)
	defer c.Close()
	if err := isProcess(ctx, c, p); err != nil {
		return err
	}
	return c.Ping(ctx).Err()
}

// Probe implements Server.
func (r *Redis) Probe(ctx context.Context) error {
	ctx, cancel := bounded(ctx)
	defer cancel()
	p := r.Process()
	if !p.Alive() {
		return r.failed("probe", ErrNotRunning)
	}
	ctx, release := whileAlive(ctx, p)
	defer release()
	c := r.clientUntil(ctx)
	defer c.Close()
	if err := isProcess(ctx, c, p); err != nil {
		return r.failed("probe", because(ctx, err))
	}
	return r.failed("probe", because(ctx, roundTrip(ctx, c)))
}

// roundTrip writes, reads and removes a key of its own.
func roundTrip(ctx context.Context, c *redis.Client) error {
	value := rand.Text()
	key := "acklab:probe:" + value
	if err := c.Set(ctx, key, value, time.Minute).Err(); err != nil {
		return fmt.Errorf("write: %w", err)
	}
	got, err := c.Get(ctx, key).Result()
	if err != nil {
		return fmt.Errorf("read: %w", err)
	}
	if got != value {
		return fmt.Errorf("read: %q was written, %q came back", value, got)
	}
	if err := c.Del(ctx, key).Err(); err != nil {
		return fmt.Errorf("remove: %w", err)
	}
	return nil
}

// isProcess makes sure that it is p that answers.
func isProcess(ctx context.Context, c *redis.Client, p *minder.Process) error {
	pid, err := infoField(ctx, c, "process_id")
	if err != nil {
		return err
	}
	if pid != strconv.Itoa(p.Pid()) {
		return fmt.Errorf("process %s answers, but %d was started", pid, p.Pid())
	}
	return nil
}

// infoField is one line of INFO server.
func infoField(ctx context.Context, c *redis.Client, field string) (string, error) {
	info, err := c.Info(ctx, "server").Result()
	if err != nil {
		return "", fmt.Errorf("ask for %s: %w", field, err)
	}
	for line := range strings.Lines(info) {
		if value, ok := strings.CutPrefix(line, field+":"); ok {
			return strings.TrimSpace(value), nil
		}
	}
	return "", fmt.Errorf("INFO server says no %s", field)
}
