package check

// Class is what became of a task: exactly one each.
type Class string

// The classes. Confirmed tasks have one of Finished to Unaccounted; unsure
// ones Recovered or Absent; refused ones Refused or Phantom.
const (
	Finished    Class = "finished"
	Failed      Class = "failed"
	Dead        Class = "dead"
	Expired     Class = "expired"
	Revoked     Class = "revoked"
	Stranded    Class = "stranded"
	Lost        Class = "lost"
	Unaccounted Class = "unaccounted"
	Recovered   Class = "recovered"
	Absent      Class = "absent"
	Refused     Class = "refused"
	Phantom     Class = "phantom"
	Unexpected  Class = "unexpected"
	NeverSent   Class = "never_sent"
)

// Cause says where a lost task was lost.
type Cause string

// The causes of a loss, the first that applies.
const (
	AfterAck    Cause = "after-ack"   // the broker had been told to forget every message of it
	InBroker    Cause = "in-broker"   // the broker itself was broken on purpose, or died with its process
	WhileTaken  Cause = "while-taken" // a worker that takes in two steps ended between them
	Unexplained Cause = "unexplained" // none of them: always a surprise
)

// Condition is what a task was for the victim at the moment it died.
type Condition string

// The conditions. A task that the victim had settled and run, or had given
// back, is none of them.
const (
	Running    Condition = "running"    // the checkpoint's task; or accepted by a slot, not yet both settled and over
	Prefetched Condition = "prefetched" // received, no slot had taken it, not given back or dropped
	Waiting    Condition = "waiting"    // confirmed, never received by the victim, not over elsewhere
	Untouched  Condition = ""           // there was no victim, or none of the others applies
)

// Fate is all that the ledgers and the census say about one task.
type Fate struct {
	Task        string    `json:"task"`
	Class       Class     `json:"class"`
	Cause       Cause     `json:"cause,omitempty"`     // of a loss
	Condition   Condition `json:"condition,omitempty"` // at the victim's death
	Messages    []string  `json:"messages"`            // ids, in the order of their first line
	Starts      int       `json:"starts"`              // how often a handler began
	Finishes    int       `json:"finishes"`            // how often one finished
	Tries       int       `json:"tries"`               // how many different tries began: 1, and one for each retry
	Restarted   bool      `json:"restarted,omitempty"` // one of them began more than once
	Redelivered bool      `json:"redelivered,omitempty"`
	Copied      bool      `json:"copied,omitempty"`
	Leftover    int       `json:"leftover,omitempty"` // messages still held though the task has ended
	ResultLost  bool      `json:"result_lost,omitempty"`
	CalledOff   bool      `json:"called_off,omitempty"` // never sent, because what it waits for has failed
	Collapsed   bool      `json:"collapsed,omitempty"`  // came again after it had succeeded, and was not run again
	// BackAfter is the time from the victim's death to the moment another
	// process received what the victim had held (running or prefetched), in
	// seconds; -1: it did not come back, or the victim did not hold it.
	BackAfter float64 `json:"back_after"`
}

// Result is the judgement of one trial.
type Result struct {
	Counts   Counts             `json:"counts"`
	Measures map[string]float64 `json:"measures"`
	Fates    []Fate             `json:"-"`
	// Unsure are the reasons why the trial does not count; empty: it does.
	Unsure []string `json:"unsure,omitempty"`
	// Broken are findings that no prediction may excuse: a stale settlement
	// that was honoured, a redelivery mark that lied. Each makes a surprise.
	Broken []string `json:"broken,omitempty"`
}
