package experiments

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"acklab/internal/fault"
	"acklab/internal/ledger"
	"acklab/internal/minder"
	"acklab/internal/plant"
)

// member is one process incarnation that takes part in a trial.
type member struct {
	*minder.Process
	index int // in the manifest
	tail  *tail

	frozen fault.Fault // nil: it was not
}

// start runs this program again as a member of the trial: `acklab ARGS...
// --ledger FILE`.
func (t *Trial) start(name string, args ...string) error {
	path := filepath.Join(t.dir, name+".jsonl")
	argv := append([]string{t.run.self}, args...)
	argv = append(argv, "--ledger", path, "--ledger-name", name)
	argv = append(argv, t.metricsFlags(name)...)
	log := t.logOf(name)
	return t.join(name, minder.Spec{Name: name, Argv: argv, Dir: t.dir, Env: memberEnv(t), Stdout: log, Stderr: log})
}

// join starts a member that writes its ledger to its name with .jsonl.
func (t *Trial) join(name string, spec minder.Spec) error {
	if _, taken := t.members[name]; taken {
		return fmt.Errorf("start %s: this trial has one already", name)
	}
	file := name + ".jsonl"
	begin := ledger.Now()
	p, err := t.run.minder.Run(spec)
	if err != nil {
		return fmt.Errorf("start %s: %w", name, err)
	}
	t.manifest.Processes = append(t.manifest.Processes, ledger.Process{Name: name, File: file, Pid: p.Pid(), Start: begin})
	t.members[name] = &member{Process: p, index: len(t.manifest.Processes) - 1, tail: newTail(filepath.Join(t.dir, file))}
	t.order = append(t.order, name)
	return t.write(ledger.Line{Event: ledger.ProcessStarted, Process: name, Detail: map[string]string{"pid": strconv.Itoa(p.Pid())}})
}

// memberEnv hands the URLs of broker and result store over in the environment, so that no
// password stands in a command line.
func memberEnv(t *Trial) []string {
	env := []string{"ACKLAB_BROKER_URL=" + t.url, "ACKLAB_RESULT_URL=" + t.resultURL, "GOMAXPROCS=2"}
	if name := t.run.plant; slices.Contains(plant.Names, name) {
		env = append(env, plant.Env+"="+name, plant.QueuesEnv+"="+strings.Join(t.declared()[1:], ",")) // those that have a word
	}
	if d := os.Getenv("GOCOVERDIR"); d != "" {
		env = append(env, "GOCOVERDIR="+d)
	}
	return env
}

func (t *Trial) member(name string) (*member, error) {
	m, ok := t.members[name]
	if !ok {
		return nil, fmt.Errorf("no process %q in this trial", name)
	}
	return m, nil
}

// ended waits for the end of a process and writes it into manifest and ledger.
func (t *Trial) ended(ctx context.Context, name string) error {
	m, err := t.member(name)
	if err != nil {
		return err
	}
	select {
	case <-m.Done():
	case <-ctx.Done():
		return fmt.Errorf("wait for the end of %s: %w", name, ctx.Err())
	}
	p := &t.manifest.Processes[m.index]
	if p.End != 0 {
		return nil
	}
	exit := m.Exit()
	p.End, p.Code, p.Signal = exit.At, exit.Code, int(exit.Signal)
	return t.write(ledger.Line{Event: ledger.ProcessEnded, Process: name, Detail: map[string]string{
		"code": strconv.Itoa(p.Code), "signal": strconv.Itoa(p.Signal),
	}})
}

// stopWithin is how long a polite stop of a member may take before it is
// killed; a trial in which that happens is unsure.
const stopWithin = 20 * time.Second

// celeryStopWithin is the same for Celery's workers: they close their ledger in a
// second or two, and on a busy machine the exit of all their processes then takes
// ten to twenty more.
const celeryStopWithin = time.Minute

// stop ends a member politely and waits for its end.
func (t *Trial) stop(ctx context.Context, name string) error {
	m, err := t.member(name)
	if err != nil {
		return err
	}
	within := stopWithin
	if t.cell.System.Celery {
		within = celeryStopWithin
	}
	if m.Alive() {
		if _, err := m.Terminate(ctx, within); err != nil {
			return fmt.Errorf("stop %s: %w", name, err)
		}
	}
	return t.ended(ctx, name)
}

// signal sends a signal to a member.
func (t *Trial) signal(name string, s syscall.Signal) error {
	m, err := t.member(name)
	if err != nil {
		return err
	}
	return m.Signal(s)
}
