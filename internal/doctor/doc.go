// Package doctor says what is wrong and what to do about it: on this machine
// (Examine: tools, temporary folder, limits, clock) and in the settings of a
// broker that is to carry a task queue (Advise).
//
// It only reads. The rules are pure functions over facts, so that each is
// tested with facts of servers that are not at hand; the facts come from real
// servers through package inspect. No output contains a password.
package doctor
