package redisresult

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
)

// How the subscription is kept: a ping that is not answered within the interval
// ends the connection, and go-redis makes another and subscribes again.
const (
	pingInterval = 3 * time.Second
	// again is the pause before what could not be subscribed is tried again.
	// Nobody waits for it: Await looks by itself meanwhile.
	again = 250 * time.Millisecond
	most  = 256 // channels in one command
)

// news is the one connection by which a client hears of results: it subscribes
// to the channels of the tasks that somebody waits for. It connects when somebody
// first does. Nothing here holds up a waiter.
type news struct {
	store *Store
	wake  chan struct{} // one token while the lists differ from what is subscribed

	mu      sync.Mutex
	wanted  map[string]bool // channels
	started bool
	closed  bool
	work    sync.WaitGroup
}

func newNews(s *Store) *news {
	return &news{store: s, wake: make(chan struct{}, 1), wanted: map[string]bool{}}
}

func (n *news) follow(id string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.wanted[keyPrefix+id] = true
	if !n.started && !n.closed {
		n.started = true
		n.work.Go(n.run)
	}
	n.signal()
}

func (n *news) unfollow(id string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.wanted, keyPrefix+id)
	n.signal()
}

func (n *news) signal() {
	select {
	case n.wake <- struct{}{}:
	default:
	}
}

// close returns when nothing of it runs. The client's life has ended.
func (n *news) close() {
	n.mu.Lock()
	n.closed = true
	n.mu.Unlock()
	n.work.Wait()
}

// run subscribes and hears until the client's life ends.
func (n *news) run() {
	life := n.store.life
	sub := n.store.client.Subscribe(life) // to nothing yet: no connection
	var hearing sync.WaitGroup
	hearing.Go(func() { n.hear(sub.ChannelWithSubscriptions(redis.WithChannelHealthCheckInterval(pingInterval))) })
	defer hearing.Wait()
	defer sub.Close() // ends what hear reads
	subscribed := map[string]bool{}
	retry := time.NewTimer(again)
	defer retry.Stop()
	for {
		select {
		case <-life.Done():
			return
		case <-n.wake:
		case <-retry.C:
		}
		if !n.update(life, sub, subscribed) {
			retry.Reset(again)
		}
	}
}

// update subscribes to what is wanted and not subscribed, and the other way
// round. It reports whether the server was told.
func (n *news) update(life context.Context, sub *redis.PubSub, subscribed map[string]bool) bool {
	n.mu.Lock()
	wanted := maps.Clone(n.wanted)
	n.mu.Unlock()
	var more, less []string
	for channel := range wanted {
		if !subscribed[channel] {
			more = append(more, channel)
		}
	}
	for channel := range subscribed {
		if !wanted[channel] {
			less = append(less, channel)
		}
	}
	told := true
	for chunk := range slices.Chunk(more, most) {
		if err := sub.Subscribe(life, chunk...); err != nil {
			n.lost(err)
			told = false
			continue
		}
		for _, channel := range chunk {
			subscribed[channel] = true
		}
	}
	for chunk := range slices.Chunk(less, most) {
		// go-redis forgets them whatever the error, and a new connection does not
		// subscribe to them.
		if err := sub.Unsubscribe(life, chunk...); err != nil {
			n.lost(err)
		}
		for _, channel := range chunk {
			delete(subscribed, channel)
		}
	}
	return told
}

func (n *news) lost(err error) {
	if n.store.life.Err() == nil {
		n.store.opts.Logger().Debug("cannot subscribe to results", "store", n.store.address.String(), "err", err)
	}
}

// hear wakes those who wait for a task: when a state of it was published, and when
// the subscription stands, be it the first or one after a lost connection: what
// was published before was not heard.
func (n *news) hear(all <-chan any) {
	for one := range all {
		channel := ""
		switch one := one.(type) {
		case *redis.Message:
			channel = one.Channel
		case *redis.Subscription:
			channel = one.Channel
		}
		if len(channel) > len(keyPrefix) {
			n.store.waiters.Wake(channel[len(keyPrefix):])
		}
	}
}
