package rabbitbroker

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	"acklab/broker"
	"acklab/task"
)

const (
	holdURL   = "ACKLAB_TEST_HOLD_URL"
	holdQueue = "ACKLAB_TEST_HOLD_QUEUE"
	holdTasks = 10_000
	// holdLimit is what a worker may use with so many tasks of 1 kB in hand.
	holdLimit = 100 << 10 // KiB
)

func TestTenThousandPrefetchedTasksFitIntoAHundredMegabytes(t *testing.T) {
	t.Parallel()
	queue := queueName()
	u := calmNode(t).URL("")
	b, _ := stocked(t, u, queue, 0, broker.Options{})
	var msgs []*task.Message
	for range holdTasks {
		m, err := task.New("noop", task.Options{Queue: queue}, strings.Repeat("x", 1000))
		if err != nil {
			t.Fatal(err)
		}
		msgs = append(msgs, m)
	}
	for _, err := range b.Publish(within(t), msgs...) {
		if err != nil {
			t.Fatal(err)
		}
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	worker := exec.Command(self, "-test.run=^TestHoldTasks$", "-test.v")
	worker.Env = append(os.Environ(), holdURL+"="+u, holdQueue+"="+queue)
	out, err := worker.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	_, after, found := strings.Cut(string(out), "peak ")
	var peak int
	if _, err := fmt.Sscanf(after, "%d KiB", &peak); !found || err != nil {
		t.Fatalf("the worker did not say how much memory it used: %s", out)
	}
	t.Logf("peak %d KiB with %d tasks of 1 kB in hand", peak, holdTasks)
	if raceDetector {
		t.Skip("the race detector uses memory of its own")
	}
	if peak > holdLimit {
		t.Errorf("peak %d KiB; want at most %d", peak, holdLimit)
	}
}

// TestHoldTasks is the worker of the test above, a process of its own.
func TestHoldTasks(t *testing.T) {
	rawURL, queue := os.Getenv(holdURL), os.Getenv(holdQueue)
	if rawURL == "" {
		t.Skip("it is started by TestTenThousandPrefetchedTasksFitIntoAHundredMegabytes")
	}
	w := newCounter(holdTasks)
	c := consume(t, openURL(t, rawURL, broker.Options{Observe: w.observe}), broker.Unlimited, queue)
	select {
	case <-w.all:
	case <-within(t).Done():
		t.Fatal("the tasks do not arrive")
	}
	fmt.Printf("peak %d KiB\n", peakMemory(t))
	receive(t, c, 1)
}

// counter waits for a number of arrivals without keeping them.
type counter struct {
	witness
	left int
	all  chan struct{}
}

func newCounter(n int) *counter { return &counter{left: n, all: make(chan struct{})} }

func (c *counter) observe(e broker.Event) {
	if e.Kind != broker.Arrived {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.left--; c.left == 0 {
		close(c.all)
	}
}

// peakMemory is the largest resident size of this process so far, in KiB.
func peakMemory(t *testing.T) int {
	f, err := os.Open("/proc/self/status")
	if err != nil {
		t.Skip("no /proc to read the memory from: ", err)
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		var kib int
		if n, _ := fmt.Sscanf(lines.Text(), "VmHWM: %d kB", &kib); n == 1 {
			return kib
		}
	}
	t.Fatal("no VmHWM in /proc/self/status")
	return 0
}
