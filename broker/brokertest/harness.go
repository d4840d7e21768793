package brokertest

import (
	"context"
	"testing"
	"time"

	"acklab/broker"
	"acklab/task"
)

// Harness is what the test of a driver provides.
type Harness struct {
	// Start makes a fresh, empty, private server and has t stop it at the
	// end. The suite starts two: a calm one that many tests share, and one
	// that is broken on purpose. Both must be set so that what is confirmed
	// survives Kill, if they can (a Redis: appendonly yes, appendfsync always).
	Start func(t testing.TB) *Server

	// Refusals are further ways to be refused beside those that the suite
	// makes itself (nothing listens, unknown queue, too large, closed).
	Refusals []Refusal

	// Kills is how often the server is killed between a write and its reply;
	// 0: 3. Real servers want 50.
	Kills int

	// Patience bounds every wait for something that should come at once;
	// 0: 30 seconds. It is a limit, never a pause.
	Patience time.Duration

	// LeaseWait is how long a message of a dead consumer may take to come
	// back where Traits.Returns is OnLease, noise included; 0: Traits.ReturnMax
	// and Patience together.
	LeaseWait time.Duration

	// Skip names tests (the last part of their name, with spaces) that do not
	// fit this driver for a reason that Traits cannot say, each with it.
	Skip map[string]string
}

// Server is one running broker and what can be done to it. A function that is
// nil cannot be done here: what needs it is skipped and says so.
type Server struct {
	// Addr is host:port of the server; empty: it is inside this process, and
	// no proxy can be put before it.
	Addr string
	// Open makes a client of the server and has t close it at the end, if the
	// test has not. It must not fail when the server is down.
	Open func(t testing.TB, opts broker.Options) broker.Broker
	// OpenAt is Open through another address: a proxy before the server, or
	// one where nothing listens. Needed where Addr is not empty.
	OpenAt func(t testing.TB, addr string, opts broker.Options) broker.Broker
	// OpenPriorities is Open for a client whose queues have priorities
	// (priority=on in its URL).
	OpenPriorities func(t testing.TB, opts broker.Options) broker.Broker
	// Cut breaks all connections of one client, as a lost network would. Only
	// for servers without Addr; else the suite puts a proxy before them.
	Cut func(b broker.Broker)

	// View is the server's own account of a queue, not asked through the
	// driver (LLEN, list_queues).
	View func(ctx context.Context, queue string) (View, error)
	// PutRaw puts bytes into the queue as a message body that no producer of
	// ours has made.
	PutRaw func(ctx context.Context, queue string, body []byte) error
	// CloseConnections has the server close all connections of all clients.
	CloseConnections func(ctx context.Context) error
	// Kill ends the server with SIGKILL. Restart starts it again, with its
	// data, at the same address, and returns when it answers.
	Kill    func(ctx context.Context) error
	Restart func(ctx context.Context) error
	// Freeze stops the server's processes (SIGSTOP), Thaw continues them.
	Freeze func(ctx context.Context) error
	Thaw   func(ctx context.Context) error
}

// View is what a server says about a queue: how many messages wait, and how
// many are with consumers and unsettled. A queue that is not there is empty.
type View struct {
	Ready, Unacked int
}

// Refusal is one way to be refused. Provoke makes, on servers of its own, a
// client and a message whose Publish is refused with Reason. If it is not
// possible here it calls t.Skip.
type Refusal struct {
	Name    string
	Reason  broker.Reason
	Provoke func(t testing.TB) (broker.Broker, *task.Message)
}
