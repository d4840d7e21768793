package fault_test

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"acklab/internal/fault"
	"acklab/internal/server"
	"acklab/internal/server/disk"
	"acklab/internal/server/servertest"
)

func TestAPowerCutSaysWhatItTook(t *testing.T) {
	t.Parallel()
	if _, err := server.FindStrace(); err != nil {
		t.Skip(err, "; make test installs it (apt-get install strace)")
	}
	ctx := t.Context()
	r := servertest.Redis(t, server.RedisOptions{Persistence: server.AOFNo, Trace: true})
	c := r.Client()
	for i := range 100 {
		do(t, "push", c.RPush(ctx, "queue", i).Err())
	}
	c.Close()
	if err := fault.FreezeServer(r).Available(); !errors.Is(err, server.ErrTraced) {
		t.Errorf("freezing a traced server: %v", err)
	}

	f := fault.CutPower(r, 30*time.Millisecond)
	pid := r.Pid()
	e := inject(t, f, "power cut", "redis", pid)
	d := e.Detail
	if d["exit"] != "signal 9 (killed)" || d["new_pid"] != strconv.Itoa(r.Pid()) || r.Pid() == pid {
		t.Errorf("pid %d, then %d: %v", pid, r.Pid(), d)
	}
	if down := number(t, d["boot_ns"]) - number(t, d["reaped_ns"]); down < int64(30*time.Millisecond) {
		t.Errorf("down for %d ns", down)
	}
	if lost := number(t, d["lost"]); lost < 100*int64(len("*3\r\n$5\r\nrpush")) || lost >= number(t, d["written"]) {
		t.Errorf("lost %d of %s bytes", lost, d["written"])
	}
	file := d["file "+filepath.Join("appendonlydir", "appendonly.aof.1.incr.aof")]
	if !strings.Contains(file, "lost "+d["lost"]+", syncs 0") || !strings.HasSuffix(file, "after 0") || d["syncs"] == "0" || d["oldest_lost_ms"] == "" {
		t.Errorf("details: %v", d)
	}
	do(t, "probe", r.Probe(ctx))
	do(t, "heal", f.Heal(ctx))

	do(t, "write", os.WriteFile(filepath.Join(r.Dir(), "stranger"), nil, 0o600))
	f = fault.CutPower(r, 0)
	if e, err := f.Inject(ctx); !errors.Is(err, disk.ErrUnknown) {
		t.Errorf("where nobody can tell: %+v, %v", e, err)
	}
	refuses(t, f) // it is dead
	do(t, "heal", f.Heal(ctx))
	do(t, "probe", r.Probe(ctx))
}

func TestAPowerCutNeedsATracedServer(t *testing.T) {
	r := servertest.Redis(t, server.RedisOptions{})
	f := fault.CutPower(r, 0)
	if _, err := server.FindStrace(); err != nil {
		if got := f.Available(); got == nil || got.Error() != err.Error() {
			t.Errorf("available without strace: %v", got)
		}
		return
	}
	if err := f.Available(); !errors.Is(err, server.ErrNotTraced) {
		t.Errorf("available without a trace: %v", err)
	}
	if _, err := f.Inject(t.Context()); !errors.Is(err, server.ErrNotTraced) || !r.Alive() {
		t.Errorf("injected without a trace: %v, alive %v", err, r.Alive())
	}
}

func TestWhatIsDoneWhileTheServerIsDownIsDoneThen(t *testing.T) {
	t.Parallel()
	r := servertest.Redis(t, server.RedisOptions{})
	alive := true
	f := fault.RestartServer(r, fault.Restart{While: func() error { alive = r.Alive(); return nil }})
	inject(t, f, "restart", "redis", r.Pid())
	if alive {
		t.Error("it was not down, or nothing was done")
	}
	broken := errors.New("broken")
	f = fault.RestartServer(r, fault.Restart{While: func() error { return broken }})
	if _, err := f.Inject(t.Context()); !errors.Is(err, broken) {
		t.Errorf("an error while it is down: %v", err)
	}
	do(t, "heal", f.Heal(t.Context()))
}
