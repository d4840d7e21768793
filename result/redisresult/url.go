package redisresult

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"strings"
	"time"

	"acklab/result"
)

const usage = "want redis://[user:password@]host[:port][/db][?expires=24h], or rediss:// for TLS"

// address is what a result URL says.
type address struct {
	host           string // host:port
	user, password string
	db             int
	tls            *tls.Config   // nil: plain TCP
	expires        time.Duration // 0: never
}

// parseURL reads a result URL. Its errors never repeat a part of the URL that
// could hold the password.
func parseURL(raw string, opts result.Options) (address, error) {
	u, err := url.Parse(raw)
	if err != nil {
		return address{}, errors.New("result URL cannot be read: " + usage) // net/url quotes what it could not read
	}
	var a address
	switch {
	case u.Scheme != "redis" && u.Scheme != "rediss":
		return address{}, fmt.Errorf("result URL has scheme %q: %s", u.Scheme, usage)
	case u.Hostname() == "" || u.Opaque != "":
		return address{}, errors.New("result URL names no host: " + usage)
	case u.Fragment != "":
		return address{}, errors.New("result URL has a fragment (write # in a password as %23): " + usage)
	}
	port := u.Port()
	if port == "" {
		port = "6379"
	}
	if n, err := strconv.Atoi(port); err != nil || n < 1 || n > 65535 {
		return address{}, errors.New("result URL has a port that is none: " + usage)
	}
	a.host = net.JoinHostPort(u.Hostname(), port)
	if u.Scheme == "rediss" {
		a.tls = &tls.Config{ServerName: u.Hostname(), MinVersion: tls.VersionTLS12}
	}
	a.user = u.User.Username()
	a.password, _ = u.User.Password()
	if a.user != "" && a.password == "" {
		return address{}, errors.New("result URL has a user without a password: " + usage)
	}
	if name := strings.Trim(u.Path, "/"); name != "" {
		if a.db, err = strconv.Atoi(name); err != nil || a.db < 0 {
			return address{}, errors.New("result URL has a database that is no number from 0 (write / in a password as %2F): " + usage)
		}
	}
	if strings.Contains(u.RawQuery, "@") {
		return address{}, errors.New("result URL has an @ behind its ? (write ? in a password as %3F): " + usage)
	}
	query, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return address{}, errors.New("result URL has a query that cannot be read: " + usage)
	}
	if a.expires, err = opts.TakeExpires(query); err != nil {
		return address{}, err
	}
	for name := range query {
		return address{}, fmt.Errorf("result URL has the unknown option %q: only expires is known", name)
	}
	return a, nil
}

// String is the address for people and errors: no user, no password.
func (a address) String() string {
	scheme := "redis"
	if a.tls != nil {
		scheme = "rediss"
	}
	return fmt.Sprintf("%s://%s/%d", scheme, a.host, a.db)
}
