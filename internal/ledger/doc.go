// Package ledger is the laboratory's memory: append-only files of JSON lines
// in which every process says what it saw, and from which every count of a
// report is made.
//
// One file belongs to one incarnation of one process; a restarted process
// begins another file. A line is one write(2) to a file opened with O_APPEND,
// so a SIGKILL tears nothing that was written before it. What is about to
// happen is written before it (attempted, ack-sending), what has happened
// after it (confirmed, ack-sent). Lines are numbered from 1 without a gap, the
// first is opened, the last is closed; a file that ends otherwise belongs to a
// process that was killed, and the trial's manifest says so.
//
// Lines of different processes are put in order by mono, the host's
// CLOCK_MONOTONIC; wall is for people.
package ledger
