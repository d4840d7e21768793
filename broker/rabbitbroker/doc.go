// Package rabbitbroker is a broker.Broker over RabbitMQ, by AMQP 0-9-1.
//
// Queues are declared exactly as Celery declares them: durable and without
// arguments, or as quorum queues when the URL says queue_type=quorum. Beside
// each queue stands its dead letter queue, <queue>.dead. Messages with an ETA
// wait in its delay queues, <queue>.delay.<step>, one for each step of a grid
// from 100 ms to 30 days that was needed so far; <queue>.delay holds nothing
// and is a lock.
//
// One connection publishes, one belongs to each consumer, and one asks
// questions (declare, depth, census): a server that holds publishers back in
// an alarm stops reading a whole connection, and acknowledgements must not
// wait behind that. The client library's own recovery is off, because it sends
// old delivery tags on new channels.
//
// What a caller has to know beside the contract of package broker:
//
//   - A negative confirm is ErrUnsure, always. A full queue that rejects and a
//     queue whose process died look the same on the wire, and the driver
//     declares no length limit of its own.
//   - Flush costs one round trip on classic queues. On quorum queues it costs
//     two commands of the queue's Raft log for each queue with settlements,
//     see fence.go for why less does not do.
//   - Delays are rounded up to the grid (grid.go) and made by a time to live
//     and dead lettering, in one hop. Delay queues are of the destination's
//     type: delay.go says what a kill does in the moment of the hop. Those of
//     classic queues are deleted when they are empty and nobody publishes
//     delays for that destination: 30 seconds after the last one was due, and
//     at Close (lock.go says why that takes a lock). Those of quorum queues
//     stay. A client that dies leaves its own to the others.
//   - A delay queue is as young as its first message: see Declare for what a
//     killed node forgets.
//   - Acknowledgements are not bound to ctx: they are written at once.
package rabbitbroker
