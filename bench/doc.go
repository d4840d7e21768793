// Package bench compares acklab with the client libraries alone: the same work
// on the same private server in the same run, in turns, because a machine's
// speed changes from minute to minute. It has no code of its own but its
// benchmarks; make bench runs them and prints one table.
//
// A ratio is acklab's throughput as a part of the other's: 1 is as fast, 0.8 is
// the least that is wanted against a library with every ledger line written, and
// of a result store. On Redis the other is redis-benchmark too, which does
// nothing with what it pushes and pops; a second table has everybody who worked
// off the same tasks there, Celery's own worker among them. A third has how soon
// a consumer on an idle queue has what is pushed: 2 ms are the most that is wanted.
//
// The scheduler has limits instead: how far behind the due time its ticks may be
// with the broker, and what it may cost with nothing to send. A busy machine makes
// everybody late, so a bare loop beside it says how late that is.
//
// What is missing on this machine is a line that says so.
package bench
