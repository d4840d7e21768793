// Package server starts, kills, freezes and restarts private Redis, RabbitMQ and
// PostgreSQL servers: on free loopback ports, in temporary folders, as children of a minder
// (package minder), so that none outlives the run. It never touches a server that
// it did not start.
//
// A server keeps its folder and its ports through Kill, Stop and Boot, so a client
// that reconnects finds the same address with what survived on disk.
package server

import (
	"context"
	"errors"

	"acklab/internal/minder"
	"acklab/internal/server/disk"
)

var (
	// ErrNotRunning means that the server's process has ended.
	ErrNotRunning = errors.New("the server is not running")
	// ErrRunning means that the server's process is alive, so it cannot be booted.
	ErrRunning = errors.New("the server is running")
	// ErrClosed means that the server was closed for good.
	ErrClosed = errors.New("the server is closed")
)

// Server is a private server. All methods are safe for concurrent use. Where a
// context carries no deadline, a limit of a minute applies.
type Server interface {
	// Name is "redis", "rabbitmq" or "postgres".
	Name() string
	// Version is what the running server says, or when it does not answer, the
	// version of the program that was started.
	Version(ctx context.Context) string
	// Addr is the host:port for clients; it never changes.
	Addr() string
	// URL is the address as a broker URL; an empty scheme means the server's own.
	// It may carry a password.
	URL(scheme string) string
	// Dir is the server's temporary folder: data, configuration, logs.
	Dir() string
	// LogFile is the server's own log.
	LogFile() string

	// Process is the process of the last boot.
	Process() *minder.Process
	// Pid is the process id of the last boot.
	Pid() int
	// Alive reports whether that process has not ended. A frozen one is alive.
	Alive() bool
	// Probe does a write and a read with a real client on the server's own port, and
	// makes sure that it is the started process that answers. An error: it is dead,
	// frozen, refuses writes, or is another one.
	Probe(ctx context.Context) error

	// Settle has the server write out what clients have declared so far, so that a kill
	// finds queues as they are in use, not as they are at their birth. Call it
	// between the declaration and the fault. Where CutPower is to follow, all that was
	// written up to here counts as written back by the kernel since.
	Settle(ctx context.Context) error
	// Kill sends SIGKILL to the process group and returns when the process was
	// reaped. ErrNotRunning: it had ended by itself.
	Kill(ctx context.Context) error
	// Stop sends SIGTERM and returns when the process has ended. When the context
	// ends first, the server is left as it is. ErrNotRunning as for Kill.
	Stop(ctx context.Context) error
	// Boot starts the server again, on the same folder and ports, and returns when it
	// serves clients. ErrRunning: it was not down. A server that does not become
	// ready is killed again.
	Boot(ctx context.Context) error
	// Freeze stops the process (SIGSTOP) and returns when all its threads stand.
	// Connections stay open. ErrNotRunning: it has ended. ErrTraced: it is traced.
	Freeze(ctx context.Context) error
	// Thaw undoes Freeze.
	Thaw(ctx context.Context) error
	// CloseConnections has the server close the connections of all its clients and
	// returns how many those were. RabbitMQ tells the clients the reason, Redis has
	// no way to.
	CloseConnections(ctx context.Context, reason string) (int, error)
	// Traced reports whether the server runs under strace, as CutPower needs.
	Traced() bool
	// CutPower ends the server as a power cut does: SIGKILL, and then every file in its
	// folder is cut back to what had been synced (see package disk for the model); log
	// files stay. Boot starts it on that. ErrNotTraced: it was started without Trace.
	// ErrNotRunning as for Kill. disk.ErrUnknown: what a disk would hold cannot be
	// told; then the server is down, and its folder is as a SIGKILL leaves it.
	CutPower(ctx context.Context) (disk.Outcome, error)
	// Close kills the server and removes its folder. Closing twice is no error.
	Close(ctx context.Context) error
}

var (
	_ Server = (*Redis)(nil)
	_ Server = (*Rabbit)(nil)
)
