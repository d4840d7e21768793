package resulttest

import (
	"context"
	"testing"
	"time"

	"acklab/result"
)

// Harness is what the test of a driver provides.
type Harness struct {
	// Start makes a fresh, empty, private server and has t stop it at the end. The
	// suite starts two: a calm one that many tests share, and one that is broken on
	// purpose.
	Start func(t testing.TB) *Server

	// Kills is how often the server is killed under load; 0: 2.
	Kills int

	// Patience bounds every wait for something that should come at once; 0: 30
	// seconds. It is a limit, never a pause.
	Patience time.Duration

	// Skip names tests that do not fit this driver, each with the reason.
	Skip map[string]string
}

// Server is one running store and what can be done to it. A function that is nil
// cannot be done here: what needs it is skipped and says so.
type Server struct {
	// Addr is host:port of the server; empty: it is inside this process, and no
	// proxy can be put before it.
	Addr string
	// Open makes a client of the server and has t close it at the end, if the test
	// has not. It must not fail when the server is down.
	Open func(t testing.TB, opts result.Options) result.Store
	// OpenAt is Open through another address: a proxy before the server. Needed
	// where Addr is not empty.
	OpenAt func(t testing.TB, addr string, opts result.Options) result.Store

	// PutRaw puts bytes where the store keeps the result of a task, as another
	// program might.
	PutRaw func(ctx context.Context, id string, text []byte) error
	// CloseConnections has the server close all connections of all clients.
	CloseConnections func(ctx context.Context) error
	// Kill ends the server with SIGKILL. Restart starts it again, with its data, at
	// the same address, and returns when it answers.
	Kill    func(ctx context.Context) error
	Restart func(ctx context.Context) error
	// Freeze stops the server's processes (SIGSTOP), Thaw continues them.
	Freeze func(ctx context.Context) error
	Thaw   func(ctx context.Context) error
}
