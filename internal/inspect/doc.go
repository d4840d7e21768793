// Package inspect shows what lies physically in a broker: the keys of a Redis
// database, or the queues, exchanges and bindings of a RabbitMQ virtual host.
// It only reads: it writes no key, declares and consumes nothing.
//
// Package doctor uses its connections too (Target, Management), so that one
// place reads broker URLs for both. No error and no output of this package
// contains a password.
package inspect
