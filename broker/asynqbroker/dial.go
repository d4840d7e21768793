package asynqbroker

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
)

const (
	dialTimeout = 5 * time.Second
	dialPause   = 100 * time.Millisecond // between dials; go-redis' own default
	// replyTimeout is how long a command of our own waits for Redis when its
	// context sets no earlier deadline.
	replyTimeout = 30 * time.Second
	// poolSize is larger than the number of connections that are ever used: a
	// go-redis pool that has seen as many failed dials as its size answers
	// further ones from memory.
	poolSize = 2048
)

// dialError is a connection that could not be made. Whatever was to be sent
// over it was certainly not sent.
type dialError struct{ err error }

func (e *dialError) Error() string { return "cannot connect: " + e.err.Error() }
func (e *dialError) Unwrap() error { return e.err }

// lifeConn is a connection that breaks when a life ends. It stays a TCPConn,
// which go-redis looks into before it uses an idle connection again.
type lifeConn struct {
	*net.TCPConn
	release func() bool
}

// Close ends the connection.
func (c lifeConn) Close() error {
	c.release()
	return c.TCPConn.Close()
}

// dial connects, with TLS where the URL asks for it. The connection, and the
// try to make it, end with life.
func (a address) dial(ctx, life context.Context, network, host string) (net.Conn, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(life, func() { cancel(context.Cause(life)) })()
	d := net.Dialer{Timeout: dialTimeout}
	raw, err := d.DialContext(ctx, network, host)
	if err != nil {
		return nil, &dialError{err}
	}
	tcp, ok := raw.(*net.TCPConn)
	if !ok {
		raw.Close()
		return nil, &dialError{errors.New("not a TCP connection")}
	}
	conn := lifeConn{tcp, context.AfterFunc(life, func() { tcp.Close() })}
	if a.tls == nil {
		return conn, nil
	}
	secure := tls.Client(conn, a.tls)
	if err := secure.HandshakeContext(ctx); err != nil {
		conn.Close()
		return nil, &dialError{err}
	}
	return secure, nil
}

// options are common to all clients, whose connections end with life.
func (a address) options(life context.Context) *redis.Options {
	return &redis.Options{
		Addr:     a.host,
		Username: a.user,
		Password: a.password,
		DB:       a.db,
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

// ownClient is for what this package sends itself. It repeats nothing: a
// publish whose reply was lost, sent again, would be two messages.
func (a address) ownClient(life context.Context) *redis.Client {
	o := a.options(life)
	o.MaxRetries = -1
	o.DialerRetries = 1
	o.ContextTimeoutEnabled = true
	o.ReadTimeout = replyTimeout
	o.WriteTimeout = replyTimeout
	return redis.NewClient(o)
}

// serverClient is for an asynq server: with the retries and timeouts that
// asynq has by default.
func (a address) serverClient(life context.Context) *redis.Client {
	return redis.NewClient(a.options(life))
}
