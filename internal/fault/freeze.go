package fault

import (
	"context"
	"errors"
	"fmt"

	"acklab/internal/minder"
	"acklab/internal/server"
)

// FreezeProcess stops a process and its group with SIGSTOP: it does nothing more,
// but its connections stay open and its peers are told nothing. Detail: state.
// Healing lets it go on.
func FreezeProcess(p *minder.Process) Fault {
	return &freeze{name: p.Name(), process: func() *minder.Process { return p }}
}

// FreezeServer is FreezeProcess for a server.
//
// A server that runs under strace cannot be frozen.
func FreezeServer(s server.Server) Fault {
	return &freeze{name: s.Name(), process: s.Process, traced: s.Traced()}
}

type freeze struct {
	name    string
	process func() *minder.Process
	traced  bool
	frozen  *minder.Process // what Heal has to thaw
}

func (f *freeze) Name() string { return "freeze " + f.name }

func (f *freeze) Available() error {
	if f.traced {
		return server.ErrTraced
	}
	return running(f.process())
}

func (f *freeze) Inject(ctx context.Context) (Evidence, error) {
	p := f.process()
	e, err := begin("freeze", p)
	if err == nil && f.traced {
		err = server.ErrTraced
	}
	if err != nil {
		return e, err
	}
	f.frozen = p // from here on it may be, whatever comes
	if err := p.Freeze(ctx); err != nil {
		return e, err
	}
	is, err := p.Frozen()
	e.End = minder.Now()
	if err != nil {
		return e, err
	}
	if !is {
		return e, fmt.Errorf("%w: %s (pid %d) was set going again", ErrDidNotHappen, p.Name(), p.Pid())
	}
	e.Detail["state"] = "T (stopped), every thread"
	return e, nil
}

func (f *freeze) Heal(ctx context.Context) error {
	p := f.frozen
	if p == nil || !p.Alive() {
		return nil
	}
	if err := p.Thaw(ctx); err != nil && !errors.Is(err, minder.ErrExited) {
		return err
	}
	f.frozen = nil
	return nil
}
