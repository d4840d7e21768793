package redisclient

import (
	"context"
	"time"

	"github.com/redis/go-redis/v9"
)

const (
	pingEvery = time.Second
	// PingTimeout is how long a server that is connected may take to answer.
	PingTimeout = 3 * time.Second
	// RetryMin is the first pause between two tries to connect.
	RetryMin = 100 * time.Millisecond
	// RetryMax is the longest.
	RetryMax = 2 * time.Second
)

// Connect takes a connection of its own and sees that Redis answers on it. The
// caller closes it.
func Connect(ctx context.Context, client *redis.Client) (*redis.Conn, error) {
	link := client.Conn()
	if err := link.Ping(ctx).Err(); err != nil {
		link.Close()
		return nil, err
	}
	return link, nil
}

// Attend pings once a second until that fails or life ends, and says why.
func Attend(life context.Context, link *redis.Conn) error {
	tick := time.NewTicker(pingEvery)
	defer tick.Stop()
	for {
		select {
		case <-life.Done():
			return context.Cause(life)
		case <-tick.C:
		}
		ctx, cancel := context.WithTimeout(life, PingTimeout)
		err := link.Ping(ctx).Err()
		cancel()
		if err != nil {
			return err
		}
	}
}

// Reconnect tries until it succeeds, with growing pauses and without a limit;
// nil: life has ended.
func Reconnect(life context.Context, client *redis.Client) *redis.Conn {
	for pause := RetryMin; ; pause = min(2*pause, RetryMax) {
		ctx, cancel := context.WithTimeout(life, PingTimeout)
		link, err := Connect(ctx, client)
		cancel()
		if err == nil {
			return link
		}
		if !Rest(life, pause) {
			return nil
		}
	}
}

// Rest waits; false: ctx ended first.
func Rest(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
