package redisclient

import (
	"bufio"
	"context"
	"errors"
	"strings"
	"sync"

	"github.com/redis/go-redis/v9"
)

// Info is what a server says about itself; what it does not say is zero.
type Info struct {
	Version string
	// AOF: it writes an append-only file. Fsync is when that is synced (always,
	// everysec, no) and Save its save points, empty without; both are known
	// only where Configured is set, which takes a permission.
	AOF         bool
	Fsync, Save string
	Configured  bool
}

// About remembers what a server has said. Its zero value has heard nothing.
// Safe for concurrent use.
type About struct {
	mu    sync.Mutex // held while asking
	info  Info
	known bool
}

// Ask is what the server says now, if nothing is known, or said last; the
// error is why it could not be asked. An answer that refuses is not asked for
// again.
func (a *About) Ask(ctx context.Context, client *redis.Client) (Info, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.known {
		return a.info, nil
	}
	text, err := client.Info(ctx).Result()
	if err != nil {
		var reply redis.Error
		a.known = errors.As(err, &reply) // it was heard, and will say the same again
		return a.info, err
	}
	info := parseInfo(text)
	var reply redis.Error
	config, err := configuration(ctx, client)
	if err == nil {
		info.Fsync, info.Save, info.Configured = config["appendfsync"], config["save"], true
	}
	a.info, a.known = info, err == nil || errors.As(err, &reply)
	return info, nil
}

// Last is what the server said last.
func (a *About) Last() Info {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.info
}

// Forget makes the next Ask ask again: after a reconnection another server may
// answer at the address.
func (a *About) Forget() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.known = false
}

func parseInfo(text string) Info {
	var info Info
	for lines := bufio.NewScanner(strings.NewReader(text)); lines.Scan(); {
		name, value, _ := strings.Cut(lines.Text(), ":")
		switch name {
		case "redis_version":
			info.Version = value
		case "aof_enabled":
			info.AOF = value == "1"
		}
	}
	return info
}

// configuration asks for two settings in two commands: before version 7 CONFIG
// GET takes one name.
func configuration(ctx context.Context, client *redis.Client) (map[string]string, error) {
	all := map[string]string{}
	for _, name := range []string{"appendfsync", "save"} {
		one, err := client.ConfigGet(ctx, name).Result()
		if err != nil {
			return nil, err
		}
		all[name] = one[name]
	}
	return all, nil
}
