package rabbitbroker

import (
	"time"

	"acklab/broker"
)

// quorumUnlimited is how many unacknowledged messages a quorum queue sends to
// a consumer without a prefetch (rabbit_quorum_queue:consume/3 of 3.10.8).
const quorumUnlimited = 2000

// maxPrefetch is the largest prefetch that AMQP can express.
const maxPrefetch = 65535

// delayLate is how much later than its step a message of an idle server comes
// where the delay queue exists (measured beside other work: median 2 ms, with
// quorum queues 8 ms; the first message of a step waits for its queue too).
const delayLate = 100 * time.Millisecond

// Traits tell what RabbitMQ does with queues of the URL's type. Version is
// empty until a connection stood.
//
// Marks is "while up" for classic queues. Every message that was with a
// consumer comes back marked; but a node that was killed marks, when it is
// back, all messages of the queue, also those that no consumer has ever had,
// because its queue index cannot tell (rabbit_queue_index:recover_message/6
// of 3.10.8, and a test of this package).
// Prefetched deliveries count as deliveries, whether Receive handed them out
// or not: the broker cannot know. On quorum queues they raise the delivery
// count, polite give-backs included.
// DelayRounding holds for delays of 100 ms and more, the first step of the
// grid; what a shorter one is longer than itself is within DelayLate.
// With confirms=false no publish is refused or confirmed: what goes to an
// unknown queue is told as an event and lost, which RefusesUnknownQueue has no
// word for (it is false).
func (b *Broker) Traits() broker.Traits {
	b.mu.Lock()
	version := b.version
	b.mu.Unlock()
	t := broker.Traits{
		System: "rabbitmq", Server: "rabbitmq", Version: version,
		Returns: broker.OnDisconnect, ReturnMin: 0, ReturnMax: 100 * time.Millisecond,
		Confirms: b.addr.confirms, RefusesUnknownQueue: b.addr.confirms,
		SurvivesKill: b.addr.durable && b.addr.persistent && b.addr.confirms,
		Marks:        broker.MarksWhileUp, Counts: false, FIFO: true,
		Delay: broker.Emulated, DelayRounding: coarsest(), DelayLate: grid[0].wait + delayLate,
		Priority: broker.Absent, DeadLetters: broker.Emulated,
		MaxPayload: maxBody, SeesUnacked: false,
	}
	if b.addr.priority {
		t.Priority, t.PriorityLevels = broker.Native, maxPriority+1
	}
	if b.addr.quorum {
		t.System = "rabbitmq-quorum"
		t.Marks, t.Counts = broker.MarksAlways, true
		t.MaxPrefetch = quorumUnlimited
	}
	return t
}
