// Package scheduler sends tasks when they are due: at intervals, by a crontab
// line, or once at a moment.
//
//	Source ─schedules─▶ Beat ─Claim─▶ Keeper        what is about to be sent
//	                     │ ▲ ─publish─▶ broker
//	              Elector─┘  ─Settle─▶ Keeper       what came of it
//
// # Ticks
//
// A schedule has a Timing, a pure function that gives the next due moment after
// another; nobody counts from when a process began. A Tick is a schedule and a
// due moment, and its id follows from these two (task.TickID). It is the id of
// the task and of the message. So two schedulers that send the same tick send
// the same id, and doubles can collapse.
//
// # One leader, in terms
//
// Of several schedulers on one store, one leads. The store decides who; a
// leadership is a lease, and each has a number, its term, greater than all
// before.
//
//	              won
//	┌──────────┐ ─────────────▶ ┌────────┐
//	│ follower │                │ leader │ renews a third into its lease
//	└──────────┘ ◀───────────── └────────┘
//	              a later term, a lease not renewed in time, resigned
//
// The local clock serves only to stop early: a leader trusts its lease until
//
//	deadline = when it asked for the last renewal + length of the lease
//
// and sends nothing within a margin before that. It never asks how late it is by
// the store's clock. Every write to the store names the term, and the store
// refuses the writes of a term that is over (ErrDeposed). This is the model of
// River's leadership, with the term as a number.
//
// # At least once
//
// A tick is claimed, then published, then settled. The claim is the intent, the
// settling the fact. A new leader that finds a claim without an outcome publishes
// that tick again under the same id; it cannot know better. A publish that was
// refused for a passing reason, or is unsure, is repeated under the same id until
// the catch-up policy gives the tick up. So a tick is lost only where its policy
// says so, and then the ledger and the history say so too: a tick that is due is
// planned in the ledger, and one that was not attempted is never sent, not
// silence.
//
// # What cannot be excluded
//
// A leader can freeze between asking for its deadline and the last byte of a
// publish, or die between a publish and its settling. Its successor sends the
// tick again. The double has the same message id: asynq refuses it while it
// holds the first (which counts as sent), and a worker with a result store does
// not run it when the first has finished (Options.Once). What remains is a double
// while the first is running, on brokers that do not look at message ids. Each
// tick that is sent though it may have been sent before is counted
// (acklab_scheduler_repeated_total) and says so in the ledger.
//
// Nor can it be excluded that the clocks of two machines differ. A leader whose
// clock is slow sends late; one that follows a leader whose clock was fast finds
// ticks settled that are not due by its own, and does not send them again.
//
// # Edits
//
// When a source says that something may have changed, all schedules and states are read
// again beside the loop, which goes on sending by what it has. What was read is put into
// force between two rounds of sending, as a whole: no tick is sent by an old definition
// from there on, but for one that was claimed under it.
//
// # What fires when
//
// Crontab lines follow the clock on the wall of their zone; what happens in the
// two nights in which that clock is changed is said at ParseCron. Intervals and
// moments follow real time. CatchUp, Overlap, Jitter, MaxRuns: see Schedule.
package scheduler
