// Package bench compares acklab with the client libraries alone: the same work
// on the same private server in the same run, in turns, because a machine's
// speed changes from minute to minute. It has no code of its own but its
// benchmarks; make bench runs them and prints one table.
//
// A ratio is acklab's throughput as a part of the bare library's: 1 is as fast,
// 0.8 is the least that is wanted with every ledger line written.
package bench
