package check

// Names of the counts of a trial, in the order of a report. All of them are
// counts of tasks but leftover, which counts messages.
//
// They add up, always:
//
//	planned   = attempted + never_sent
//	attempted = confirmed + unsure + refused
//	confirmed = finished + failed + dead + expired + revoked + stranded + lost + unaccounted
//	unsure    = recovered + absent
//	lost      = lost_after_ack + lost_in_broker + lost_while_taken + lost_unexplained
//
// planned counts what was owed, whether or not a planned line said so before
// the attempt. phantom is a part of refused, called_off of never_sent; unexpected
// is outside of planned.
var Names = []string{
	"planned", "never_sent", "called_off", "attempted", "confirmed", "refused", "unsure", "recovered", "absent", "phantom", "unexpected",
	"finished", "failed", "dead", "expired", "revoked", "stranded", "lost", "lost_after_ack", "lost_in_broker", "lost_while_taken", "lost_unexplained", "unaccounted",
	"repeated", "restarted", "redelivered", "copied", "leftover", "result_lost", "collapsed",
}

// Counts are the counts of a trial by name; every name of Names is present.
type Counts map[string]int

// Bounds are predicted ranges, both ends included, by the name of a count or
// of a measure. A count of Names that is not stated and is not Free is
// predicted to be [0,0], with two exceptions that keep a prediction from
// contradicting itself: the parts of a stated sum (lost, unsure) may be
// anything up to it, and the sum of stated parts is their sum. A measure is
// predicted only when it is stated.
type Bounds map[string][2]int

// Free are the counts that describe the load and not what became of it: they
// are predicted only when they are stated.
var Free = map[string]bool{"planned": true, "attempted": true, "confirmed": true, "finished": true}

// Never are the counts that no prediction may excuse: more than zero of one is
// always a surprise (or, for unaccounted, makes the trial unsure).
var Never = map[string]bool{"phantom": true, "unexpected": true, "lost_unexplained": true, "unaccounted": true}

// parts are the sums whose parts are counts of their own.
var parts = map[string][]string{
	"lost":   {"lost_after_ack", "lost_in_broker", "lost_while_taken", "lost_unexplained"},
	"unsure": {"recovered", "absent"},
}

// sumOf finds the sum that a part belongs to; "" if it is no part.
func sumOf(part string) string {
	for sum, names := range parts {
		for _, n := range names {
			if n == part {
				return sum
			}
		}
	}
	return ""
}

func isCount(name string) bool {
	for _, n := range Names {
		if n == name {
			return true
		}
	}
	return false
}

// newCounts has every name, at zero.
func newCounts() Counts {
	c := make(Counts, len(Names))
	for _, n := range Names {
		c[n] = 0
	}
	return c
}
