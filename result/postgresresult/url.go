package postgresresult

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"acklab/result"
)

const usage = "want postgres://user:password@host:port/database[?expires=24h&sslmode=...]"

// address is what a result URL says.
type address struct {
	config  *pgxpool.Config
	shown   string        // for people: no user, no password
	expires time.Duration // 0: never
}

// parseURL reads a result URL: expires is ours, every other option pgx's. Its
// errors never repeat a part of the URL that could hold the password.
func parseURL(raw string, opts result.Options) (address, error) {
	u, err := url.Parse(raw)
	if err != nil {
		return address{}, errors.New("result URL cannot be read: " + usage) // net/url quotes what it could not read
	}
	switch {
	case u.Scheme != "postgres" && u.Scheme != "postgresql":
		return address{}, fmt.Errorf("result URL has scheme %q: %s", u.Scheme, usage)
	case u.Hostname() == "" || u.Opaque != "":
		return address{}, errors.New("result URL names no host: " + usage)
	case u.Fragment != "":
		return address{}, errors.New("result URL has a fragment (write # in a password as %23): " + usage)
	case strings.Contains(u.Path+u.RawQuery, "@"):
		return address{}, errors.New("result URL has an @ behind its host (write / and ? in a password as %2F and %3F): " + usage)
	}
	query, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return address{}, errors.New("result URL has a query that cannot be read: " + usage)
	}
	a := address{shown: "postgres://" + u.Host + u.EscapedPath()}
	if a.expires, err = opts.TakeExpires(query); err != nil {
		return address{}, err
	}
	timeout := query.Has("connect_timeout")
	u.RawQuery = query.Encode()
	if a.config, err = pgxpool.ParseConfig(u.String()); err != nil {
		// What pgx says may quote the URL.
		return address{}, errors.New("result URL has a port or an option that PostgreSQL does not take: " + usage)
	}
	if !timeout {
		a.config.ConnConfig.ConnectTimeout = dialTimeout
	}
	return a, nil
}
