package celery

import (
	"fmt"
	"path/filepath"
	"strings"

	"acklab/internal/minder"
)

// App is app.py with a Python that runs it.
type App struct {
	Installation
	// Path is where app.py lies.
	Path string
}

// Prepare writes app.py into the folder for the Python that was found.
func (i Installation) Prepare(dir string) (App, error) {
	path, err := WriteApp(dir)
	if err != nil {
		return App{}, err
	}
	if path, err = filepath.Abs(path); err != nil {
		return App{}, fmt.Errorf("where the Celery application lies: %w", err)
	}
	return App{Installation: i, Path: path}, nil
}

// Worker says how to start a worker. It is told by its name, writes its ledger to the
// file of that path, which must not exist, and what Celery logs to the file log; dir
// is its working directory.
//
// The worker is one member of a trial: SIGTERM is Celery's warm shutdown, after which
// the ledger ends with closed; SIGUSR1 ends a pause; at its checkpoint all of its
// processes die by signal 9.
func (a App) Worker(o Options, name, dir, ledger, log string) (minder.Spec, error) {
	if err := o.Check(); err != nil {
		return minder.Spec{}, err
	}
	return a.spec(o.Args(), o.Env(), name, dir, ledger, log), nil
}

// Sender says how to start a producer that publishes to the queue as Python does: one
// JSON object a line on its standard input, one line of answer each on out.
//
//	{"task": "add", "args": [1, 2], "kwargs": {}, "options": {"countdown": 1}, "wait": 10}
//
// With wait, in seconds, the answer has the result.
func (a App) Sender(broker, result, queue, name, dir, ledger, out, log string) minder.Spec {
	o := Options{Broker: broker, Result: result}
	s := a.spec(append([]string{"send", "--queues", queue}, o.agreed()...), o.Env(), name, dir, ledger, log)
	s.Stdout, s.Stdin = out, true
	return s
}

func (a App) spec(args, env []string, name, dir, ledger, log string) minder.Spec {
	argv := append([]string{a.Python, a.Path}, args...)
	argv = append(argv, "--ledger", ledger, "--ledger-name", name)
	return minder.Spec{Name: name, Argv: argv, Dir: dir, Env: env, Stdout: log, Stderr: log}
}

// String names the versions, for reports: "Celery 5.2.6 (kombu 5.2.4, py-amqp 5.1.1, redis-py 4.3.4)".
func (i Installation) String() string {
	return fmt.Sprintf("Celery %s (%s)", i.Celery, strings.Join([]string{"kombu " + i.Kombu, "py-amqp " + i.AMQP, "redis-py " + i.Redis}, ", "))
}
