package ledger

// Event is what a line reports.
type Event string

// Events of any process.
const (
	Opened Event = "opened" // first line; Detail: name, role, pid
	Closed Event = "closed" // last line of a process that ended by itself
)

// Events of whoever publishes: producer, scheduler, worker.
const (
	Planned   Event = "planned"   // the task is owed, before anyone can publish it
	Attempted Event = "attempted" // before the publish
	Confirmed Event = "confirmed" // the broker says it has it
	Refused   Event = "refused"   // certainly not stored: Reason
	Unsure    Event = "unsure"    // may or may not be stored: Reason
)

// Events of a worker.
const (
	Connected    Event = "connected"     // Session stands
	Lost         Event = "lost"          // Session ended without being asked: Reason
	Consuming    Event = "consuming"     // subscribed: deliveries may come
	Received     Event = "received"      // the delivery is in this process, not yet accepted by a slot
	Accepted     Event = "accepted"      // a slot took the delivery
	Dropped      Event = "dropped"       // received, then gone with its session or lease before a slot took it
	GivenBack    Event = "given-back"    // received, then given back politely before a slot took it
	AckSending   Event = "ack-sending"   // before the acknowledgement
	AckSent      Event = "ack-sent"      // handed to the client library; not yet a fact
	Acked        Event = "acked"         // the broker has processed every acknowledgement of this session, where deliveries outlive it of any, up to line Upto of this file
	AckUnsure    Event = "ack-unsure"    // a settlement may or may not have taken effect: Reason. Without a task: so with all that acked would be about, up to line Upto
	StaleAck     Event = "stale"         // a settlement was refused as too late; nothing changed
	Started      Event = "started"       // the handler begins
	Finished     Event = "finished"      // the handler returned without an error: its last act
	Failed       Event = "failed"        // the handler returned an error or panicked: Reason. Final when no retry follows
	Interrupted  Event = "interrupted"   // the handler was stopped by the worker's shutdown, after an early acknowledgement
	Requeuing    Event = "requeuing"     // before giving an accepted delivery back
	Requeued     Event = "requeued"      // after it
	Rejecting    Event = "rejecting"     // before parking it in the dead letters: Reason
	Rejected     Event = "rejected"      // after it
	Postponed    Event = "postponed"     // not run, it came before its ETA: the broker has confirmed another message of it for then
	Expired      Event = "expired"       // not run, its time had passed
	Revoked      Event = "revoked"       // not run, somebody revoked it
	Collapsed    Event = "collapsed"     // not run: it is to run once, and the result store says that it has succeeded
	CalledOff    Event = "called-off"    // never to be published: what it waits for has failed: Reason. The task is another than the one at work
	JoinLost     Event = "join-lost"     // ended, but its chord could not count it, and nobody will: Reason
	ResultStored Event = "result-stored" // the result store has taken State
	ResultKept   Event = "result-kept"   // it holds a later or a finished state and did not take this one: State, Reason
	ResultLost   Event = "result-lost"   // ended, but its result could not be stored: State, Reason
	Untold       Event = "untold"        // will not run, and that could not be stored for whoever waits for it: State, Reason
	Holding      Event = "holding"       // paused at checkpoint Point until told to go on
	Checkpoint   Event = "checkpoint"    // reached Point where the process kills itself: its last line
	Draining     Event = "draining"      // told to stop politely
)

// Events of a scheduler. Each tick that is due is planned, with the schedule and
// the due moment in Detail.
const (
	Leading  Event = "leading"  // this scheduler sends from here on: Detail term
	Resigned Event = "resigned" // its term ended as it wished: Detail term
	Deposed  Event = "deposed"  // its term ended otherwise, or can no longer be trusted: Detail term, Reason
	Missed   Event = "missed"   // a tick will not be attempted (again), by its catch-up policy: Reason. Without a task: N ticks of the schedule in Detail
	Skipped  Event = "skipped"  // a tick will not be attempted, the one before it has not ended: Reason
)

// Events of a self-test.
const (
	PlantFired Event = "plant-fired" // the planted fault named Fault did what it is for
)

// Events of the runner.
const (
	ProcessStarted Event = "process-started" // Process, Detail pid
	ProcessEnded   Event = "process-ended"   // Process, Detail code, signal
	FaultInjected  Event = "fault-injected"  // Fault, Detail what really happened; only after it was verified
	FaultHealed    Event = "fault-healed"    // Fault
	ProbeOK        Event = "probe-ok"        // the broker is healthy: Point "before" or "after"
	ProbeFailed    Event = "probe-failed"    // it is not: Point, Reason
	CensusOpened   Event = "census-opened"   // Queue; no consumer is left
	Held           Event = "held"            // the broker holds Message of Task in State
	CensusClosed   Event = "census-closed"   // Queue, N messages; Reason when it is incomplete
	DepthSeen      Event = "depth"           // Queue, N: what the broker says it holds, all states; just before the census
	Measured       Event = "measured"        // Point names a measure, Value is it
)
