package demo

// Kinds of errors that demo tasks have beside those of package task; a retry
// policy can choose them.
const (
	KindFlaky       = "flaky"       // fail_n_times, usually; also transient
	KindFatal       = "fatal"       // fail_n_times, when asked for: no retry is worth it
	KindConnection  = "connection"  // fetch_url: no connection, or no answer in time; also transient
	KindUnavailable = "unavailable" // fetch_url: status 500 or more; also transient
	KindRejected    = "rejected"    // fetch_url: status 400 to 499
)

// Kinds are all of them.
var Kinds = []string{KindFlaky, KindFatal, KindConnection, KindUnavailable, KindRejected}
