// Package experiments is the catalogue of the laboratory, one file an
// experiment, and the runner that carries them out.
//
// An experiment declares: what it asks, which claims it puts to the test, what
// it varies, its load, its steps (at which event which fault), and what it
// predicts. The runner owns the procedure, the same for all:
//
//	set up ─▶ probe ─▶ steps: load and fault ─▶ settle ─▶ probe ─▶ drain ─▶ census ─▶ judge
//
// Every room that takes part is a process of its own, started by running this
// program again, so that a SIGKILL is a real one. What they saw is in their
// ledgers; package check turns that into counts, and nothing else does.
package experiments
