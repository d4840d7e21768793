package bench

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"acklab/broker"
	"acklab/internal/connect"
	"acklab/internal/minder"
	"acklab/internal/server"
	"acklab/internal/server/servertest"
	"acklab/producer"
	"acklab/task"
)

const (
	// ahead is how many tasks a worker without a prefetch limit has in hand.
	ahead = 10_000
	// padding is what makes each of them heavy, in bytes.
	padding = 1000
	// limit is what that worker may use, in KiB.
	limit = 100 << 10
	// patience is for a slow machine.
	patience = 2 * time.Minute
)

func TestAWorkerWithTenThousandTasksInHandNeedsLessThanAHundredMegabytes(t *testing.T) {
	if testing.Short() {
		t.Skip("it builds the program and starts RabbitMQ: run without -short")
	}
	if _, err := os.Stat("/proc/self/status"); err != nil {
		t.Skip("no /proc to read the memory from: run on Linux")
	}
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	r := servertest.Rabbit(t, server.RabbitOptions{})
	m := servertest.Minder(t)
	fill(ctx, t, r)
	now, peak := holding(ctx, t, m, r)
	t.Logf("a worker with %d tasks of %d bytes padding in hand: %d KiB resident, %d KiB at its peak", ahead, padding, now, peak)
	if peak >= limit {
		t.Errorf("peak %d KiB, want less than %d", peak, limit)
	}
}

// fill puts the tasks on the queue.
func fill(ctx context.Context, t *testing.T, r *server.Rabbit) {
	t.Helper()
	b, err := connect.Open(ctx, r.URL(""), broker.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close(context.WithoutCancel(ctx))
	if err := b.Declare(ctx, "celery"); err != nil {
		t.Fatal(err)
	}
	load := producer.Load{Count: ahead, Name: "noop", Size: padding, Options: task.Options{Queue: "celery", Origin: origin}}
	if tally, err := producer.New(producer.Config{Broker: b}).Run(ctx, load, nil); err != nil || tally.Confirmed != ahead {
		t.Fatal(tally.Summary(), err)
	}
}

// holding runs the real worker, paused at its first task, until it has
// received everything, and returns what it uses and has used at most, in KiB.
func holding(ctx context.Context, t *testing.T, m *minder.Minder, r *server.Rabbit) (now, peak int) {
	t.Helper()
	dir := t.TempDir()
	program, books, said := filepath.Join(dir, "acklab"), filepath.Join(dir, "worker.jsonl"), filepath.Join(dir, "stderr")
	if out, err := exec.CommandContext(ctx, "go", "build", "-buildvcs=false", "-o", program, "acklab/cmd/acklab").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	worker, err := m.Run(minder.Spec{Name: "worker", Stdout: said, Stderr: said, Argv: []string{
		program, "worker", "--broker", r.URL(""), "--ledger", books,
		"--concurrency", "1", "--prefetch-multiplier", "0", "--acks-late", "--pause-at", "fetched",
	}})
	if err != nil {
		t.Fatal(err)
	}
	defer worker.Kill(context.WithoutCancel(ctx))
	if err := awaitReceived(ctx, worker, books); err != nil {
		text, _ := os.ReadFile(said)
		t.Fatalf("%v; the worker said:\n%s", err, text)
	}
	return memory(t, worker.Pid(), "VmRSS"), memory(t, worker.Pid(), "VmHWM")
}

// awaitReceived returns when the ledger has a line for every delivery.
func awaitReceived(ctx context.Context, worker *minder.Process, books string) error {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		text, err := os.ReadFile(books)
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
		received := bytes.Count(text, []byte(`"event":"received"`))
		if received == ahead {
			return nil
		}
		select {
		case <-tick.C:
		case <-worker.Done():
			return fmt.Errorf("the worker has ended with %v after %d deliveries", worker.Exit(), received)
		case <-ctx.Done():
			return fmt.Errorf("%d of %d deliveries received: %w", received, ahead, context.Cause(ctx))
		}
	}
}

// memory reads a field of /proc/<pid>/status, in KiB.
func memory(t *testing.T, pid int, field string) int {
	t.Helper()
	status, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/status")
	if err != nil {
		t.Fatal(err)
	}
	_, after, found := strings.Cut(string(status), field+":")
	var kib int
	if _, err := fmt.Sscanf(after, "%d kB", &kib); !found || err != nil {
		t.Fatalf("no %s in the status of process %d: %v", field, pid, err)
	}
	return kib
}
