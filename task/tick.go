package task

import (
	"time"

	"github.com/google/uuid"
)

// ticks is the namespace of tick ids: a UUIDv5 of "acklab.tick" in the URL
// namespace, so that other programs can compute the same ids.
var ticks = uuid.NewSHA1(uuid.NameSpaceURL, []byte("acklab.tick"))

// TickID is the id of a schedule's tick: a UUIDv5 of the schedule's name and the
// moment when it is due. Whoever sends the tick, and how often, it has the same
// id, so that doubles can collapse.
func TickID(schedule string, due time.Time) string {
	return uuid.NewSHA1(ticks, []byte(schedule+"\x00"+due.UTC().Format(time.RFC3339Nano))).String()
}
