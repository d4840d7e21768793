// Package redisclient is what the drivers of a Redis have in common, those of
// brokers and the one of a result store: how a URL names a server, how a
// connection is made and how it ends, which replies mean that nothing was
// stored, what becomes of the messages of one publish, and what the server says
// about itself. It knows nothing of the layout of queues.
package redisclient
