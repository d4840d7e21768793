package redisbroker

import (
	"context"
	"time"

	"acklab/broker/redisclient"
)

const (
	// duePage is how many due messages of a list are moved together.
	duePage = 100
	// lookAgain is how long nobody looks at what is not due for long: a word of
	// a publisher may have been lost.
	lookAgain = 10 * time.Second
)

// release moves delayed messages to their lists when they are due. Publishers
// tell of each new one on a channel, so it knows when that is.
func (s *session) release() {
	if s.c.isStopping() {
		return
	}
	var keys, channels []string
	for _, src := range s.c.sources {
		for i, step := range steps {
			keys = append(keys, delayedKey(src.queue, step), src.lists[i])
		}
		channels = append(channels, dueChannel(src.queue))
	}
	news := make(chan struct{}, 1)
	s.work.Go(func() { s.listen(channels, news) })
	var pause time.Duration
	for {
		wait, err := s.releaseOnce(keys)
		if err != nil {
			if s.broken(err) {
				return
			}
			s.c.broker.opts.Logger().Debug("delayed messages were not moved", "broker", s.c.broker.address.String(), "err", err)
			pause = min(max(2*pause, redisclient.RetryMin), redisclient.RetryMax)
			if !redisclient.Rest(s.life, pause) {
				return
			}
			continue
		}
		pause = 0
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-news:
		case <-s.c.stopping:
			timer.Stop()
			return
		case <-s.life.Done():
			timer.Stop()
			return
		}
		timer.Stop()
	}
}

// releaseOnce moves what is due and returns in how long to look again.
func (s *session) releaseOnce(keys []string) (time.Duration, error) {
	ms, err := dueScript.Run(context.Background(), s.client, keys, duePage).Int64() // ends with the session
	if err != nil {
		return 0, err
	}
	if ms < 0 || ms > lookAgain.Milliseconds() {
		return lookAgain, nil
	}
	return time.Duration(ms) * time.Millisecond, nil
}

// listen passes on that something new is delayed, or may be: at its beginning.
// Where Redis does not let it, release looks by itself, from time to time.
func (s *session) listen(channels []string, news chan<- struct{}) {
	for {
		err := s.hear(channels, news)
		if s.broken(err) {
			return
		}
		s.c.broker.opts.Logger().Warn("redis does not tell of delayed messages: they may be late", "broker", s.c.broker.address.String(), "err", err)
		if !redisclient.Rest(s.life, lookAgain) {
			return
		}
	}
}

func (s *session) hear(channels []string, news chan<- struct{}) error {
	words := s.client.Subscribe(s.life, channels...)
	defer words.Close()
	for {
		if _, err := words.Receive(s.life); err != nil {
			return err
		}
		select {
		case news <- struct{}{}:
		default:
		}
	}
}
