package doctor

import (
	"context"
	"strconv"

	"acklab/internal/inspect"
)

// redisFacts are what a Redis server says of itself.
type redisFacts struct {
	info     map[string]string
	config   map[string]string // nil: CONFIG is refused
	refusal  string            // what the server said to CONFIG
	version  version
	valkey   bool
	loopback bool  // the URL names this machine's loopback
	tls      bool  // the URL asks for TLS
	open     *bool // it serves clients that give no password; nil: not known
}

// redisSettings are the ones that the rules want.
var redisSettings = []string{
	"appendonly", "appendfsync", "save", "stop-writes-on-bgsave-error", "maxmemory", "maxmemory-policy",
	"bind", "protected-mode", "timeout", "tcp-keepalive", "min-replicas-to-write", "replica-read-only", "maxclients",
}

func askRedis(ctx context.Context, t *inspect.Target) (redisFacts, error) {
	c := t.Redis()
	defer c.Close()
	info, err := t.Info(ctx, c)
	if err != nil {
		return redisFacts{}, err
	}
	f := redisFacts{info: info, config: map[string]string{}, loopback: t.Loopback(), tls: t.TLS(), valkey: info["valkey_version"] != ""}
	f.version = parseVersion(info["redis_version"])
	for _, name := range redisSettings {
		answer, err := c.ConfigGet(ctx, name).Result()
		if inspect.Refused(err) {
			f.config, f.refusal = nil, err.Error()
			break
		}
		if err != nil {
			return redisFacts{}, err
		}
		if value, ok := answer[name]; ok {
			f.config[name] = value
		}
	}
	if open, err := t.ServesWithoutPassword(ctx); err == nil {
		f.open = &open
	}
	return f, nil
}

// setting is a value of CONFIG; not ok: not known.
func (f redisFacts) setting(name string) (string, bool) {
	value, ok := f.config[name]
	return value, ok
}

// number is a numeric field of INFO, 0 if there is none.
func (f redisFacts) number(field string) float64 {
	n, err := strconv.ParseFloat(f.info[field], 64)
	if err != nil {
		return 0
	}
	return n
}
