package fault

import (
	"context"
	"fmt"
	"strconv"

	"acklab/internal/minder"
	"acklab/internal/server"
)

// CloseConnections has a server close the connections of all its clients, as an
// operator may: RabbitMQ tells them 320 CONNECTION_FORCED, Redis (CLIENT KILL) just
// closes. The server goes on, and clients may come back at once, so there is nothing
// to heal. Detail: closed, how many there were; none is ErrDidNotHappen.
func CloseConnections(s server.Server) Fault { return &closeConnections{s} }

type closeConnections struct{ server server.Server }

func (f *closeConnections) Name() string               { return "close connections of " + f.server.Name() }
func (f *closeConnections) Available() error           { return running(f.server.Process()) }
func (f *closeConnections) Heal(context.Context) error { return nil }

func (f *closeConnections) Inject(ctx context.Context) (Evidence, error) {
	e, err := begin("close connections", f.server.Process())
	if err != nil {
		return e, err
	}
	n, err := f.server.CloseConnections(ctx, "closed by acklab")
	e.End = minder.Now()
	e.Detail["closed"] = strconv.Itoa(n)
	if err != nil {
		return e, err
	}
	if n == 0 {
		return e, fmt.Errorf("%w: no client was connected to %s", ErrDidNotHappen, f.server.Name())
	}
	return e, nil
}
