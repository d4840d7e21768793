// Package connect opens the broker that a URL names. It is the only package
// that knows all drivers.
package connect

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"acklab/broker"
	"acklab/broker/asynqbroker"
	"acklab/broker/memorybroker"
	"acklab/broker/rabbitbroker"
	"acklab/broker/redisbroker"
)

// Schemes are the URL schemes that Open understands, for messages to people.
const Schemes = "memory://, asynq://host:port/db, redis://host:port/db (as Celery uses it; it takes ?visibility=1h, restore=100s, lease=renew, settle=celery, delay=broker), amqp://user:password@host:port/vhost (it takes ?queue_type=quorum, durable=false, persistent=false, confirms=false); asynqs, rediss and amqps for TLS; each of the four takes ?priority=on"

// encode is what a person is told whose URL has a reserved character where it
// splits the password.
const encode = "reserved characters in user name or password must be percent-encoded"

// Open makes a client of the broker at rawURL. It checks the URL and connects
// no earlier than it is needed: a server that is away is reported by the first
// call. No error contains the URL's password.
func Open(ctx context.Context, rawURL string, opts broker.Options) (broker.Broker, error) {
	if rawURL == "" {
		return nil, errors.New("no broker URL: give --broker or set ACKLAB_BROKER_URL; " + Schemes)
	}
	scheme, rest, ok := strings.Cut(rawURL, "://")
	if !ok || !isScheme(scheme) {
		return nil, fmt.Errorf("broker URL %q has no scheme: use one of %s", Redacted(rawURL), Schemes)
	}
	if strayAt(rest) {
		return nil, fmt.Errorf("broker URL %s://...: an @ stands behind the end of its host: %s", scheme, encode)
	}
	switch scheme {
	case "memory":
		return opened(memorybroker.Open(rawURL, opts))
	case "asynq", "asynqs":
		return opened(asynqbroker.Open(ctx, rawURL, opts))
	case "amqp", "amqps":
		return opened(rabbitbroker.Open(ctx, rawURL, opts))
	case "redis", "rediss":
		return opened(redisbroker.Open(ctx, rawURL, opts))
	}
	return nil, fmt.Errorf("broker URL scheme %q is unknown: use one of %s", scheme, Schemes)
}

// opened sees to it that there is no broker beside an error.
func opened(b broker.Broker, err error) (broker.Broker, error) {
	if err != nil {
		return nil, err
	}
	return b, nil
}

// isScheme tells whether s can be the scheme of a URL (RFC 3986, 3.1). What
// cannot may be anything, a password too.
func isScheme(s string) bool {
	for i, c := range s {
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
		if !letter && (i == 0 || !strings.ContainsRune("0123456789+-.", c)) {
			return false
		}
	}
	return s != ""
}

// strayAt tells whether what follows the scheme has an @ behind its authority:
// then a /, ? or # of the password has ended that too early, and what looks
// like a path may be the rest of the password.
func strayAt(rest string) bool {
	end := strings.IndexAny(rest, "/?#")
	return end >= 0 && strings.Contains(rest[end:], "@")
}

// Redacted is the URL without its password, for people to read. Of a text that
// is no URL, or one whose password cannot be told from the rest, nothing before
// its last @ is shown.
func Redacted(rawURL string) string {
	at := strings.LastIndexByte(rawURL, '@')
	if at < 0 {
		return rawURL
	}
	u, err := url.Parse(rawURL)
	if err != nil || u.User == nil || strings.Contains(u.Host+u.Path+u.RawQuery+u.Fragment, "@") {
		return "..." + rawURL[at:]
	}
	return u.Redacted()
}
