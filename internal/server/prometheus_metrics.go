package server

import (
	"context"
	"fmt"
	"strconv"
	"strings"
)

// Metrics are all numbers of INFO in Prometheus' text format: a line
// redis_<key> <number> each, as redis_used_memory. What INFO says in words or
// in groups (db0:keys=1,...) is left out.
func (r *Redis) Metrics(ctx context.Context) (string, error) {
	ctx, cancel := bounded(ctx)
	defer cancel()
	p := r.Process()
	if !p.Alive() {
		return "", r.failed("ask for INFO", ErrNotRunning)
	}
	ctx, release := whileAlive(ctx, p)
	defer release()
	c := r.clientUntil(ctx)
	defer c.Close()
	info, err := c.Info(ctx).Result()
	if err != nil {
		return "", r.failed("ask for INFO", because(ctx, err))
	}
	return infoMetrics(info), nil
}

func infoMetrics(info string) string {
	var page strings.Builder
	for line := range strings.Lines(info) {
		key, value, ok := strings.Cut(strings.TrimSpace(line), ":")
		if !ok || !isMetricWord(key) {
			continue
		}
		if _, err := strconv.ParseFloat(value, 64); err != nil {
			continue
		}
		fmt.Fprintf(&page, "redis_%s %s\n", key, value)
	}
	return page.String()
}

func isMetricWord(key string) bool {
	for _, c := range key {
		if c != '_' && (c < '0' || c > '9') && (c < 'a' || c > 'z') {
			return false
		}
	}
	return key != ""
}
