package fault_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
	"go.uber.org/goleak"

	"acklab/internal/fault"
	"acklab/internal/minder"
	"acklab/internal/server"
	"acklab/internal/server/servertest"
)

func TestMain(m *testing.M) {
	servertest.BeMinder()
	goleak.VerifyTestMain(m)
}

func run(t *testing.T, m *minder.Minder, argv ...string) *minder.Process {
	t.Helper()
	p, err := m.Run(minder.Spec{Name: "victim", Argv: argv})
	do(t, "run", err)
	return p
}

func do(t *testing.T, what string, err error) {
	t.Helper()
	if err != nil {
		t.Fatalf("%s: %v", what, err)
	}
}

// inject expects the fault to happen, and evidence that is whole.
func inject(t *testing.T, f fault.Fault, kind, target string, pid int) fault.Evidence {
	t.Helper()
	do(t, f.Name()+" is available", f.Available())
	before := minder.Now()
	e, err := f.Inject(t.Context())
	do(t, f.Name(), err)
	if e.Fault != kind || e.Target != target || e.Pid != pid || e.Start < before || e.End < e.Start || e.End > minder.Now() {
		t.Errorf("evidence of %s, after %d: %+v", f.Name(), before, e)
	}
	return e
}

// refuses expects the fault not to happen, and healing to do no harm.
func refuses(t *testing.T, f fault.Fault) {
	t.Helper()
	if e, err := f.Inject(t.Context()); !errors.Is(err, fault.ErrDidNotHappen) {
		t.Errorf("%s: %+v, %v, want ErrDidNotHappen", f.Name(), e, err)
	}
}

func TestFaultsOnADeadProcessDoNotHappen(t *testing.T) {
	t.Parallel()
	p := run(t, servertest.Minder(t), "false")
	<-p.Done()
	for _, f := range []fault.Fault{fault.KillProcess(p), fault.Terminate(p, time.Second), fault.FreezeProcess(p)} {
		if err := f.Available(); !errors.Is(err, fault.ErrDidNotHappen) || !strings.Contains(err.Error(), "exit status 1") {
			t.Errorf("%s is available: %v", f.Name(), err)
		}
		refuses(t, f)
		do(t, "heal", f.Heal(t.Context()))
	}
}

func TestKillProcessProvesSignalNine(t *testing.T) {
	t.Parallel()
	p := run(t, servertest.Minder(t), "sleep", "1000")
	f := fault.KillProcess(p)
	e := inject(t, f, "kill", "victim", p.Pid())
	if e.Detail["exit"] != "signal 9 (killed)" || e.Detail["reaped_ns"] != strconv.FormatInt(e.End, 10) {
		t.Errorf("detail: %v", e.Detail)
	}
	do(t, "heal", f.Heal(t.Context()))
}

func TestTerminateToleratesNoForce(t *testing.T) {
	t.Parallel()
	m := servertest.Minder(t)
	p := run(t, m, "sleep", "1000")
	if e := inject(t, fault.Terminate(p, time.Minute), "terminate", "victim", p.Pid()); e.Detail["exit"] != "signal 15 (terminated)" {
		t.Errorf("detail: %v", e.Detail)
	}
	deaf := run(t, m, "sleep", "1000")
	do(t, "freeze", deaf.Freeze(t.Context())) // SIGTERM waits until it is thawed
	refuses(t, fault.Terminate(deaf, 20*time.Millisecond))
	if deaf.Alive() {
		t.Error("the deaf process was not killed")
	}
}

func TestTerminateOrKillSaysWhichOfTheTwoItWas(t *testing.T) {
	t.Parallel()
	m := servertest.Minder(t)
	for _, deaf := range []bool{false, true} {
		p, grace, want := run(t, m, "sleep", "1000"), time.Minute, "signal 15 (terminated)"
		if deaf {
			do(t, "freeze", p.Freeze(t.Context()))
			grace, want = 20*time.Millisecond, "signal 9 (killed)"
		}
		if e := inject(t, fault.TerminateOrKill(p, grace), "terminate", "victim", p.Pid()); e.Detail["exit"] != want {
			t.Errorf("detail: %v, want %s", e.Detail, want)
		}
	}
}

func TestFreezeProcessIsSeenInTheProcessTable(t *testing.T) {
	t.Parallel()
	p := run(t, servertest.Minder(t), "sleep", "1000")
	f := fault.FreezeProcess(p)
	do(t, "heal, with nothing to heal", f.Heal(t.Context()))
	inject(t, f, "freeze", "victim", p.Pid())
	if is, err := p.Frozen(); err != nil || !is {
		t.Errorf("frozen %v, %v", is, err)
	}
	if b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.Pid())); err == nil && !strings.Contains(string(b), ") T ") {
		t.Errorf("the kernel says %s", b)
	}
	do(t, "heal", f.Heal(t.Context()))
	if is, err := p.Frozen(); err != nil || is {
		t.Errorf("after healing: frozen %v, %v", is, err)
	}
	inject(t, fault.FreezeProcess(p), "freeze", "victim", p.Pid())
	do(t, "kill", p.Kill(t.Context()))
	do(t, "heal what is dead", f.Heal(t.Context()))
}

func TestServersAreBrokenAndHealed(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	r := servertest.Redis(t, server.RedisOptions{Persistence: server.AOFAlways})

	f := fault.KillServer(r)
	inject(t, f, "kill", "redis", r.Pid())
	refuses(t, fault.KillServer(r))
	refuses(t, fault.StopServer(r))
	refuses(t, fault.FreezeServer(r))
	refuses(t, fault.RestartServer(r, fault.Restart{}))
	refuses(t, fault.CloseConnections(r))
	do(t, "heal", f.Heal(ctx))
	do(t, "probe", r.Probe(ctx))
	do(t, "heal again", f.Heal(ctx))

	f = fault.StopServer(r)
	if e := inject(t, f, "stop", "redis", r.Pid()); e.Detail["exit"] != "exit status 0" {
		t.Errorf("detail: %v", e.Detail)
	}
	do(t, "heal", f.Heal(ctx))
	do(t, "probe", r.Probe(ctx))

	f = fault.FreezeServer(r)
	inject(t, f, "freeze", "redis", r.Pid())
	soon, cancel := context.WithTimeout(ctx, 200*time.Millisecond)
	defer cancel()
	if err := r.Probe(soon); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("probe of a frozen server: %v", err)
	}
	do(t, "heal", f.Heal(ctx))
	do(t, "probe", r.Probe(ctx))
}

func TestRestartServerKeepsItDownAndBootsIt(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	r := servertest.Redis(t, server.RedisOptions{Persistence: server.AOFAlways})
	for _, how := range []fault.Restart{{Down: 50 * time.Millisecond}, {Polite: true}} {
		pid := r.Pid()
		e := inject(t, fault.RestartServer(r, how), "restart", "redis", pid)
		if e.Detail["new_pid"] != strconv.Itoa(r.Pid()) || r.Pid() == pid {
			t.Errorf("pid %d, then %d: %v", pid, r.Pid(), e.Detail)
		}
		if down := number(t, e.Detail["boot_ns"]) - number(t, e.Detail["reaped_ns"]); down < int64(how.Down) {
			t.Errorf("down for %d ns, want %v", down, how.Down)
		}
		do(t, "probe", r.Probe(ctx))
	}
	soon, cancel := context.WithTimeout(ctx, 100*time.Millisecond)
	defer cancel()
	f := fault.RestartServer(r, fault.Restart{Down: time.Hour})
	if _, err := f.Inject(soon); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("the context ended while it was down: %v", err)
	}
	do(t, "heal", f.Heal(ctx))
	do(t, "probe", r.Probe(ctx))
}

func number(t *testing.T, s string) int64 {
	t.Helper()
	n, err := strconv.ParseInt(s, 10, 64)
	do(t, "parse", err)
	return n
}

func TestRedisClientsLoseTheirConnections(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	r := servertest.Redis(t, server.RedisOptions{Persistence: server.AOFAlways})
	refuses(t, fault.CloseConnections(r))
	c := r.Client()
	defer c.Close()
	conn := c.Conn()
	defer conn.Close()
	do(t, "ping", conn.Ping(ctx).Err())
	f := fault.CloseConnections(r)
	if e := inject(t, f, "close connections", "redis", r.Pid()); e.Detail["closed"] != "1" {
		t.Errorf("detail: %v", e.Detail)
	}
	if err := conn.Ping(ctx).Err(); err == nil {
		t.Error("the client is still connected")
	}
	do(t, "heal", f.Heal(ctx))
	do(t, "probe", r.Probe(ctx))
}

func TestRabbitIsBrokenAndHealed(t *testing.T) {
	t.Parallel()
	if _, err := server.FindRabbit(); err != nil {
		t.Skip(err, "; make test installs it (apt-get install rabbitmq-server)")
	}
	ctx := t.Context()
	r, err := server.StartRabbit(ctx, servertest.Minder(t), server.RabbitOptions{})
	do(t, "start rabbitmq", err)

	refuses(t, fault.CloseConnections(r))
	conn, err := amqp.Dial(r.URL(""))
	do(t, "dial", err)
	closed := conn.NotifyClose(make(chan *amqp.Error, 1))
	if e := inject(t, fault.CloseConnections(r), "close connections", "rabbitmq", r.Pid()); e.Detail["closed"] != "1" {
		t.Errorf("detail: %v", e.Detail)
	}
	if err := <-closed; err == nil || err.Code != amqp.ConnectionForced {
		t.Errorf("the client was told %v", err)
	}

	f := fault.FreezeServer(r)
	inject(t, f, "freeze", "rabbitmq", r.Pid()) // a process with many threads
	do(t, "heal", f.Heal(ctx))
	do(t, "probe", r.Probe(ctx))

	inject(t, fault.RestartServer(r, fault.Restart{}), "restart", "rabbitmq", r.Pid())
	do(t, "probe", r.Probe(ctx))
}
