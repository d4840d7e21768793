package rabbitbroker

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

// dialLimit bounds one attempt to connect, the handshake included: a frozen
// server accepts connections and never answers.
const dialLimit = 20 * time.Second

// closeLimit bounds a polite goodbye where ctx sets no earlier deadline.
const closeLimit = 5 * time.Second

// errHungUp is the cause of a connection that this side has ended.
var errHungUp = errors.New("connection closed by this client")

// link is one AMQP connection that stands or has stood.
type link struct {
	conn    *amqp.Connection
	sock    net.Conn
	gone    chan struct{} // closed when the connection has ended
	blocked func(reason string)

	mu    sync.Mutex
	cause error         // why it ended
	open  chan struct{} // closed while the server takes publishes
	why   string        // why it takes none
}

// dial makes one attempt to connect. role names the connection on the server.
// blocked, if set, is told when the server stops taking publishes (with its
// reason) and when it takes them again (with an empty one).
func dial(ctx context.Context, a address, role string, blocked func(reason string)) (*link, error) {
	ctx, cancel := context.WithTimeout(ctx, dialLimit)
	defer cancel()
	l := &link{gone: make(chan struct{}), open: make(chan struct{}), blocked: blocked}
	close(l.open)
	var stop func() bool
	conn, err := amqp.DialConfig(a.dial, amqp.Config{
		Locale:     "en_US",
		Heartbeat:  a.heartbeat,
		Properties: amqp.Table{"product": "acklab", "connection_name": "acklab " + role},
		Dial: func(network, addr string) (net.Conn, error) {
			sock, err := (&net.Dialer{}).DialContext(ctx, network, addr)
			if err != nil {
				return nil, err
			}
			l.sock = sock
			stop = context.AfterFunc(ctx, func() { sock.Close() })
			return sock, nil
		},
	})
	if stop != nil && !stop() && err == nil {
		err = context.Cause(ctx)
	}
	if err != nil {
		if l.sock != nil {
			l.sock.Close() // ends the goroutines of a half-open connection
		}
		if cause := context.Cause(ctx); cause != nil {
			err = cause
		}
		return nil, fmt.Errorf("connect to %s: %w", a.shown, err)
	}
	l.conn = conn
	go l.watch(conn.NotifyClose(make(chan *amqp.Error, 1)), conn.NotifyBlocked(make(chan amqp.Blocking, 16)))
	return l, nil
}

// watch follows the connection to its end, and drains what the library tells:
// an undrained listener would hold up its reader.
func (l *link) watch(closes chan *amqp.Error, blocks chan amqp.Blocking) {
	told := blocks
	for {
		select {
		case e := <-closes:
			l.end(e)
			for range blocks { // the library closes it
			}
			return
		case b, ok := <-told:
			if !ok {
				told = nil
				continue
			}
			l.block(b)
		}
	}
}

// end records why the connection ended and frees a writer that is stuck in
// the socket, on which the library's own teardown would wait.
func (l *link) end(e *amqp.Error) {
	l.mu.Lock()
	l.cause = errHungUp
	if e != nil {
		l.cause = e
	}
	l.mu.Unlock()
	l.sock.Close()
	close(l.gone)
}

func (l *link) block(b amqp.Blocking) {
	l.mu.Lock()
	select {
	case <-l.open:
		if b.Active {
			l.open, l.why = make(chan struct{}), b.Reason
		}
	default:
		l.why = b.Reason
		if !b.Active {
			close(l.open)
		}
	}
	l.mu.Unlock()
	if l.blocked == nil {
		return
	}
	if b.Active {
		l.blocked(b.Reason)
	} else {
		l.blocked("")
	}
}

// taking returns a channel that is closed while the server takes publishes,
// and its reason for not taking any.
func (l *link) taking() (<-chan struct{}, string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.open, l.why
}

func (l *link) stands() bool {
	select {
	case <-l.gone:
		return false
	default:
		return true
	}
}

// err tells why the connection ended; nil while it stands.
func (l *link) err() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.cause
}

// abandon ends the connection without a goodbye.
func (l *link) abandon() { l.sock.Close() }

// close says goodbye and waits until the connection has ended, at the latest
// when ctx does. It never hangs on a server that does not answer.
func (l *link) close(ctx context.Context) {
	deadline := time.Now().Add(closeLimit)
	if d, ok := ctx.Deadline(); ok && d.Before(deadline) {
		deadline = d
	}
	stop := context.AfterFunc(ctx, l.abandon)
	defer stop()
	_ = l.conn.CloseDeadline(deadline) // the connection is closed whatever it says
	l.abandon()
	<-l.gone
}

// ask runs f with a channel of its own and closes that. It returns early when
// ctx ends; f then still runs until the server answers or the connection ends,
// so f must not touch what the caller uses afterwards.
func (l *link) ask(ctx context.Context, f func(*amqp.Channel) error) error {
	answer := make(chan error, 1)
	go func() {
		ch, err := l.conn.Channel()
		if err == nil {
			err = f(ch)
			_ = ch.Close() // fails only where the channel has ended already
		}
		answer <- err
	}()
	select {
	case err := <-answer:
		return err
	case <-ctx.Done():
		return fmt.Errorf("the server did not answer: %w", ctx.Err())
	}
}
