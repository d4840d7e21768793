package redisclient

import (
	"context"
	"net"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
)

const (
	// replyTimeout is how long a command waits for Redis when its context sets
	// no earlier deadline.
	replyTimeout = 30 * time.Second
	// poolSize is larger than the number of connections that are ever used: a
	// go-redis pool that has seen as many failed dials as its size answers
	// further ones from memory.
	poolSize = 2048
)

// Options are common to all clients of the address. Their connections end with
// life.
func (a Address) Options(life context.Context) *redis.Options {
	return &redis.Options{
		Addr:     a.Host,
		Username: a.User,
		Password: a.Password,
		DB:       a.DB,
		Dialer: func(ctx context.Context, network, host string) (net.Conn, error) {
			return a.dial(ctx, life, network, host)
		},
		DialerRetryBackoff: func(int) time.Duration {
			if life.Err() != nil {
				return 0
			}
			return dialPause
		},
		DialTimeout:              dialTimeout,
		PoolSize:                 poolSize,
		PipelinePoolSize:         -1,
		DisableIdentity:          true,
		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
	}
}

// Client repeats nothing: a publish whose reply was lost, sent again, would be
// two messages. It honours contexts that end by a deadline; those that are
// cancelled it does not notice while it waits for Redis. The caller closes it.
func (a Address) Client(life context.Context) *redis.Client {
	o := a.Options(life)
	o.MaxRetries = -1
	o.Protocol = 2 // with 3 every reply is looked at for messages that nobody here asks for
	o.DialerRetries = 1
	o.ContextTimeoutEnabled = true
	o.ReadTimeout = replyTimeout
	o.WriteTimeout = replyTimeout
	return redis.NewClient(o)
}
