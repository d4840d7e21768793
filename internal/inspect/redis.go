package inspect

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
)

// dialWithin bounds one attempt to connect, the handshake included.
const dialWithin = 5 * time.Second

// Redis makes a client of the server; the caller closes it. It connects with
// the first command, and repeats none.
func (t *Target) Redis() *redis.Client { return redis.NewClient(t.redisOptions()) }

func (t *Target) redisOptions() *redis.Options {
	return &redis.Options{
		Addr: t.addr(), Username: t.user, Password: t.password, DB: t.db,
		Dialer: t.dialRedis, DialTimeout: dialWithin, DialerRetries: 1, MaxRetries: -1,
		ContextTimeoutEnabled: true, ReadTimeout: 30 * time.Second, WriteTimeout: 30 * time.Second,
		PoolSize: 2, PipelinePoolSize: -1, DisableIdentity: true,
		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
	}
}

func (t *Target) dialRedis(ctx context.Context, network, addr string) (net.Conn, error) {
	d := &net.Dialer{Timeout: dialWithin}
	if t.tls == nil {
		return d.DialContext(ctx, network, addr)
	}
	conn, err := (&tls.Dialer{NetDialer: d, Config: t.tls}).DialContext(ctx, network, addr)
	if err != nil {
		return nil, fmt.Errorf("with TLS: %w", err)
	}
	return conn, nil
}

// ServesWithoutPassword tries whether the Redis server answers a client that
// gives no password. An error: neither yes nor no was heard.
func (t *Target) ServesWithoutPassword(ctx context.Context) (bool, error) {
	o := t.redisOptions()
	o.Username, o.Password, o.DB = "", "", 0
	c := redis.NewClient(o)
	defer c.Close()
	err := c.Ping(ctx).Err()
	if err == nil {
		return true, nil
	}
	if _, replied := errors.AsType[redis.Error](err); replied {
		return false, nil
	}
	return false, explainRedis(err)
}

// Info asks for INFO, all of its default sections: field to value. Errors are
// explained as by explainRedis.
func (t *Target) Info(ctx context.Context, c *redis.Client) (map[string]string, error) {
	text, err := c.Info(ctx).Result()
	if err != nil {
		return nil, explainRedis(err)
	}
	fields := map[string]string{}
	for line := range strings.SplitSeq(text, "\n") {
		if name, value, ok := strings.Cut(strings.TrimSpace(line), ":"); ok {
			fields[name] = value
		}
	}
	return fields, nil
}

// Refused tells whether the server answered that this user may not do it.
func Refused(err error) bool {
	reply, ok := errors.AsType[redis.Error](err)
	return ok && (strings.HasPrefix(reply.Error(), "NOPERM") || strings.Contains(reply.Error(), "unknown command"))
}

// explainRedis adds what to do to the errors that people meet.
func explainRedis(err error) error {
	text := err.Error()
	late, timed := errors.AsType[net.Error](err)
	switch {
	case errors.Is(err, context.DeadlineExceeded) || timed && late.Timeout():
		return fmt.Errorf("the server did not answer in time: %w", err)
	case strings.HasPrefix(text, "NOAUTH"):
		return fmt.Errorf("the server wants a password, put it into the URL (redis://:PASSWORD@host): %w", err)
	case strings.HasPrefix(text, "WRONGPASS"):
		return fmt.Errorf("the server does not accept this user and password: %w", err)
	case strings.Contains(text, "without any password configured"):
		return fmt.Errorf("the URL gives a password, and the server has none: %w", err)
	case strings.HasPrefix(text, "LOADING"):
		return fmt.Errorf("the server still loads its data from disk, try again: %w", err)
	case strings.Contains(text, "HTTP/") || strings.Contains(text, "invalid reply") || strings.Contains(text, "can't parse"):
		return fmt.Errorf("what answers is no Redis server: %w", err)
	}
	return err
}
