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
)

// Schemes are the URL schemes that Open understands, for messages to people.
const Schemes = "memory://, asynq://host:port/db, amqp://user:password@host:port/vhost[?queue_type=quorum]; asynqs and amqps for TLS"

// Open makes a client of the broker at rawURL. It checks the URL and connects
// no earlier than it is needed: a server that is away is reported by the first
// call. No error contains the URL's password.
func Open(ctx context.Context, rawURL string, opts broker.Options) (broker.Broker, error) {
	if rawURL == "" {
		return nil, errors.New("no broker URL: give --broker or set ACKLAB_BROKER_URL; " + Schemes)
	}
	scheme, _, ok := strings.Cut(rawURL, "://")
	if !ok {
		return nil, fmt.Errorf("broker URL %q has no scheme: use one of %s", Redacted(rawURL), Schemes)
	}
	switch scheme {
	case "memory":
		return memorybroker.New(opts), nil
	case "asynq", "asynqs":
		return asynqbroker.Open(ctx, rawURL, opts)
	case "amqp", "amqps":
		return rabbitbroker.Open(ctx, rawURL, opts)
	case "redis", "rediss":
		return nil, fmt.Errorf("broker URL %s: the redis driver is not built yet; use asynq://", Redacted(rawURL))
	}
	return nil, fmt.Errorf("broker URL scheme %q is unknown: use one of %s", scheme, Schemes)
}

// Redacted is the URL without its password, for people to read. A text that
// is no URL is cut before its last @.
func Redacted(rawURL string) string {
	u, err := url.Parse(rawURL)
	if err != nil {
		if at := strings.LastIndexByte(rawURL, '@'); at >= 0 {
			return "..." + rawURL[at:]
		}
		return rawURL
	}
	return u.Redacted()
}
