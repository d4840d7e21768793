package asynqbroker

import (
	"github.com/redis/go-redis/v9"

	"acklab/broker"
	"acklab/broker/redisclient"
)

// watch tells when the session that has begun ends, and when others begin and
// end: a session is the life of link.
func (c *Consumer) watch(link *redis.Conn) {
	for {
		err := redisclient.Attend(c.life, link)
		link.Close()
		if c.life.Err() != nil {
			return
		}
		session := int(c.session.Load())
		c.broker.opts.Tell(broker.Event{Kind: broker.Lost, Session: session, Err: err})
		c.broker.opts.Logger().Warn("connection to redis lost", "broker", c.broker.address.String(), "session", session, "err", err)
		if link = redisclient.Reconnect(c.life, c.broker.client); link == nil {
			return
		}
		c.begin()
	}
}

func (c *Consumer) begin() {
	session := int(c.session.Add(1))
	if session > 1 {
		c.broker.traits.Forget()
	}
	c.broker.opts.Tell(broker.Event{Kind: broker.Connected, Session: session})
}
