package redisstore

import "time"

const (
	prefix      = "acklab:schedule:"
	entriesKey  = prefix + "entries"
	fileKey     = prefix + "file"
	statesKey   = prefix + "states"
	pendingKey  = prefix + "pending"
	removedKey  = prefix + "removed"
	requestsKey = prefix + "requests"
	revisionKey = prefix + "revision"
	askedKey    = prefix + "asked"
	leaderKey   = prefix + "leader"
	termKey     = prefix + "term"

	// The channels: an edit or a request, and a leader that has resigned.
	editedChannel   = prefix + "edited"
	resignedChannel = prefix + "resigned"
)

// Kept is how many outcomes of a schedule the history holds.
const Kept = 100

func historyKey(name string) string { return prefix + "history:" + name }

// moment is a time as the scripts compare it: texts of one length, in UTC.
func moment(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2006-01-02T15:04:05.000000000Z")
}
