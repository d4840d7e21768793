package redisclient

import (
	"cmp"
	"crypto/tls"
	"fmt"
	"net"
	"net/url"
	"slices"
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
	// Of is what the URLs are of, in its errors; empty: a broker.
	Of string
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
		return Address{}, nil, fmt.Errorf("%s URL "+format+": %s", slices.Concat([]any{f.of()}, args, []any{f.Usage})...)
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
	a.Host = net.JoinHostPort(u.Hostname(), port)
	if u.Scheme == f.Secure {
		a.TLS = &tls.Config{ServerName: u.Hostname(), MinVersion: tls.VersionTLS12}
	}
	a.Password, _ = u.User.Password()
	if a.User != "" && a.Password == "" {
		return none("has a user without a password")
	}
	if a.DB, err = parseDB(u.Path); err != nil {
		return Address{}, nil, fmt.Errorf("%s URL %w", f.of(), err)
	}
	options, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return none("has a query that cannot be read")
	}
	return a, options, nil
}

func (f Form) of() string { return cmp.Or(f.Of, "broker") }

func parseDB(path string) (int, error) {
	name := strings.Trim(path, "/")
	if name == "" {
		return 0, nil
	}
	db, err := strconv.Atoi(name)
	if err != nil || db < 0 {
		return 0, fmt.Errorf("has database %q: want a number from 0", name)
	}
	return db, nil
}

// String is the address for people and errors: no user, no password.
func (a Address) String() string { return fmt.Sprintf("%s://%s/%d", a.Scheme, a.Host, a.DB) }
