package postgresresult

import (
	"context"
	"net"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
)

const (
	dialTimeout = 5 * time.Second
	// patience bounds a round trip that no caller's deadline bounds.
	patience = 30 * time.Second
	// poolSize is how many connections a client may use; more calls wait for each
	// other. PostgreSQL takes 100 by default, of all clients together.
	poolSize = 10
)

// lifeConn is a connection that breaks when the client is closed: pgx would be
// polite to a server that does not answer for up to 15 seconds.
type lifeConn struct {
	net.Conn
	release func() bool
}

// Close ends the connection.
func (c lifeConn) Close() error {
	c.release()
	return c.Conn.Close()
}

// pool makes the connections' pool, whose connections end with life.
func (a address) pool(life context.Context) (*pgxpool.Pool, error) {
	config := a.config.Copy()
	config.MaxConns = max(config.MaxConns, poolSize)
	config.ConnConfig.DialFunc = func(ctx context.Context, network, addr string) (net.Conn, error) {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		defer context.AfterFunc(life, cancel)()
		var d net.Dialer
		raw, err := d.DialContext(ctx, network, addr)
		if err != nil {
			return nil, err
		}
		return lifeConn{raw, context.AfterFunc(life, func() { raw.Close() })}, nil
	}
	return pgxpool.NewWithConfig(life, config)
}
