package broker

// EventKind says what happened below the calls of a driver.
type EventKind string

// What drivers report.
const (
	Connected  EventKind = "connected"  // a session stands, or a connection that only publishes: Session
	Lost       EventKind = "lost"       // it ended without being asked: Session, Err
	Blocked    EventKind = "blocked"    // the server takes no publishes for now: Err says why
	Unblocked  EventKind = "unblocked"  // it takes them again
	Returned   EventKind = "returned"   // a publish came back as unroutable: MessageID, Queue
	Arrived    EventKind = "arrived"    // a delivery is with this consumer: Delivery
	Dropped    EventKind = "dropped"    // a delivery not yet handed out went with its session or lease: Delivery
	GivenBack  EventKind = "given-back" // a delivery not yet handed out went back politely: Delivery
	Stale      EventKind = "stale"      // a settlement came too late and was not sent: Delivery
	Unconsumed EventKind = "unconsumed" // the server cancelled the subscription: Queue, Err
)

// Event is one thing that happened. Fields that do not apply are zero.
type Event struct {
	Kind EventKind
	// Session is the consumer's, as in Delivery; from 1. Zero: no consumer has
	// to do with it, for instance where a connection that only publishes stands
	// or was lost, and no delivery ends with that.
	Session   int
	Queue     string
	MessageID string
	Delivery  *Delivery
	Err       error
}
