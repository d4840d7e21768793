package experiments

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strconv"
	"syscall"
	"time"

	"acklab/internal/fault"
	"acklab/internal/ledger"
	"acklab/internal/server"
)

// The kinds of faults, as the evidence names them.
const (
	faultKill      = "kill"
	faultTerminate = "terminate"
	faultRestart   = "restart"
	faultCut       = "close connections"
	faultPowerCut  = "power cut"
	faultFreeze    = "freeze"
)

// inject does a fault and writes it down once it has been verified.
func (t *Trial) inject(ctx context.Context, f fault.Fault) error {
	if t.run.plants(plantNoFault) {
		return nil
	}
	if err := f.Available(); err != nil {
		return fmt.Errorf("%s: %w", f.Name(), err)
	}
	t.run.metrics.FaultActive(f.Name(), true)
	defer t.run.metrics.FaultActive(f.Name(), false)
	e, err := f.Inject(ctx)
	if err != nil {
		return fmt.Errorf("%s: %w", f.Name(), err)
	}
	detail := map[string]string{
		"target": e.Target, "pid": strconv.Itoa(e.Pid), "start_ns": strconv.FormatInt(e.Start, 10), "end_ns": strconv.FormatInt(e.End, 10),
	}
	maps.Copy(detail, e.Detail)
	return t.write(ledger.Line{Event: ledger.FaultInjected, Fault: e.Fault, Detail: detail})
}

// Kill kills a member from outside with SIGKILL.
func Kill(name string) Step {
	return Step{"kill " + name, func(ctx context.Context, t *Trial) error {
		m, err := t.member(name)
		if err != nil {
			return err
		}
		t.manifest.Processes[m.index].Killed = true
		if err := t.inject(ctx, fault.KillProcess(m.Process)); err != nil || m.Alive() {
			return err
		}
		return t.ended(ctx, name)
	}}
}

// AtRandom does a fault to a member when it has begun n tasks, drawn from the
// trial's seed between lo and hi, and a random moment up to jitter later.
func AtRandom(fault Step, name string, lo, hi int, jitter time.Duration) Step {
	return Step{fmt.Sprintf("%s at a random moment after it has begun %d to %d tasks", fault.Name, lo, hi), func(ctx context.Context, t *Trial) error {
		n := lo + t.rng.IntN(hi-lo+1)
		if err := AwaitCount(name, ledger.Started, n).Do(ctx, t); err != nil {
			return err
		}
		if err := pause(ctx, time.Duration(t.rng.Int64N(int64(jitter)+1))); err != nil {
			return err
		}
		return fault.Do(ctx, t)
	}}
}

// KillAfterStarts kills a member at random, as AtRandom says.
func KillAfterStarts(name string, lo, hi int, jitter time.Duration) Step {
	return AtRandom(Kill(name), name, lo, hi, jitter)
}

// killedAfterGrace is the measure of StopOrKill: 1 when the member had to be killed.
const killedAfterGrace = "killed_after_grace"

// StopOrKill asks a member to stop politely and kills it when it is still there
// after the grace, as container runtimes do. A member that is killed must have
// heard that it is to stop.
func StopOrKill(name string, grace time.Duration) Step {
	return Step{fmt.Sprintf("stop %s politely, and kill it if it is still there after %s", name, grace), func(ctx context.Context, t *Trial) error {
		m, err := t.member(name)
		if err != nil {
			return err
		}
		if err := t.inject(ctx, fault.TerminateOrKill(m.Process, grace)); err != nil || m.Alive() {
			return err
		}
		if m.Exit().Signal != syscall.SIGKILL {
			return errors.Join(t.ended(ctx, name), t.Measure(killedAfterGrace, 0))
		}
		t.manifest.Processes[m.index].Killed = true
		if err := AwaitCount(name, ledger.Draining, 1).Do(ctx, t); err != nil {
			return err
		}
		return errors.Join(t.ended(ctx, name), t.Measure(killedAfterGrace, 1))
	}}
}

// Stop ends a member politely: SIGTERM, and waits for its end.
func Stop(name string) Step {
	return Step{"stop " + name + " politely", func(ctx context.Context, t *Trial) error {
		m, err := t.member(name)
		if err != nil {
			return err
		}
		if err := t.inject(ctx, fault.Terminate(m.Process, stopWithin)); err != nil || m.Alive() {
			return err
		}
		return t.ended(ctx, name)
	}}
}

// Freeze stops a member with SIGSTOP: it stands still, and its connections stay
// open.
func Freeze(name string) Step {
	return Step{"freeze " + name, func(ctx context.Context, t *Trial) error {
		m, err := t.member(name)
		if err != nil {
			return err
		}
		m.frozen = fault.FreezeProcess(m.Process)
		return t.inject(ctx, m.frozen)
	}}
}

// Thaw lets a frozen member go on.
func Thaw(name string) Step {
	return Step{"let " + name + " go on", func(ctx context.Context, t *Trial) error {
		m, err := t.member(name)
		if err != nil {
			return err
		}
		if m.frozen == nil {
			return fmt.Errorf("%s was not frozen", name)
		}
		if err := m.frozen.Heal(ctx); err != nil {
			return fmt.Errorf("let %s go on: %w", name, err)
		}
		return t.write(ledger.Line{Event: ledger.FaultHealed, Fault: faultFreeze, Process: name})
	}}
}

// The names of the steps that end the server and start it again on its own folder.
const (
	stepKillServer = "kill the server and start it again"
	stepStopServer = "stop the server politely and start it again"
)

// KillServer kills the broker with SIGKILL and starts it again on what it had
// written.
func KillServer() Step {
	return Step{stepKillServer, func(ctx context.Context, t *Trial) error {
		return t.restart(ctx, t.server, fault.Restart{})
	}}
}

// StopServer ends the broker with SIGTERM, so that it can save what it wants to save,
// and starts it again.
func StopServer() Step {
	return Step{stepStopServer, func(ctx context.Context, t *Trial) error {
		return t.restart(ctx, t.server, fault.Restart{Polite: true})
	}}
}

// CutPower ends the broker as a power cut does and starts it again on what it had
// synced. The cell's Server needs Own and Trace. What was declared shall not be lost
// with it, so AgeServer comes before the load.
func CutPower() Step {
	return Step{"cut the power of the server and start it again", func(ctx context.Context, t *Trial) error {
		return t.inject(ctx, fault.CutPower(t.server, 0))
	}}
}

// AgeServer makes the server one that has been in use for a while: it has written out
// what was declared, and for a power cut the kernel has written back the rest.
func AgeServer() Step {
	return Step{"have the server write out what was declared", func(ctx context.Context, t *Trial) error {
		return t.server.Settle(ctx)
	}}
}

// AwaitConfirmed waits until the producer that StartProducer started has n
// confirmations.
func AwaitConfirmed(n int) Step { return AwaitCount("producer", ledger.Confirmed, n) }

// AwaitEnd waits until a member has ended by itself.
func AwaitEnd(name string) Step {
	return Step{"wait until " + name + " has ended", func(ctx context.Context, t *Trial) error { return t.ended(ctx, name) }}
}

// UnderLoad does a fault in the middle of a stream: when the producer that StartProducer
// started has n confirmations. Then it waits until the producer has ended.
func UnderLoad(n int, fault Step) Step {
	return Step{fmt.Sprintf("%s when %d tasks are confirmed, and let the producer go on to its end", fault.Name, n), func(ctx context.Context, t *Trial) error {
		for _, step := range []Step{AwaitConfirmed(n), fault, AwaitEnd("producer")} {
			if err := step.Do(ctx, t); err != nil {
				return fmt.Errorf("%s: %w", step.Name, err)
			}
		}
		return nil
	}}
}

// CloseConnections has the server close the connections of all its clients.
func CloseConnections() Step {
	return Step{"have the server close every connection", func(ctx context.Context, t *Trial) error {
		return t.inject(ctx, fault.CloseConnections(t.server))
	}}
}

// Age lets time pass, for what is young is not like what is old. The trial keeps
// its slot: on a busy machine it would get it back when all delays are over.
func Age(d time.Duration) Step {
	return Step{fmt.Sprintf("wait until the queue is %s old", d), func(ctx context.Context, _ *Trial) error {
		return pause(ctx, d)
	}}
}

// leaderless is the measure of MendQueue: 1 when the queue had no leader.
const leaderless = "queue_without_leader"

// leaderWithin is how long a restarted quorum queue may look for its leader;
// one that finds it does so in well under a second.
const leaderWithin = 10 * time.Second

// MendQueue looks whether the trial's queue answers after a restart of its
// server. One that has no leader never will (its log is there, but nobody is
// registered to read it), so the only way on is taken: it is deleted and
// declared again.
func MendQueue() Step {
	return Step{"delete the queue if it has no leader any more, and declare it again", func(ctx context.Context, t *Trial) error {
		look, cancel := context.WithTimeout(ctx, leaderWithin)
		defer cancel()
		rabbit, ok := t.server.(*server.Rabbit)
		if !ok {
			return fmt.Errorf("mend the queue: %s has no queue leaders", t.server.Name())
		}
		forgotten := false
		err := t.aside(ctx, func() error { // five seconds for each answer that does not come
			if _, err := rabbit.Queue(look, t.queue); err == nil {
				return nil
			}
			forgotten = true
			return rabbit.DeleteQueue(ctx, t.queue)
		})
		if err != nil {
			return err
		}
		if !forgotten {
			return t.Measure(leaderless, 0)
		}
		if err := t.Measure(leaderless, 1); err != nil {
			return err
		}
		return t.client.Declare(ctx, t.queue)
	}}
}
