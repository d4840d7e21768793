package inspect

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"strconv"
	"strings"

	amqp "github.com/rabbitmq/amqp091-go"
)

// Kind is the sort of server behind a broker URL.
type Kind string

// The kinds of brokers.
const (
	Memory   Kind = "memory"   // a queue inside the worker's process
	Redis    Kind = "redis"    // asynq, asynqs, redis, rediss
	RabbitMQ Kind = "rabbitmq" // amqp, amqps
)

// Schemes are the URL schemes that Parse understands, for messages to people.
const Schemes = "memory://, asynq:// or redis://[user:password@]host[:port][/db], amqp://user:password@host[:port][/vhost]; " +
	"asynqs, rediss and amqps for TLS"

// Target is a broker that a URL names. It holds no connection and is safe for
// concurrent use.
type Target struct {
	kind           Kind
	scheme         string
	host, port     string
	user, password string
	db             int    // Redis
	vhost          string // RabbitMQ
	dial           string // the URL for the AMQP library, with the password
	tls            *tls.Config
}

// Parse reads a broker URL. Errors name what is wrong, and never quote what
// may hold the password.
func Parse(rawURL string) (*Target, error) {
	if rawURL == "" {
		return nil, errors.New("no broker URL: give --broker or set ACKLAB_BROKER_URL; " + Schemes)
	}
	scheme, _, ok := strings.Cut(rawURL, "://")
	if !ok {
		return nil, errors.New("the broker URL has no scheme: use one of " + Schemes)
	}
	t := &Target{scheme: scheme}
	port := ""
	switch scheme {
	case "memory":
		t.kind = Memory
		return t, nil
	case "asynq", "asynqs", "redis", "rediss":
		t.kind, port = Redis, "6379"
	case "amqp":
		t.kind, port = RabbitMQ, "5672"
	case "amqps":
		t.kind, port = RabbitMQ, "5671"
	default:
		return nil, fmt.Errorf("broker URL scheme %q is unknown: use one of %s", scheme, Schemes)
	}
	u, err := url.Parse(rawURL)
	if err != nil {
		// The error of net/url quotes what it could not read.
		return nil, errors.New("the broker URL cannot be read (reserved characters in user name or password must be percent-encoded): use " + Schemes)
	}
	return t, t.read(u, port)
}

func (t *Target) read(u *url.URL, port string) error {
	switch {
	case u.Hostname() == "":
		return errors.New("the broker URL names no host: use " + Schemes)
	case u.Fragment != "" || strings.ContainsAny(u.String(), " \t"):
		return errors.New("the broker URL must hold neither blanks nor # (in a password write %23 for #)")
	}
	t.host, t.port = u.Hostname(), port
	if p := u.Port(); p != "" {
		if n, err := strconv.ParseUint(p, 10, 16); err != nil || n == 0 {
			return fmt.Errorf("broker URL %s has port %s: use 1 to 65535", t, p)
		}
		t.port = p
	}
	t.user = u.User.Username()
	t.password, _ = u.User.Password()
	if t.scheme == "asynqs" || t.scheme == "rediss" || t.scheme == "amqps" {
		t.tls = &tls.Config{ServerName: t.host, MinVersion: tls.VersionTLS12}
	}
	if err := t.options(u.RawQuery); err != nil {
		return fmt.Errorf("broker URL %s: %w", t, err)
	}
	if t.kind == Redis {
		return t.readRedis(u)
	}
	return t.readAMQP(u)
}

func (t *Target) readRedis(u *url.URL) error {
	if t.user != "" && t.password == "" {
		return errors.New("the broker URL has a user without a password: a password alone is written redis://:PASSWORD@host")
	}
	name := strings.Trim(u.Path, "/")
	if name == "" {
		return nil
	}
	db, err := strconv.Atoi(name)
	if err != nil || db < 0 {
		// What it has instead may be the rest of a password with a / in it.
		return fmt.Errorf("broker URL %s://%s has a database that is no number from 0", t.scheme, t.addr())
	}
	t.db = db
	return nil
}

func (t *Target) readAMQP(u *url.URL) error {
	bare := *u
	bare.RawQuery, bare.ForceQuery = "", false
	uri, err := amqp.ParseURI(bare.String())
	if err != nil {
		return errors.New("the broker URL cannot be read: use " + Schemes)
	}
	t.user, t.password, t.vhost = uri.Username, uri.Password, uri.Vhost
	t.dial = bare.String()
	return nil
}

// options reads the part after the question mark. Options of the drivers that
// do not matter for a look are let through; Celery's of TLS are understood.
func (t *Target) options(raw string) error {
	query, err := url.ParseQuery(raw)
	if err != nil {
		return errors.New("the part after ? cannot be read")
	}
	for name, values := range query {
		value := values[len(values)-1]
		switch name {
		case "poll", "queue_type", "heartbeat", "visibility_timeout", "durable", "persistent", "confirms":
		case "ssl_cert_reqs":
			if err := t.certificates(value); err != nil {
				return err
			}
		case "ssl_ca_certs", "cacertfile":
			if err := t.authority(name, value); err != nil {
				return err
			}
		default:
			return fmt.Errorf("unknown option %q after ?", name)
		}
	}
	return nil
}

func (t *Target) certificates(want string) error {
	if t.tls == nil {
		return fmt.Errorf("ssl_cert_reqs without TLS: write %ss://", t.scheme)
	}
	switch strings.TrimPrefix(strings.ToLower(want), "cert_") {
	case "none":
		t.tls.InsecureSkipVerify = true // the user says so, in Celery's words
	case "required", "optional":
	default:
		return fmt.Errorf("ssl_cert_reqs=%s: use required or none", want)
	}
	return nil
}

func (t *Target) authority(option, file string) error {
	if t.tls == nil {
		return fmt.Errorf("%s without TLS: write %ss://", option, t.scheme)
	}
	pem, err := os.ReadFile(file)
	if err != nil {
		return fmt.Errorf("%s: %w", option, err)
	}
	t.tls.RootCAs = x509.NewCertPool()
	if !t.tls.RootCAs.AppendCertsFromPEM(pem) {
		return fmt.Errorf("%s: %s holds no certificate in PEM form", option, file)
	}
	return nil
}

// Kind is the sort of server.
func (t *Target) Kind() Kind { return t.kind }

// Loopback tells whether the server is on this machine's loopback, so that no
// packet leaves the machine.
func (t *Target) Loopback() bool { return isLoopback(t.host) }

// TLS tells whether the URL asks for an encrypted connection.
func (t *Target) TLS() bool { return t.tls != nil }

// User is the user name that the URL gives; for RabbitMQ without one, guest.
func (t *Target) User() string { return t.user }

// HasPassword tells whether the URL carries a password.
func (t *Target) HasPassword() bool { return t.password != "" }

// VHost is RabbitMQ's virtual host, "/" if the URL names none.
func (t *Target) VHost() string { return t.vhost }

// String is the URL for people: without password and options.
func (t *Target) String() string {
	u := url.URL{Scheme: t.scheme, Host: t.addr()}
	switch t.kind {
	case Memory:
		return "memory://"
	case Redis:
		u.Path = "/" + strconv.Itoa(t.db)
	case RabbitMQ:
		u.Path = "/"
		if t.vhost != "/" {
			u.Path, u.RawPath = "/"+t.vhost, "/"+url.PathEscape(t.vhost)
		}
	}
	if t.user != "" {
		u.User = url.User(t.user)
	}
	return u.String()
}

func (t *Target) addr() string { return net.JoinHostPort(t.host, t.port) }

func isLoopback(host string) bool {
	if ip := net.ParseIP(host); ip != nil {
		return ip.IsLoopback()
	}
	return strings.EqualFold(host, "localhost")
}
