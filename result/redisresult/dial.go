package redisresult

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
	// patience bounds a command whose context has no deadline.
	patience = 30 * time.Second
	// poolSize is how many calls can be under way; more wait for each other. It is
	// large also because a go-redis pool that has seen as many failed dials as its
	// size answers further ones from memory.
	poolSize = 256
)

// lifeConn is a connection that breaks when the client is closed. It stays a
// TCPConn, which go-redis looks into before it uses an idle connection again.
type lifeConn struct {
	*net.TCPConn
	release func() bool
}

// Close ends the connection.
func (c lifeConn) Close() error {
	c.release()
	return c.TCPConn.Close()
}

// dial connects, with TLS where the URL asks for it. The connection, and the try
// to make it, end with life.
func (a address) dial(ctx, life context.Context, network, host string) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	defer context.AfterFunc(life, cancel)()
	var d net.Dialer
	raw, err := d.DialContext(ctx, network, host)
	if err != nil {
		return nil, err
	}
	tcp, ok := raw.(*net.TCPConn)
	if !ok {
		raw.Close()
		return nil, errors.New("not a TCP connection")
	}
	conn := lifeConn{tcp, context.AfterFunc(life, func() { tcp.Close() })}
	if a.tls == nil {
		return conn, nil
	}
	secure := tls.Client(conn, a.tls)
	if err := secure.HandshakeContext(ctx); err != nil {
		conn.Close()
		return nil, err
	}
	return secure, nil
}

// client makes a client whose connections end with life. It may repeat a command
// whose reply was lost: every one of ours can be.
func (a address) client(life context.Context) *redis.Client {
	return redis.NewClient(&redis.Options{
		Addr:     a.host,
		Username: a.user,
		Password: a.password,
		DB:       a.db,
		Dialer: func(ctx context.Context, network, host string) (net.Conn, error) {
			return a.dial(ctx, life, network, host)
		},
		MaxRetries:               1,
		DialerRetries:            1,
		DialTimeout:              dialTimeout,
		ReadTimeout:              patience,
		WriteTimeout:             patience,
		ContextTimeoutEnabled:    true,
		PoolSize:                 poolSize,
		PipelinePoolSize:         -1,
		DisableIdentity:          true,
		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
	})
}
