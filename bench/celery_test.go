package bench

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"acklab/internal/celery"
	"acklab/internal/minder"
	"acklab/internal/server"
	"acklab/internal/server/servertest"
)

const (
	// celeryTasks are those of its lap: it takes about as long for them as the
	// others for theirs.
	celeryTasks = 300
	// celeryChildren is the concurrency of its worker.
	celeryChildren = 2
)

// celeryWorker is Celery's own worker on a queue, with testdata/noop.py: the
// pool prefork, the default prefetch multiplier, late acknowledgement, no
// ledger. It stands still but in its laps.
type celeryWorker struct {
	found   celery.Installation
	acklab  *acklab // publishes
	redis   *server.Redis
	client  *redis.Client
	process *minder.Process
	log     string
}

// newCelery starts a worker and has it run one task, so that its start is not
// counted.
func newCelery(b *testing.B, r *server.Redis, queue string) (*celeryWorker, error) {
	found, err := celery.Find(context.Background())
	if err != nil {
		return nil, err
	}
	app, err := filepath.Abs("testdata")
	if err != nil {
		return nil, err
	}
	dir := b.TempDir()
	w := &celeryWorker{found: found, redis: r, client: r.Client(), log: filepath.Join(dir, "celery.log")}
	b.Cleanup(func() { w.client.Close() })
	w.acklab = newAcklab(b, acklab{server: r, scheme: "redis", queue: queue, blind: true, count: celeryTasks})
	w.process, err = servertest.Minder(b).Run(minder.Spec{
		Name: "celery", Dir: dir, Stdout: w.log, Stderr: w.log, Env: []string{"PYTHONPATH=" + app, "PYTHONDONTWRITEBYTECODE=1"},
		Argv: []string{
			found.Python, "-m", "celery", "--app", "noop", "--broker", r.URL(""), "worker",
			"--pool", "prefork", "--concurrency", strconv.Itoa(celeryChildren), "--queues", queue, "--loglevel", "ERROR",
		},
	})
	if err != nil {
		return nil, err
	}
	b.Cleanup(func() { w.process.Kill(context.Background()) })
	first := *w.acklab
	first.count = 1
	first.publish(1, 1)
	w.finish()
	w.freeze()
	return w, nil
}

// name is also that of one that is missing.
func (w *celeryWorker) name() string {
	if w == nil {
		return "Celery"
	}
	return "Celery " + w.found.Celery
}

// work has Celery run all tasks of a lap.
func (w *celeryWorker) work() lap {
	w.acklab.publish(100, 1)
	if err := w.process.Thaw(context.Background()); err != nil {
		w.acklab.b.Fatal(err)
	}
	watch := startFor(family(w.process.Pid()), w.redis)
	w.finish()
	took := watch.stop().of(celeryTasks)
	w.freeze()
	return took
}

func (w *celeryWorker) freeze() {
	if err := w.process.Freeze(context.Background()); err != nil {
		w.acklab.b.Fatal(err)
	}
}

// finish waits until Redis holds no task, acknowledged or not.
func (w *celeryWorker) finish() {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := w.finished(ctx); err != nil {
		said, _ := os.ReadFile(w.log)
		w.acklab.b.Fatalf("%v; Celery said:\n%s", err, said)
	}
}

func (w *celeryWorker) finished(ctx context.Context) error {
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for {
		n, err := w.client.Exists(ctx, w.acklab.queue, "unacked").Result()
		if err != nil {
			return err
		}
		if n == 0 {
			return nil
		}
		select {
		case <-tick.C:
		case <-w.process.Done():
			return fmt.Errorf("the worker has ended with %v", w.process.Exit())
		case <-ctx.Done():
			return errors.New("the worker does not finish")
		}
	}
}

// family is a process and its children; where there is no /proc only itself.
func family(pid int) []string {
	all := []string{strconv.Itoa(pid)}
	lists, _ := filepath.Glob("/proc/" + all[0] + "/task/*/children")
	for _, list := range lists {
		text, _ := os.ReadFile(list)
		all = append(all, strings.Fields(string(text))...)
	}
	return all
}
