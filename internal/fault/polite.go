package fault

import (
	"context"
	"fmt"
	"syscall"
	"time"

	"acklab/internal/minder"
	"acklab/internal/server"
)

// Terminate sends SIGTERM to a process and waits for it to end. One that needs more
// than the grace is killed, which is ErrDidNotHappen. Detail: exit, reaped_ns. There
// is nothing to heal.
func Terminate(p *minder.Process, grace time.Duration) Fault {
	return &terminate{process: p, grace: grace}
}

// TerminateOrKill is Terminate as container runtimes do it: one that needs more
// than the grace is killed, and that has happened, too. The detail exit tells which
// of the two it was.
func TerminateOrKill(p *minder.Process, grace time.Duration) Fault {
	return &terminate{process: p, grace: grace, kills: true}
}

type terminate struct {
	process *minder.Process
	grace   time.Duration
	kills   bool
}

func (f *terminate) Name() string               { return "terminate " + f.process.Name() }
func (f *terminate) Available() error           { return running(f.process) }
func (f *terminate) Heal(context.Context) error { return nil }

func (f *terminate) Inject(ctx context.Context) (Evidence, error) {
	e, err := begin("terminate", f.process)
	if err != nil {
		return e, err
	}
	x, err := f.process.Terminate(ctx, f.grace)
	if err != nil {
		return e, err
	}
	e.ended(x)
	if f.kills && x.Signal == syscall.SIGKILL {
		return e, nil
	}
	return e, polite(f.process)
}

// StopServer ends a server politely, with SIGTERM, and waits for it as long as the
// context allows. Detail: exit, reaped_ns. Healing boots it again.
func StopServer(s server.Server) Fault { return &stopServer{s} }

type stopServer struct{ server server.Server }

func (f *stopServer) Name() string                   { return "stop " + f.server.Name() }
func (f *stopServer) Available() error               { return running(f.server.Process()) }
func (f *stopServer) Heal(ctx context.Context) error { return bootIfDown(ctx, f.server) }

func (f *stopServer) Inject(ctx context.Context) (Evidence, error) { return stop(ctx, f.server) }

func stop(ctx context.Context, s server.Server) (Evidence, error) {
	p := s.Process()
	e, err := begin("stop", p)
	if err != nil {
		return e, err
	}
	if err := s.Stop(ctx); err != nil {
		return e, err
	}
	e.ended(p.Exit())
	return e, polite(p)
}

// polite makes sure that the process ended by itself or by SIGTERM.
func polite(p *minder.Process) error {
	x := p.Exit()
	if x.Err == nil && (x.Signal == 0 || x.Signal == syscall.SIGTERM) {
		return nil
	}
	return fmt.Errorf("%w: %s (pid %d) ended with %s, not politely", ErrDidNotHappen, p.Name(), p.Pid(), x)
}
