// Package producer puts tasks on queues: one, or a load of a given shape. It
// keeps the ledger's promise about publishing: attempted is written before the
// publish, and confirmed, refused or unsure after it, so that the difference
// between what was asked for and what the broker took is never a guess.
package producer
