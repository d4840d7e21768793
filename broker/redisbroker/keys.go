package redisbroker

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// The keys of kombu's transport over Redis (kombu/transport/redis.py), in
// their default names.
const (
	unackedKey    = "unacked"
	indexKey      = "unacked_index"
	mutexKey      = "unacked_mutex" // held by who sweeps
	bindingPrefix = "_kombu.binding."
	separator     = "\x06\x16"
)

// steps are the priorities of the wire that have a list of their own; others
// are rounded down. Lower is served first.
var steps = [...]int{0, 3, 6, 9}

// stepSuffix is what follows the name of a queue for the step of a priority of
// the wire.
func stepSuffix(priority int) string {
	step := max(0, min(priority, 9)) / 3 * 3
	if step == 0 {
		return ""
	}
	return separator + string(rune('0'+step))
}

// listKey is the list of a queue for a priority of the wire.
func listKey(queue string, priority int) string { return queue + stepSuffix(priority) }

// delayedKey is the set of messages of that priority that wait for their ETA:
// ours alone, Celery has none.
func delayedKey(queue string, priority int) string {
	return queue + ".delayed" + stepSuffix(priority)
}

// deadKey is the list of a queue's dead letters, ours alone.
func deadKey(queue string) string { return queue + ".dead" }

// dueChannel is where a publisher tells of a new delayed message.
func dueChannel(queue string) string { return queue + ".delayed" }

// listKeys are the lists of a queue in the order in which they are served.
func listKeys(queue string) []string {
	keys := make([]string, len(steps))
	for i, step := range steps {
		keys[i] = listKey(queue, step)
	}
	return keys
}

// binding is the set and the member by which a Celery worker binds a queue to
// the exchange of the same name: routing key, pattern, queue.
func binding(queue string) (key, member string) {
	return bindingPrefix + queue, strings.Join([]string{queue, "", queue}, separator)
}

// checkName refuses names that are no queue on this layout.
func checkName(queue string) error {
	switch {
	case strings.TrimSpace(queue) == "":
		return fmt.Errorf("queue name %q is blank", queue)
	case !utf8.ValidString(queue):
		return fmt.Errorf("queue name %q is not UTF-8", queue)
	case slices.Contains([]string{unackedKey, indexKey, mutexKey}, queue),
		strings.HasPrefix(queue, bindingPrefix), strings.Contains(queue, separator):
		return fmt.Errorf("queue name %q is a key that Celery uses for something else", queue)
	}
	return nil
}

// jsonName is a queue's name as Python's json writes it: in ASCII.
func jsonName(queue string) string {
	var quoted bytes.Buffer
	e := json.NewEncoder(&quoted)
	e.SetEscapeHTML(false)
	_ = e.Encode(queue) // a string can always be encoded
	var out strings.Builder
	for _, r := range strings.TrimSuffix(quoted.String(), "\n") {
		switch {
		case r < 0x80:
			out.WriteRune(r)
		case r > 0xffff:
			high, low := utf16.EncodeRune(r)
			fmt.Fprintf(&out, `\u%04x\u%04x`, high, low)
		default:
			fmt.Fprintf(&out, `\u%04x`, r)
		}
	}
	return out.String()
}

// entryEnd is what follows the message in its entry of unacked, which is the
// JSON of [message, exchange, routing key]. The default exchange, and the name
// of the queue that the message was taken from, lead it back there.
func entryEnd(queue string) string { return `,"",` + jsonName(queue) + `]` }
