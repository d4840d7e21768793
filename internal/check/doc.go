// Package check judges trials. From the manifest, the ledgers and the census
// of one trial, and from nothing else, it says what became of every task,
// whether the trial counts at all, and whether that is what was predicted. It
// knows no clock, no network and no broker, so that an old trial can be judged
// again.
//
//	ledgers + manifest ──Judge──▶ Result ──Within──▶ Outcome of a cell
//	                                └──────WithinStated──▶ Verdict on a claim
//
// The rule behind every line of it: evidence first. A class needs a line that
// proves it; a loss needs ledgers that are whole and a census that is
// complete; a fault must be shown to have happened, to somebody, who held what
// the cell is about. Where that is missing the trial is unsure, and an unsure
// trial is never counted for or against anything.
package check
