// Package worker takes tasks from a broker and runs them.
//
// A worker has as many slots as its concurrency. The broker sends it up to
// prefetch deliveries per queue; a slot accepts one at a time, acknowledges it
// early (before the handler) or late (after it), and runs its handler. The
// acknowledgement is in one place, ack.go, because it is what the laboratory
// is about.
//
//	broker ──▶ received ──▶ accepted ─┬─ early: ack ─▶ started ─▶ finished
//	                                  └─ late:         started ─▶ finished ─▶ ack
//
// Every arrow is a line in the ledger, and a checkpoint at which the worker
// can be told to kill itself with SIGKILL (checkpoint.go).
//
// A task that fails may be tried again (retry.go): its retry, another message,
// is with the broker before a late acknowledgement. So is what follows a task in a
// workflow (links.go, chord.go).
package worker
