package fault

import (
	"context"
	"fmt"
	"time"

	"acklab/internal/server"
)

// Restart says how a server is restarted.
type Restart struct {
	// Polite ends it with SIGTERM instead of SIGKILL.
	Polite bool
	// Down is how long it stays down, from its end to its next start.
	Down time.Duration
	// While, if there is one, is called when it is down, before it boots.
	While func() error
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
	if f.how.While != nil {
		if err := f.how.While(); err != nil {
			return e, fmt.Errorf("while %s is down: %w", f.server.Name(), err)
		}
	}
	return e, e.boot(ctx, f.server)
}

func (f *restart) end(ctx context.Context) (Evidence, error) {
	if f.how.Polite {
		return stop(ctx, f.server)
	}
	return kill(ctx, f.server.Process(), f.server.Kill)
}
