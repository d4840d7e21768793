package server

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"acklab/internal/minder"
)

// Plugins says which plugins of RabbitMQ are enabled.
type Plugins struct {
	Management bool // HTTP API and page, see Rabbit.ManagementAddr
	Prometheus bool // metrics, see Rabbit.PrometheusAddr
}

// RabbitOptions says how a RabbitMQ node is configured.
type RabbitOptions struct {
	// Plugins cost boot time: about a second for both.
	Plugins Plugins
	// Conf are further lines of rabbitmq.conf, as in "consumer_timeout = 5000"; they
	// win over those the node has anyway.
	Conf []string
	// Trace runs the node under strace, so that CutPower can be done to it. It is
	// slower then, and cannot be frozen.
	Trace bool

	pick func() (int, error) // of a port; nil: freePorts
}

// Rabbit is a private RabbitMQ node with the user guest. See Server for its methods.
//
// Call Settle between declaring queues and killing the node.
type Rabbit struct {
	*instance
	binary               Binary
	node                 string // rabbit-x@127.0.0.1
	port, dist           int
	management, exporter int // 0: not enabled
}

// StartRabbit starts a RabbitMQ node and returns when it serves clients. A
// *MissingError says that there is no RabbitMQ, or no Erlang.
func StartRabbit(ctx context.Context, m *minder.Minder, o RabbitOptions) (*Rabbit, error) {
	binary, err := FindRabbit()
	if err != nil {
		return nil, err
	}
	otp, err := findErlang()
	if err != nil {
		return nil, err
	}
	code, err := buildFastPath(m, binary, otp, o.Plugins)
	if err != nil {
		return nil, fmt.Errorf("start rabbitmq: %w", err)
	}
	if o.pick == nil {
		o.pick = freePorts.pick
	}
	var r *Rabbit
	err = bootOnFreePorts(ctx, func() (*instance, error) {
		if r, err = newRabbit(m, binary, otp, code, o); err != nil {
			return nil, fmt.Errorf("start rabbitmq: %w", err)
		}
		return r.instance, nil
	})
	if err != nil {
		return nil, err
	}
	return r, nil
}

func newRabbit(m *minder.Minder, binary Binary, otp erlang, code fastPath, o RabbitOptions) (*Rabbit, error) {
	r := &Rabbit{binary: binary}
	r.node = "rabbit-" + strings.ToLower(rand.Text()[:8]) + "@127.0.0.1"
	wanted := []*int{&r.port, &r.dist}
	if o.Plugins.Management {
		wanted = append(wanted, &r.management)
	}
	if o.Plugins.Prometheus {
		wanted = append(wanted, &r.exporter)
	}
	for _, port := range wanted {
		var err error
		if *port, err = o.pick(); err != nil {
			return nil, err
		}
	}
	dir, err := m.TempDir("rabbitmq")
	if err != nil {
		return nil, err
	}
	spec := minder.Spec{
		Name: "rabbitmq", Argv: r.argv(otp, code), Dir: dir, Env: r.environ(dir, code),
		Stdout: "rabbitmq.out", Stderr: "rabbitmq.out", Stdin: true,
	}
	r.instance = &instance{
		m: m, name: "rabbitmq", dir: dir, logs: []string{r.logName(), "rabbitmq.out"}, pause: 20 * time.Millisecond,
		spec: func() minder.Spec { return spec },
		try:  r.try, notData: []string{"log", "erl_crash.dump"},
	}
	if o.Trace {
		if r.tracing, err = newTracing(m); err != nil {
			return nil, err
		}
	}
	return r, r.writeConfig(o)
}

// argv boots the node without a shell wrapper, without epmd, and without -noinput:
// the shell on its standard input is what Eval speaks to. erl executes the virtual
// machine in its own place, so the process id is the node's.
func (r *Rabbit) argv(otp erlang, code fastPath) []string {
	return []string{
		otp.erl, "-boot", "start_sasl", "-s", "rabbit", "boot",
		"+W", "w", "+sbwt", "none", "+sbwtdcpu", "none", "+sbwtdio", "none",
		"+stbt", "u", // the stock value binds every node to the same cores
		"-syslog", "logger", "[]", "-syslog", "syslog_error_logger", "false",
		"-kernel", "prevent_overlapping_partitions", "false",
		"-kernel", "inet_dist_use_interface", "{127,0,0,1}",
		"-name", r.node, "-start_epmd", "false", "-erl_epmd_port", strconv.Itoa(r.dist),
		"-pa", code.flat,
	}
}

func (r *Rabbit) environ(dir string, code fastPath) []string {
	return []string{
		"ERL_LIBS=" + filepath.Join(r.binary.Path, "plugins"),
		"ERL_CRASH_DUMP=" + filepath.Join(dir, "erl_crash.dump"),
		"ERL_MAX_ETS_TABLES=50000",
		"RABBITMQ_HOME=" + r.binary.Path,
		"RABBITMQ_PLUGINS_DIR=" + code.plugins,
		"RABBITMQ_CONF_ENV_FILE=" + filepath.Join(dir, "none"),
		"RABBITMQ_NODENAME=" + r.node,
		"RABBITMQ_USE_LONGNAME=true",
		"RABBITMQ_CONFIG_FILE=" + filepath.Join(dir, "rabbitmq"),
		"RABBITMQ_ADVANCED_CONFIG_FILE=" + filepath.Join(dir, "advanced.config"),
		"RABBITMQ_ENABLED_PLUGINS_FILE=" + filepath.Join(dir, "enabled_plugins"),
		"RABBITMQ_MNESIA_BASE=" + filepath.Join(dir, "mnesia"),
		"RABBITMQ_LOG_BASE=" + filepath.Join(dir, "log"),
	}
}

// writeConfig writes rabbitmq.conf, enabled_plugins and a cookie of the node's own,
// which a command line would show to every user of the machine.
func (r *Rabbit) writeConfig(o RabbitOptions) error {
	if err := os.Mkdir(filepath.Join(r.dir, "log"), 0o755); err != nil {
		return err
	}
	for name, text := range map[string]string{
		"rabbitmq.conf":   strings.Join(r.conf(o), "\n") + "\n",
		"enabled_plugins": "[" + strings.Join(o.Plugins.names(), ",") + "].\n",
		".erlang.cookie":  rand.Text(),
	} {
		if err := os.WriteFile(filepath.Join(r.dir, name), []byte(text), 0o600); err != nil {
			return err
		}
	}
	return nil
}

// conf are the lines of rabbitmq.conf. A line of the options replaces ours of the
// same setting; the watermarks count as one setting each, in whatever unit.
func (r *Rabbit) conf(o RabbitOptions) []string {
	ours := []string{
		"listeners.tcp.1 = " + r.Addr(),
		"log.console = false",
		"log.file.level = info",
		"disk_free_limit.absolute = 50MB",
		"vm_memory_high_watermark.relative = 0.8", // several nodes share the machine
	}
	if r.management != 0 {
		ours = append(ours, "management.tcp.ip = 127.0.0.1", fmt.Sprintf("management.tcp.port = %d", r.management))
	}
	if r.exporter != 0 {
		ours = append(ours, "prometheus.tcp.ip = 127.0.0.1", fmt.Sprintf("prometheus.tcp.port = %d", r.exporter))
	}
	given := map[string]bool{}
	for _, line := range o.Conf {
		given[setting(line)] = true
	}
	var lines []string
	for _, line := range ours {
		if !given[setting(line)] {
			lines = append(lines, line)
		}
	}
	return append(lines, o.Conf...)
}

func setting(line string) string {
	key, _, _ := strings.Cut(line, "=")
	key = strings.TrimSpace(key)
	for _, family := range []string{"disk_free_limit", "vm_memory_high_watermark"} {
		if unit, ok := strings.CutPrefix(key, family+"."); ok && (unit == "absolute" || unit == "relative") {
			return family
		}
	}
	return key
}

// Version implements Server.
func (r *Rabbit) Version(ctx context.Context) string {
	ctx, cancel := bounded(ctx)
	defer cancel()
	conn, err := r.dial(ctx)
	if err != nil {
		return r.binary.Version
	}
	defer conn.close()
	if version, ok := conn.Properties["version"].(string); ok {
		return version
	}
	return r.binary.Version
}

// Addr implements Server.
func (r *Rabbit) Addr() string { return loopback(r.port) }

// URL implements Server: amqp://guest:guest@host:port/.
func (r *Rabbit) URL(scheme string) string {
	if scheme == "" {
		scheme = "amqp"
	}
	u := url.URL{Scheme: scheme, User: url.UserPassword("guest", "guest"), Host: r.Addr(), Path: "/"}
	return u.String()
}

// LogFile implements Server.
func (r *Rabbit) LogFile() string { return filepath.Join(r.dir, r.logName()) }

func (r *Rabbit) logName() string { return filepath.Join("log", r.node+".log") }

// Node is the node's Erlang name.
func (r *Rabbit) Node() string { return r.node }

// ManagementAddr is the host:port of the HTTP API; empty without the plugin.
func (r *Rabbit) ManagementAddr() string { return addrOrNone(r.management) }

// PrometheusAddr is the host:port of the metrics; empty without the plugin.
func (r *Rabbit) PrometheusAddr() string { return addrOrNone(r.exporter) }

func addrOrNone(port int) string {
	if port == 0 {
		return ""
	}
	return loopback(port)
}

// try succeeds when our own node does a complete AMQP handshake; then it ends the
// node's guard of epmd, which would start an epmd on all interfaces after a minute,
// although the node does without.
func (r *Rabbit) try(ctx context.Context, p *minder.Process) error {
	attempt, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	conn, err := r.dial(attempt)
	if err != nil {
		return err
	}
	conn.close()
	_, err = r.eval(attempt, p, "supervisor:terminate_child(rabbit_sup, rabbit_epmd_monitor_sup)")
	return err
}

// Probe implements Server: handshake, then declare, publish, confirm and get on a
// queue of its own.
func (r *Rabbit) Probe(ctx context.Context) error {
	ctx, cancel := bounded(ctx)
	defer cancel()
	p := r.Process()
	if !p.Alive() {
		return r.failed("probe", ErrNotRunning)
	}
	ctx, release := whileAlive(ctx, p)
	defer release()
	conn, err := r.dial(ctx)
	if err != nil {
		return r.failed("probe", err)
	}
	defer conn.close()
	if err := conn.roundTrip(ctx); err != nil {
		return r.failed("probe", because(ctx, err))
	}
	return nil
}

// connection is an AMQP connection that breaks when its context ends, because the
// client's calls wait without one.
type connection struct {
	*amqp.Connection
	socket net.Conn
	stop   func() bool
}

// dial connects and makes sure that it is this node that answers.
func (r *Rabbit) dial(ctx context.Context) (*connection, error) {
	c := &connection{}
	properties := amqp.NewConnectionProperties()
	properties.SetClientConnectionName(ourName)
	conn, err := amqp.DialConfig(r.URL(""), amqp.Config{
		Heartbeat:  10 * time.Second,
		Properties: properties,
		Dial: func(network, addr string) (net.Conn, error) {
			socket, err := (&net.Dialer{}).DialContext(ctx, network, addr)
			if err != nil {
				return nil, err
			}
			c.socket = socket
			c.stop = context.AfterFunc(ctx, func() { _ = socket.Close() })
			return socket, nil
		},
	})
	if err != nil {
		if c.stop != nil {
			c.stop()
			_ = c.socket.Close()
		}
		return nil, because(ctx, fmt.Errorf("connect: %w", err))
	}
	c.Connection = conn
	// A node's default cluster name is its short name and the host's full one.
	short, _, _ := strings.Cut(r.node, "@")
	if name, _ := conn.Properties["cluster_name"].(string); !strings.HasPrefix(name, short+"@") {
		c.close()
		return nil, fmt.Errorf("connect: %q answers, but %s was started", name, r.node)
	}
	return c, nil
}

// close says goodbye, for which it waits a second at most.
func (c *connection) close() {
	defer c.stop()
	_ = c.Connection.CloseDeadline(time.Now().Add(time.Second))
	_ = c.socket.Close()
}

func (c *connection) roundTrip(ctx context.Context) error {
	ch, err := c.Channel()
	if err != nil {
		return fmt.Errorf("open a channel: %w", err)
	}
	if err := ch.Confirm(false); err != nil {
		return fmt.Errorf("ask for confirms: %w", err)
	}
	q, err := ch.QueueDeclare("", false, true, true, false, nil)
	if err != nil {
		return fmt.Errorf("declare: %w", err)
	}
	value := rand.Text()
	confirm, err := ch.PublishWithDeferredConfirmWithContext(ctx, "", q.Name, true, false, amqp.Publishing{Body: []byte(value)})
	if err != nil {
		return fmt.Errorf("publish: %w", err)
	}
	if acked, err := confirm.WaitContext(ctx); err != nil {
		return fmt.Errorf("wait for the confirm: %w", err)
	} else if !acked {
		return errors.New("publish: not confirmed")
	}
	got, ok, err := ch.Get(q.Name, true)
	switch {
	case err != nil:
		return fmt.Errorf("get: %w", err)
	case !ok:
		return errors.New("get: the confirmed message is not there")
	case string(got.Body) != value:
		return fmt.Errorf("get: %q was published, %q came back", value, got.Body)
	}
	return nil
}
