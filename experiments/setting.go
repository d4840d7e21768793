package experiments

import (
	"maps"
	"slices"
)

// settingOrder is the order in which settings are said; others follow by name.
var settingOrder = []string{"ack", "policy", "crash_at", "chain", "slots", "member", "once", "then", "killed", "durable", "persistent", "confirms", "persistence", "end", "load", "queue_age", "publish", "routes", "order", "published", "prefetch", "queue", "delay_queue", "delay", "held_by", "fail_rate", "max_retries", "task", "fault", "pool", "lease", "settle", "results", "down", "track_started", "wait"}

// keys are the setting's keys in the order of reports.
func (s Setting) keys() []string {
	rank := func(k string) int {
		if i := slices.Index(settingOrder, k); i >= 0 {
			return i
		}
		return len(settingOrder)
	}
	return slices.SortedFunc(maps.Keys(s), func(a, b string) int {
		if d := rank(a) - rank(b); d != 0 {
			return d
		}
		if a < b {
			return -1
		}
		return 1
	})
}

// words are the setting's values in that order.
func (s Setting) words() []string {
	var words []string
	for _, k := range s.keys() {
		words = append(words, s[k])
	}
	return words
}
