package redisstore

import (
	"context"
	"time"

	"github.com/redis/go-redis/v9"
)

// pingInterval: a subscription that does not answer within it is made again.
const pingInterval = 3 * time.Second

// hear gives a value when something was published on the channel, and when the
// subscription stands, be it the first or one after a lost connection: what was
// published before was not heard. Values coalesce. It ends with ctx or the store;
// the channel is not closed.
func (s *Store) hear(ctx context.Context, channel string) <-chan struct{} {
	heard := make(chan struct{}, 1)
	s.start(func() {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		defer context.AfterFunc(s.life, cancel)()
		sub := s.client.Subscribe(ctx, channel) // what cannot be subscribed now is when the link stands
		all := sub.ChannelWithSubscriptions(redis.WithChannelHealthCheckInterval(pingInterval))
		defer func() {
			_ = sub.Close()
			for range all { // until nothing of it runs
			}
		}()
		for {
			select {
			case <-ctx.Done():
				return
			case _, open := <-all:
				if !open {
					return
				}
				notify(heard)
			}
		}
	})
	return heard
}

// notify leaves one value in a channel that has room for one.
func notify(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
