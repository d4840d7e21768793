package inspect

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

// Hello is what an AMQP server tells every client that connects.
type Hello struct {
	Product  string // "RabbitMQ"
	Version  string // as in "3.10.8"
	Platform string // as in "Erlang/OTP 25.2.3"
	Cluster  string // the cluster's name
}

// Hello connects to the AMQP server, and hangs up again.
func (t *Target) Hello(ctx context.Context) (Hello, error) {
	ctx, cancel := context.WithTimeout(ctx, 2*dialWithin)
	defer cancel()
	stop := func() bool { return true }
	conn, err := amqp.DialConfig(t.dial, amqp.Config{
		Locale: "en_US", TLSClientConfig: t.tls.Clone(),
		Properties: amqp.Table{"product": "acklab", "connection_name": "acklab look"},
		Dial: func(network, addr string) (net.Conn, error) {
			sock, err := (&net.Dialer{Timeout: dialWithin}).DialContext(ctx, network, addr)
			if err != nil {
				return nil, err
			}
			stop = context.AfterFunc(ctx, func() { sock.Close() })
			return sock, nil
		},
	})
	if err != nil {
		stop()
		if ctx.Err() != nil {
			return Hello{}, fmt.Errorf("the server did not answer in time: %w", context.Cause(ctx))
		}
		return Hello{}, explainAMQP(err)
	}
	h := Hello{Product: property(conn, "product"), Version: property(conn, "version"), Platform: property(conn, "platform"), Cluster: property(conn, "cluster_name")}
	_ = conn.CloseDeadline(time.Now().Add(dialWithin)) // it has said all we wanted
	stop()
	return h, nil
}

func property(conn *amqp.Connection, name string) string {
	text, _ := conn.Properties[name].(string)
	return Printable(text)
}

func explainAMQP(err error) error {
	reply, ok := errors.AsType[*amqp.Error](err)
	switch {
	case ok && reply.Code == amqp.AccessRefused:
		return fmt.Errorf("the server does not accept this user and password (guest may only connect from the server's own machine): %w", err)
	case ok && reply.Code == amqp.NotAllowed:
		return fmt.Errorf("the virtual host does not exist, or this user may not use it: %w", err)
	case ok && reply.Code == amqp.SyntaxError:
		return fmt.Errorf("what answers is no AMQP server: %w", err)
	}
	return err
}
