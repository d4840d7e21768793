package fault

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"acklab/internal/minder"
	"acklab/internal/server"
)

// Restart says how a server is restarted.
type Restart struct {
	// Polite ends it with SIGTERM instead of SIGKILL.
	Polite bool
	// Down is how long it stays down, from its end to its next start.
	Down time.Duration
}

// RestartServer ends a server, leaves it down for a while, and boots it again on the
// same folder and port. Evidence covers all of it. Detail: exit and reaped_ns of the
// old process, boot_ns when the next start began, new_pid, ready_ns. Healing boots
// the server if it is still down.
func RestartServer(s server.Server, how Restart) Fault { return &restart{s, how} }

type restart struct {
	server server.Server
	how    Restart
}

func (f *restart) Name() string {
	if f.how.Polite {
		return "restart " + f.server.Name() + " politely"
	}
	return "restart " + f.server.Name()
}

func (f *restart) Available() error               { return running(f.server.Process()) }
func (f *restart) Heal(ctx context.Context) error { return bootIfDown(ctx, f.server) }

func (f *restart) Inject(ctx context.Context) (Evidence, error) {
	e, err := f.end(ctx)
	e.Fault = "restart"
	if err != nil {
		return e, err
	}
	if err := wait(ctx, f.how.Down); err != nil {
		return e, fmt.Errorf("leave %s down for %v: %w", f.server.Name(), f.how.Down, err)
	}
	e.Detail["boot_ns"] = strconv.FormatInt(minder.Now(), 10)
	if err := f.server.Boot(ctx); err != nil {
		return e, err
	}
	e.End = minder.Now()
	e.Detail["ready_ns"] = strconv.FormatInt(e.End, 10)
	e.Detail["new_pid"] = strconv.Itoa(f.server.Pid())
	if f.server.Pid() == e.Pid {
		return e, fmt.Errorf("%w: %s has the same pid %d as before", ErrDidNotHappen, f.server.Name(), e.Pid)
	}
	return e, running(f.server.Process())
}

func (f *restart) end(ctx context.Context) (Evidence, error) {
	if f.how.Polite {
		return stop(ctx, f.server)
	}
	return kill(ctx, f.server.Process())
}
