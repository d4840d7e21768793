// Package task says what a task is: its message and options, its states, the
// registry of handlers that run it, and how a message looks on the wire.
//
// The wire format is Celery's message protocol 2 with JSON bodies: a body
// [args, kwargs, embed] and a table of headers. On AMQP the headers and the
// properties travel beside the body; elsewhere one JSON envelope holds all
// three. Pickle is never read.
//
//	New ─▶ Message ─▶ Encode ─▶ broker ─▶ Decode ─▶ Message ─▶ Registry ─▶ Handler
package task
