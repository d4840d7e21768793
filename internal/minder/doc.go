// Package minder keeps every server and victim of a run on a leash.
//
// The minder is a process of its own (`acklab minder`), the parent of all that a
// run starts. It holds the read end of a pipe whose write end only its owner has:
// when the owner ends, in whatever way (SIGKILL included), the pipe closes, and
// the minder kills every process group it ever made, then every descendant that
// escaped from its group, then removes its temporary folder, then exits.
// Nothing that a run started survives the run.
//
// The owner speaks to the minder through [Minder]: JSON lines, requests on the
// minder's standard input, replies and exits on its standard output.
//
// # Why no signal can hit a stranger
//
// The minder is the parent of what it signals, and it alone reaps. A child that
// was not reaped keeps its process id and its group id, so a signal that is sent
// under the lock that reaping needs can only reach that child. What is left of a
// group when its leader ends is killed just before the leader is reaped, while the
// group id is still the leader's.
//
// # Platforms
//
// On Linux the minder is a child subreaper, so it inherits the orphans of its
// descendants and can kill them too, and children carry a parent death signal, so
// they even end when the minder itself is killed. macOS has neither: there the
// groups are killed when the owner ends, but a process that made a session of its
// own (setsid) escapes, and a minder killed with SIGKILL leaves its children
// behind.
package minder
