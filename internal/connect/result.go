package connect

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"acklab/result"
	"acklab/result/memoryresult"
	"acklab/result/postgresresult"
	"acklab/result/redisresult"
)

// ResultSchemes are the URL schemes that OpenResult understands, for messages to
// people.
const ResultSchemes = "memory://, redis://host:port/db, postgres://user:password@host:port/database (each takes ?expires=24h, 0 for never); rediss for TLS"

// OpenResult makes a client of the result store at rawURL. It checks the URL and
// connects no earlier than it is needed: a store that is away is reported by the
// first call. No error contains the URL's password.
func OpenResult(ctx context.Context, rawURL string, opts result.Options) (result.Store, error) {
	if rawURL == "" {
		return nil, errors.New("no result URL: give --result or set ACKLAB_RESULT_URL; " + ResultSchemes)
	}
	scheme, rest, ok := strings.Cut(rawURL, "://")
	if !ok || !isScheme(scheme) {
		return nil, fmt.Errorf("result URL %q has no scheme: use one of %s", Redacted(rawURL), ResultSchemes)
	}
	if strayAt(rest) {
		return nil, fmt.Errorf("result URL %s://...: an @ stands behind the end of its host: %s", scheme, encode)
	}
	switch scheme {
	case "memory":
		return openedResult(memoryresult.Open(ctx, rawURL, opts))
	case "redis", "rediss":
		return openedResult(redisresult.Open(ctx, rawURL, opts))
	case "postgres", "postgresql":
		return openedResult(postgresresult.Open(ctx, rawURL, opts))
	}
	return nil, fmt.Errorf("result URL scheme %q is unknown: use one of %s", scheme, ResultSchemes)
}

// openedResult sees to it that there is no store beside an error.
func openedResult[S result.Store](s S, err error) (result.Store, error) {
	if err != nil {
		return nil, err
	}
	return s, nil
}
