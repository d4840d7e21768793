package asynqbroker

import (
	"context"
	"time"

	"github.com/redis/go-redis/v9"

	"acklab/broker"
)

const (
	pingEvery   = time.Second
	pingTimeout = 3 * time.Second
	// retryMin and retryMax bound the pause between two tries to connect.
	retryMin = 100 * time.Millisecond
	retryMax = 2 * time.Second
)

// connect makes a connection of its own and sees that Redis answers on it.
func (b *Broker) connect(ctx context.Context) (*redis.Conn, error) {
	link := b.client.Conn()
	if err := link.Ping(ctx).Err(); err != nil {
		link.Close()
		return nil, err
	}
	return link, nil
}

// watch tells when the session that has begun ends, and when others begin and
// end: a session is the life of link.
func (c *Consumer) watch(link *redis.Conn) {
	for {
		err := c.attend(link)
		link.Close()
		if c.life.Err() != nil {
			return
		}
		session := int(c.session.Load())
		c.broker.opts.Tell(broker.Event{Kind: broker.Lost, Session: session, Err: err})
		c.broker.opts.Logger().Warn("connection to redis lost", "broker", c.broker.address.String(), "session", session, "err", err)
		if link = c.reconnect(); link == nil {
			return
		}
		c.begin()
	}
}

func (c *Consumer) begin() {
	session := int(c.session.Add(1))
	if session > 1 {
		c.broker.forget()
	}
	c.broker.opts.Tell(broker.Event{Kind: broker.Connected, Session: session})
}

// attend pings until that fails or the consumer ends.
func (c *Consumer) attend(link *redis.Conn) error {
	tick := time.NewTicker(pingEvery)
	defer tick.Stop()
	for {
		select {
		case <-c.life.Done():
			return context.Cause(c.life)
		case <-tick.C:
		}
		ctx, cancel := context.WithTimeout(c.life, pingTimeout)
		err := link.Ping(ctx).Err()
		cancel()
		if err != nil {
			return err
		}
	}
}

// reconnect tries without a limit; nil: the consumer has ended.
func (c *Consumer) reconnect() *redis.Conn {
	for pause := retryMin; ; pause = min(2*pause, retryMax) {
		ctx, cancel := context.WithTimeout(c.life, pingTimeout)
		link, err := c.broker.connect(ctx)
		cancel()
		if err == nil {
			return link
		}
		if !rest(c.life, pause) {
			return nil
		}
	}
}

// rest waits; false: ctx ended first.
func rest(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
