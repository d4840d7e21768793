package inspect

import (
	"context"
	"errors"
	"fmt"
)

// DefaultLimit is how many keys or queues are looked at unless told otherwise.
const DefaultLimit = 1000

// Options say how to look.
type Options struct {
	// Limit is how many keys (Redis), or queues, exchanges and bindings each
	// (RabbitMQ), are looked at; 0 means DefaultLimit.
	Limit int
	// Management is the URL of RabbitMQ's management API; empty: the usual port
	// of the broker's host.
	Management string
}

// View is what lies in a broker. Exactly one of Redis, Rabbit and Note is set.
type View struct {
	// Broker is the URL, without a password.
	Broker string `json:"broker"`
	// Server is product and version; empty if the server does not tell.
	Server string `json:"server,omitempty"`
	// Redis is what lies in a Redis database.
	Redis *RedisView `json:"redis,omitempty"`
	// Rabbit is what lies in a virtual host of RabbitMQ.
	Rabbit *RabbitView `json:"rabbitmq,omitempty"`
	// Note says why there is nothing to look at.
	Note string `json:"note,omitempty"`
}

// Look shows what lies in the broker at rawURL. It changes nothing there.
// Errors: a URL that cannot be read, a server that is away or refuses, a
// management API that does not answer (*ManagementError); none contains the
// password.
func Look(ctx context.Context, rawURL string, o Options) (*View, error) {
	if o.Limit == 0 {
		o.Limit = DefaultLimit
	}
	if o.Limit < 1 {
		return nil, fmt.Errorf("limit %d: use 1 or more", o.Limit)
	}
	t, err := Parse(rawURL)
	if err != nil {
		return nil, err
	}
	if o.Management != "" && t.kind != RabbitMQ {
		return nil, errors.New("--management is for RabbitMQ (amqp:// and amqps://) alone")
	}
	v := &View{Broker: t.String()}
	switch t.kind {
	case Redis:
		err = v.lookRedis(ctx, t, o.Limit)
	case RabbitMQ:
		err = v.lookRabbit(ctx, t, o)
	default:
		v.Note = "memory:// lives in the worker's process: nothing to look at from outside"
	}
	if err != nil {
		return nil, fmt.Errorf("look at %s: %w", t, err)
	}
	return v, nil
}
