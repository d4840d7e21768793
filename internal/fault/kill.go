package fault

import (
	"context"
	"fmt"
	"syscall"

	"acklab/internal/minder"
	"acklab/internal/server"
)

// KillProcess sends SIGKILL to a process and its group. Detail: exit, reaped_ns.
// There is nothing to heal.
func KillProcess(p *minder.Process) Fault { return &killProcess{p} }

type killProcess struct{ process *minder.Process }

func (f *killProcess) Name() string               { return "kill " + f.process.Name() }
func (f *killProcess) Available() error           { return running(f.process) }
func (f *killProcess) Heal(context.Context) error { return nil }

func (f *killProcess) Inject(ctx context.Context) (Evidence, error) {
	return kill(ctx, f.process, f.process.Kill)
}

// KillServer sends SIGKILL to a server and its group. Detail: exit, reaped_ns.
// Healing boots it again on what its disk kept.
func KillServer(s server.Server) Fault { return &killServer{s} }

type killServer struct{ server server.Server }

func (f *killServer) Name() string     { return "kill " + f.server.Name() }
func (f *killServer) Available() error { return running(f.server.Process()) }

func (f *killServer) Inject(ctx context.Context) (Evidence, error) {
	return kill(ctx, f.server.Process(), f.server.Kill)
}

func (f *killServer) Heal(ctx context.Context) error { return bootIfDown(ctx, f.server) }

// kill makes sure that it was signal 9 that ended the process. Its owner knows how
// to send it: a PostgreSQL has processes in sessions of their own.
func kill(ctx context.Context, p *minder.Process, send func(context.Context) error) (Evidence, error) {
	e, err := begin("kill", p)
	if err != nil {
		return e, err
	}
	if err := send(ctx); err != nil {
		return e, err
	}
	e.ended(p.Exit())
	return e, killed(p)
}

func killed(p *minder.Process) error {
	if x := p.Exit(); x.Signal != syscall.SIGKILL {
		return fmt.Errorf("%w: %s (pid %d) ended with %s, not by signal 9", ErrDidNotHappen, p.Name(), p.Pid(), x)
	}
	return nil
}

func bootIfDown(ctx context.Context, s server.Server) error {
	if s.Alive() {
		return nil
	}
	return s.Boot(ctx)
}
