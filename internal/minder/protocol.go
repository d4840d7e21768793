package minder

import "syscall"

// op is what a request asks for.
type op string

const (
	opStart  op = "start"
	opSignal op = "signal"
	opStdin  op = "stdin"
)

// request is one line from the owner.
type request struct {
	ID     uint64         `json:"id"`
	Op     op             `json:"op"`
	Proc   uint64         `json:"proc"`
	Start  *order         `json:"start,omitempty"`
	Signal syscall.Signal `json:"signal,omitempty"`
	Group  bool           `json:"group,omitempty"`
	Data   []byte         `json:"data,omitempty"`
}

// order is a process to start; every path in it is absolute or empty.
type order struct {
	Name   string   `json:"name"`
	Path   string   `json:"path"`
	Argv   []string `json:"argv"`
	Dir    string   `json:"dir"`
	Env    []string `json:"env"`
	Stdout string   `json:"stdout,omitempty"`
	Stderr string   `json:"stderr,omitempty"`
	Stdin  bool     `json:"stdin,omitempty"`
	User   *User    `json:"user,omitempty"`
}

// word says what kind of line the minder sent.
type word string

const (
	wordHello word = "hello" // first line: Root
	wordReply word = "reply" // to the request ID: Pid, or Error
	wordExit  word = "exit"  // the process Proc was reaped: Code, Signal, At
)

// notice is one line from the minder.
type notice struct {
	Word   word           `json:"word"`
	ID     uint64         `json:"id,omitempty"`
	Proc   uint64         `json:"proc,omitempty"`
	Root   string         `json:"root,omitempty"`
	Pid    int            `json:"pid,omitempty"`
	Code   int            `json:"code,omitempty"`
	Signal syscall.Signal `json:"signal,omitempty"`
	At     int64          `json:"at,omitempty"`
	Error  string         `json:"error,omitempty"`
	Errno  syscall.Errno  `json:"errno,omitempty"`  // what Error came from, if a system call
	Exited bool           `json:"exited,omitempty"` // the request came too late
}
