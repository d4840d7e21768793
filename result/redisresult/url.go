package redisresult

import (
	"context"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"

	"acklab/broker/redisclient"
	"acklab/result"
)

const (
	// patience bounds a command whose context has no deadline.
	patience = 30 * time.Second
	// poolSize is how many calls can be under way; more wait for each other. It is
	// large also because a go-redis pool that has seen as many failed dials as its
	// size answers further ones from memory.
	poolSize = 256
)

var form = redisclient.Form{
	What: "result", Plain: "redis", Secure: "rediss",
	Usage: "want redis://[user:password@]host[:port][/db][?expires=24h], or rediss:// for TLS",
}

// address is what a result URL says.
type address struct {
	redisclient.Address
	expires time.Duration // 0: never
}

// parseURL reads a result URL. Its errors never repeat a part of the URL that
// could hold the password.
func parseURL(raw string, opts result.Options) (address, error) {
	where, query, err := form.Parse(raw)
	if err != nil {
		return address{}, err
	}
	a := address{Address: where}
	if a.expires, err = opts.TakeExpires(query); err != nil {
		return address{}, err
	}
	for name := range query {
		return address{}, fmt.Errorf("result URL has the unknown option %q: only expires is known", name)
	}
	return a, nil
}

// client makes a client whose connections end with life. It may repeat a command
// whose reply was lost: every one of ours can be.
func (a address) client(life context.Context) *redis.Client {
	o := a.Options(life)
	o.MaxRetries, o.DialerRetries = 1, 1
	o.ContextTimeoutEnabled = true
	o.ReadTimeout, o.WriteTimeout = patience, patience
	o.PoolSize = poolSize
	return redis.NewClient(o)
}
