package redisclient

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"strings"
)

// Address is where a Redis is and how it is entered.
type Address struct {
	Scheme         string // of the URL
	Host           string // host:port
	User, Password string
	DB             int
	TLS            *tls.Config // nil: plain TCP
}

// Form says what a driver's URLs look like.
type Form struct {
	// What they are the URLs of: "broker", "result".
	What string
	// Plain and Secure are the schemes for TCP and for TLS.
	Plain, Secure string
	// Usage is appended to the errors: what is wanted.
	Usage string
}

// Parse reads a URL of this form and returns its options unread. Its
// errors are one line and never repeat a part of the URL that could hold the
// password.
func (f Form) Parse(raw string) (Address, url.Values, error) {
	none := func(format string, args ...any) (Address, url.Values, error) {
		return Address{}, nil, fmt.Errorf(f.What+" URL "+format+": %s", append(args, f.Usage)...)
	}
	u, err := url.Parse(raw)
	if err != nil {
		return none("cannot be read") // the error of net/url quotes what it could not read
	}
	if u.Scheme != f.Plain && u.Scheme != f.Secure {
		return none("has scheme %q", u.Scheme)
	}
	if u.Hostname() == "" || u.Opaque != "" {
		return none("names no host")
	}
	if u.Fragment != "" {
		return none("has a fragment (write # in a password as %%23)")
	}
	a := Address{Scheme: u.Scheme, User: u.User.Username()}
	port := u.Port()
	if port == "" {
		port = "6379"
	}
	if n, err := strconv.Atoi(port); err != nil || n < 1 || n > 65535 {
		return none("has a port that is none")
	}
	a.Host = net.JoinHostPort(u.Hostname(), port)
	if u.Scheme == f.Secure {
		a.TLS = &tls.Config{ServerName: u.Hostname(), MinVersion: tls.VersionTLS12}
	}
	a.Password, _ = u.User.Password()
	if a.User != "" && a.Password == "" {
		return none("has a user without a password")
	}
	if a.DB, err = parseDB(u.Path); err != nil {
		return none("%w", err)
	}
	if strings.Contains(u.RawQuery, "@") {
		return none("has an @ behind its ? (write ? in a password as %%3F)")
	}
	options, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return none("has a query that cannot be read")
	}
	return a, options, nil
}

// parseDB reads the number of a database. What is none is not repeated: where a
// password holds a /, the rest of it stands here.
func parseDB(path string) (int, error) {
	name := strings.Trim(path, "/")
	if name == "" {
		return 0, nil
	}
	db, err := strconv.Atoi(name)
	if err != nil || db < 0 {
		return 0, errors.New("has a database that is no number from 0 (write / in a password as %2F)")
	}
	return db, nil
}

// String is the address for people and errors: no user, no password.
func (a Address) String() string { return fmt.Sprintf("%s://%s/%d", a.Scheme, a.Host, a.DB) }
