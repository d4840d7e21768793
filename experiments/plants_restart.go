package experiments

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"time"

	"acklab/internal/fault"
	"acklab/internal/minder"
	"acklab/internal/server"
)

// restart ends a server of the trial and starts it again, unless a plant is in the way.
func (t *Trial) restart(ctx context.Context, s server.Server, how fault.Restart) error {
	switch t.run.plant {
	case plantEmptyFolder:
		how.While = func() error { return t.loseData(s) }
	case plantStandIn:
		return t.inject(ctx, &standIn{Fault: fault.KillServer(s), server: s, run: t.run})
	}
	return t.inject(ctx, fault.RestartServer(s, how))
}

// serverData is what servers keep in their folders, beside configuration and logs.
var serverData = []string{"appendonlydir", "dump.rdb", "mnesia"}

// loseData empties the folder of a server.
func (t *Trial) loseData(s server.Server) error {
	for _, name := range serverData {
		path := filepath.Join(s.Dir(), name)
		if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err := os.RemoveAll(path); err != nil {
			return fmt.Errorf("empty the server's folder: %w", err)
		}
		t.run.fired.Add(1)
	}
	return nil
}

// standIn is a restart that did not happen: the server is killed and stays dead, and
// another one answers on its port. The evidence lies.
type standIn struct {
	fault.Fault // the kill
	server      server.Server
	run         *Runner
}

// Inject kills the server and starts the other one.
func (f *standIn) Inject(ctx context.Context) (fault.Evidence, error) {
	if _, ok := f.server.(*server.Redis); !ok {
		return fault.Evidence{}, fmt.Errorf("nobody can stand in for %s", f.server.Name())
	}
	binary, err := server.FindRedis()
	if err != nil {
		return fault.Evidence{}, err
	}
	e, err := f.Fault.Inject(ctx)
	if err != nil {
		return e, err
	}
	_, port, err := net.SplitHostPort(f.server.Addr())
	if err != nil {
		return e, err
	}
	dir, err := f.run.minder.TempDir("stand-in")
	if err != nil {
		return e, err
	}
	_, err = f.run.minder.Run(minder.Spec{Name: "stand-in", Dir: dir, Argv: []string{
		binary.Path, "--port", port, "--bind", "127.0.0.1", "--save", "", "--protected-mode", "no",
	}})
	if err != nil {
		return e, err
	}
	f.run.fired.Add(1)
	e.Fault = faultRestart
	return e, awaitListener(ctx, f.server.Addr())
}

// awaitListener waits until somebody accepts connections.
func awaitListener(ctx context.Context, addr string) error {
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for {
		var d net.Dialer
		conn, err := d.DialContext(ctx, "tcp", addr)
		if err == nil {
			return conn.Close()
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("wait until somebody listens on %s: %w", addr, ctx.Err())
		}
	}
}
