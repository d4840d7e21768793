package redisclient

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"time"
)

const (
	dialTimeout = 5 * time.Second
	dialPause   = 100 * time.Millisecond // between dials; go-redis' own default
)

// DialError is a connection that could not be made. Whatever was to be sent
// over it was certainly not sent.
type DialError struct{ Err error }

// Error says that no connection could be made, and why.
func (e *DialError) Error() string { return "cannot connect: " + e.Err.Error() }

// Unwrap gives why.
func (e *DialError) Unwrap() error { return e.Err }

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

// dial connects, with TLS where the address asks for it. The connection, and
// the try to make it, end with life.
func (a Address) dial(ctx, life context.Context, network, host string) (net.Conn, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(life, func() { cancel(context.Cause(life)) })()
	d := net.Dialer{Timeout: dialTimeout}
	raw, err := d.DialContext(ctx, network, host)
	if err != nil {
		return nil, &DialError{err}
	}
	tcp, ok := raw.(*net.TCPConn)
	if !ok {
		raw.Close()
		return nil, &DialError{errors.New("not a TCP connection")}
	}
	conn := lifeConn{tcp, context.AfterFunc(life, func() { tcp.Close() })}
	if a.TLS == nil {
		return conn, nil
	}
	secure := tls.Client(conn, a.TLS)
	if err := secure.HandshakeContext(ctx); err != nil {
		conn.Close()
		return nil, &DialError{err}
	}
	return secure, nil
}
