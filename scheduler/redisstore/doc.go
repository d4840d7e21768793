// Package redisstore keeps schedules, their states and the leader's lease in a
// Redis, so that schedules can be edited while they run and several schedulers
// can stand by for one another. Store is a scheduler.Source, a scheduler.Keeper
// and a scheduler.Elector in one, and what `acklab schedule` edits.
//
//	acklab:schedule:entries       hash    name ─▶ revision and schedule
//	acklab:schedule:file          hash    name ─▶ schedule of the leader's file
//	acklab:schedule:states        hash    name ─▶ state
//	acklab:schedule:pending       hash    tick ─▶ claimed, not settled
//	acklab:schedule:requests      hash    tick ─▶ asked for by hand, not settled
//	acklab:schedule:removed       hash    name ─▶ removed: its late claims and outcomes leave nothing
//	acklab:schedule:history:NAME  list    the last 100 outcomes, youngest first
//	acklab:schedule:revision      number  goes up with each edit
//	acklab:schedule:asked         number  goes up with each request
//	acklab:schedule:leader        text    term and holder of the lease, expires
//	acklab:schedule:term          number  the last term
//
// # The lease
//
// Whoever sets the leader's key leads, for as long as it lives, and renews it
// every third of that. Those who wait are woken by a published resignation, and
// else look again when the lease they saw would have ended. So a leader that was
// killed is followed after at most one lease.
//
// The lease alone excludes nothing: a leader can be frozen between a look at its
// clock and its publish (the well known objection to locks with a time limit).
// What counts is the term, a number that only goes up. Claim and Settle are
// scripts that write nothing for a term that is not the last one, so an old
// leader cannot move a schedule, and whatever it had claimed is pending for its
// successor. The deadline on the local clock only makes doubles rare.
//
// What cannot be excluded:
//
//   - A publish that is under way, or past the look at the deadline, when its
//     leader freezes or is cut off. The successor finds the tick pending and sends
//     it again: a double, with the same message id.
//   - A machine that was suspended: the monotonic clock of Linux stands still
//     meanwhile, so the deadline lies too late by that. Terms still hold.
//   - A Redis that has lost its data has lost schedules and states as well. The
//     term is at least the server's clock in milliseconds, so it goes up all the
//     same and old leaders stay out, unless that clock has gone back too, before
//     the last term was drawn, and the old leader is not the one that campaigns.
//     Claims that were lost are not pending for anybody: such a tick may be sent
//     twice or be missed, as the states that came back say.
//   - A server with replicas that fails over to one that lags is a server that
//     has lost data; so is one that evicts keys when its memory is full.
package redisstore
