// Package rabbitbroker is a broker.Broker over RabbitMQ, by AMQP 0-9-1.
//
// Queues are declared exactly as Celery declares them: durable and without
// arguments, or as quorum queues when the URL says queue_type=quorum. Beside
// each queue stands its dead letter queue, <queue>.dead.
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
//   - Acknowledgements are not bound to ctx: they are written at once.
package rabbitbroker
