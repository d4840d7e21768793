package asynqbroker

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// DefaultPoll is how often an idle consumer asks Redis for a task unless the
// URL says otherwise: asynq polls. It waits between half and one and a half of
// it. asynq's own default is a second.
const DefaultPoll = 200 * time.Millisecond

// DefaultForward is how often a consumer has Redis move what is due to where
// consumers look, unless the URL says otherwise: what waited for its ETA, and
// what was given back. asynq's own default is five seconds.
const DefaultForward = 200 * time.Millisecond

const usage = "want asynq://[user:password@]host[:port][/db][?poll=200ms&forward=200ms], or asynqs:// for TLS"

// address is what a broker URL says.
type address struct {
	host           string // host:port
	user, password string
	db             int
	tls            *tls.Config // nil: plain TCP
	poll, forward  time.Duration
}

// parseURL reads a broker URL. Its errors never repeat a part of the URL that
// could hold the password.
func parseURL(raw string) (address, error) {
	u, err := url.Parse(raw)
	if err != nil {
		// The error of net/url quotes what it could not read.
		return address{}, errors.New("broker URL cannot be read: " + usage)
	}
	a := address{poll: DefaultPoll, forward: DefaultForward}
	if u.Scheme != "asynq" && u.Scheme != "asynqs" {
		return address{}, fmt.Errorf("broker URL has scheme %q: %s", u.Scheme, usage)
	}
	if u.Hostname() == "" || u.Opaque != "" {
		return address{}, errors.New("broker URL names no host: " + usage)
	}
	if u.Fragment != "" {
		return address{}, errors.New("broker URL has a fragment (write # in a password as %23): " + usage)
	}
	port := u.Port()
	if port == "" {
		port = "6379"
	}
	a.host = net.JoinHostPort(u.Hostname(), port)
	if u.Scheme == "asynqs" {
		a.tls = &tls.Config{ServerName: u.Hostname(), MinVersion: tls.VersionTLS12}
	}
	a.user = u.User.Username()
	a.password, _ = u.User.Password()
	if a.user != "" && a.password == "" {
		return address{}, errors.New("broker URL has a user without a password: " + usage)
	}
	if a.db, err = parseDB(u.Path); err != nil {
		return address{}, err
	}
	return a, a.parseQuery(u.RawQuery)
}

func parseDB(path string) (int, error) {
	name := strings.Trim(path, "/")
	if name == "" {
		return 0, nil
	}
	db, err := strconv.Atoi(name)
	if err != nil || db < 0 {
		return 0, fmt.Errorf("broker URL has database %q: want a number from 0", name)
	}
	return db, nil
}

func (a *address) parseQuery(raw string) error {
	query, err := url.ParseQuery(raw)
	if err != nil {
		return errors.New("broker URL has a query that cannot be read: " + usage)
	}
	for name, values := range query {
		var interval *time.Duration
		switch name {
		case "poll":
			interval = &a.poll
		case "forward":
			interval = &a.forward
		default:
			return fmt.Errorf("broker URL has the unknown option %q: only poll and forward are known", name)
		}
		d, err := time.ParseDuration(values[0])
		if len(values) != 1 || err != nil || d < time.Millisecond || d > time.Minute {
			return fmt.Errorf("broker URL has %s=%s: want one duration from 1ms to 1m", name, strings.Join(values, ","))
		}
		*interval = d
	}
	return nil
}

// delayLate is how much later than its ETA a task may be asked for.
func (a address) delayLate() time.Duration { return time.Second + a.forward + a.poll*3/2 }

// String is the address for people and errors: no user, no password.
func (a address) String() string {
	scheme := "asynq"
	if a.tls != nil {
		scheme = "asynqs"
	}
	return fmt.Sprintf("%s://%s/%d", scheme, a.host, a.db)
}
