package redisbroker

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"acklab/broker"
	"acklab/broker/redisclient"
)

// session is one life of a consumer's connections: when one of them breaks, all
// are cut, and the next session begins with new ones.
type session struct {
	c      *Consumer
	number int
	client *redis.Client
	link   *redis.Conn // pinged, to see that Redis is there

	life context.Context
	fail context.CancelCauseFunc // ends the session, and says why
	work sync.WaitGroup
}

// connect makes a session whose Redis has answered.
func (c *Consumer) connect(ctx context.Context) (*session, error) {
	s := &session{c: c}
	s.life, s.fail = context.WithCancelCause(c.life)
	s.client = c.broker.address.Client(s.life)
	link, err := redisclient.Connect(ctx, s.client)
	if err != nil {
		s.close()
		return nil, err
	}
	s.link = link
	return s, nil
}

func (s *session) close() {
	s.fail(broker.ErrClosed)
	s.work.Wait()
	if s.link != nil {
		s.link.Close()
	}
	s.client.Close()
}

// run runs sessions, one after the other, until the consumer ends.
func (c *Consumer) run(s *session) {
	log := c.broker.opts.Logger()
	pause := redisclient.RetryMin
	for s != nil {
		began := time.Now()
		s.number = int(c.session.Add(1))
		if s.number > 1 {
			c.broker.about.Forget()
		}
		c.broker.opts.Tell(broker.Event{Kind: broker.Connected, Session: s.number})
		err := s.run()
		if c.life.Err() != nil {
			return
		}
		c.broker.opts.Tell(broker.Event{Kind: broker.Lost, Session: s.number, Err: err})
		log.Warn("connection to redis lost", "broker", c.broker.address.String(), "session", s.number, "err", err)
		// A server that takes connections and ends them at once is no reason to spin.
		if time.Since(began) > redisclient.RetryMax {
			pause = redisclient.RetryMin
		} else if !redisclient.Rest(c.life, pause) {
			return
		} else {
			pause = min(2*pause, redisclient.RetryMax)
		}
		s = c.reconnect()
	}
}

// run works until a connection breaks or the consumer ends, and says why.
func (s *session) run() error {
	s.work.Go(s.exchange)
	s.work.Go(s.restore)
	for _, src := range s.c.sources {
		for _, w := range src.waiters {
			s.work.Go(func() { s.wait(w) })
		}
	}
	if s.c.broker.address.delay {
		s.work.Go(s.release)
	}
	s.work.Go(func() { s.fail(redisclient.Attend(s.life, s.link)) })
	<-s.life.Done()
	err := context.Cause(s.life)
	s.close()
	return err
}

// reconnect tries without a limit; nil: the consumer has ended.
func (c *Consumer) reconnect() *session {
	for pause := redisclient.RetryMin; ; pause = min(2*pause, redisclient.RetryMax) {
		ctx, cancel := context.WithTimeout(c.life, redisclient.PingTimeout)
		s, err := c.connect(ctx)
		cancel()
		if err == nil {
			return s
		}
		if !redisclient.Rest(c.life, pause) {
			return nil
		}
	}
}

// broken ends the session when the error is one of its connection, and tells
// whether it was.
func (s *session) broken(err error) bool {
	var reply redis.Error
	if err == nil || errors.As(err, &reply) {
		return false
	}
	s.fail(err)
	return true
}
