package fault

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"acklab/internal/minder"
	"acklab/internal/server"
	"acklab/internal/server/disk"
)

// CutPower does to a server what a power cut does: it ends at once, every file is cut
// back to what it had synced (package disk has the model and its limits), and after
// down it boots on that, on the same folder and port. The server must have been
// started with Trace, for which strace has to be allowed: Available says what is
// missing. An error that is disk.ErrUnknown means that nobody can tell what the disk
// would hold.
//
// Detail: exit, reaped_ns, boot_ns, new_pid, ready_ns as for RestartServer; syncs, the
// number of completed syncs; written, lost, bytes; oldest_lost_ms, the age at the cut
// of the oldest write that was lost; undone, the changes of names that were; and for
// each file "file PATH". Healing boots the server if it is still down.
func CutPower(s server.Server, down time.Duration) Fault { return &cutPower{s, down} }

type cutPower struct {
	server server.Server
	down   time.Duration
}

func (f *cutPower) Name() string { return "cut the power of " + f.server.Name() }

func (f *cutPower) Available() error {
	if _, err := server.FindStrace(); err != nil {
		return err
	}
	if !f.server.Traced() {
		return server.ErrNotTraced
	}
	return running(f.server.Process())
}

func (f *cutPower) Heal(ctx context.Context) error { return bootIfDown(ctx, f.server) }

func (f *cutPower) Inject(ctx context.Context) (Evidence, error) {
	p := f.server.Process()
	e, err := begin("power cut", p)
	if err != nil {
		return e, err
	}
	out, err := f.server.CutPower(ctx)
	if err != nil {
		return e, err
	}
	e.ended(p.Exit())
	if err := killed(p); err != nil {
		return e, err
	}
	e.tell(out)
	if err := wait(ctx, f.down); err != nil {
		return e, fmt.Errorf("leave %s down for %v: %w", f.server.Name(), f.down, err)
	}
	return e, e.boot(ctx, f.server)
}

// tell enters what the power cut took.
func (e *Evidence) tell(out disk.Outcome) {
	var syncs int
	var written, lost int64
	var age time.Duration
	for _, f := range out.Files {
		syncs, written, lost, age = syncs+f.Syncs, written+f.Written, lost+f.Lost, max(age, f.Age)
		e.Detail["file "+f.Path] = fmt.Sprintf("written %d, lost %d, syncs %d, size before %d, after %d", f.Written, f.Lost, f.Syncs, f.Before, f.After)
	}
	e.Detail["syncs"] = strconv.Itoa(syncs)
	e.Detail["written"] = strconv.FormatInt(written, 10)
	e.Detail["lost"] = strconv.FormatInt(lost, 10)
	e.Detail["oldest_lost_ms"] = strconv.FormatInt(age.Milliseconds(), 10)
	e.Detail["undone"] = strings.Join(out.Undone, "; ")
}

// boot starts the server again and makes sure that it is another process.
func (e *Evidence) boot(ctx context.Context, s server.Server) error {
	e.Detail["boot_ns"] = strconv.FormatInt(minder.Now(), 10)
	if err := s.Boot(ctx); err != nil {
		return err
	}
	e.End = minder.Now()
	e.Detail["ready_ns"] = strconv.FormatInt(e.End, 10)
	e.Detail["new_pid"] = strconv.Itoa(s.Pid())
	if s.Pid() == e.Pid {
		return fmt.Errorf("%w: %s has the same pid %d as before", ErrDidNotHappen, s.Name(), e.Pid)
	}
	return running(s.Process())
}
