package resulttest_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"acklab/result"
	"acklab/result/memoryresult"
	"acklab/result/resulttest"
)

const plantVariable = "ACKLAB_RESULTTEST_PLANT"

// TestPlantedFaultsAreCaught runs, in a child process for each fault, the tests
// that are named, and wants each to fail.
func TestPlantedFaultsAreCaught(t *testing.T) {
	t.Parallel()
	for _, p := range plants() {
		t.Run(p.name, func(t *testing.T) {
			t.Parallel()
			out, err := runPlanted(t, p)
			if err == nil {
				t.Fatalf("the suite passes with this fault:\n%s", tail(out))
			}
			for _, name := range p.caught {
				if !failed(out, name) {
					t.Errorf("test %q does not fail with this fault:\n%s", name, tail(out))
				}
			}
		})
	}
}

// failed tells whether the output says so of the test.
func failed(out []byte, name string) bool {
	for line := range strings.Lines(string(out)) {
		if rest, ok := strings.CutPrefix(strings.TrimSpace(line), "--- FAIL: TestSuite"); ok {
			whole, _, _ := strings.Cut(rest, " (")
			if strings.HasSuffix(whole, "/"+strings.ReplaceAll(name, " ", "_")) {
				return true
			}
		}
	}
	return false
}

func tail(out []byte) []byte { return out[max(0, len(out)-4000):] }

func runPlanted(t *testing.T, p plant) ([]byte, error) {
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	var names []string
	for _, name := range p.caught {
		names = append(names, regexp.QuoteMeta(strings.ReplaceAll(name, " ", "_")))
	}
	cmd := exec.CommandContext(ctx, os.Args[0], "-test.run=^TestSuite$/./^("+strings.Join(names, "|")+")$", "-test.v", "-test.timeout=2m")
	cmd.Env = append(os.Environ(), plantVariable+"="+p.name)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && (!errors.As(err, &exit) || exit.ExitCode() != 1) {
		t.Fatalf("run the suite in a child: %v\n%s", err, tail(out.Bytes()))
	}
	if bytes.Contains(out.Bytes(), []byte("panic:")) {
		t.Fatalf("the suite panics:\n%s", tail(out.Bytes()))
	}
	return out.Bytes(), err
}

// TestSuite runs the suite over the hooks: of the fault that the environment
// names, or of none, which must pass.
func TestSuite(t *testing.T) {
	name := os.Getenv(plantVariable)
	all := append(plants(), plant{})
	i := slices.IndexFunc(all, func(p plant) bool { return p.name == name })
	if i < 0 {
		t.Fatalf("no plant %q", name)
	}
	h := resulttest.Harness{Start: all[i].start}
	if name != "" {
		h.Patience = 2 * time.Second // something will not come
	}
	resulttest.Run(t, h)
}

// machine is a server inside the process that can be killed and frozen.
type machine struct {
	plant
	mu     sync.Mutex
	server *memoryresult.Server
	down   bool
	thawed chan struct{} // closed when it is not frozen
}

func (p plant) start(testing.TB) *resulttest.Server {
	m := &machine{plant: p, server: memoryresult.NewServer(), thawed: make(chan struct{})}
	close(m.thawed)
	set := func(down bool) func(context.Context) error {
		return func(context.Context) error {
			m.mu.Lock()
			defer m.mu.Unlock()
			m.down = down
			if down && p.forgets {
				for _, id := range m.server.Held() {
					c := m.server.Open(result.Options{})
					_ = c.Forget(context.Background(), id)
					_ = c.Close(context.Background())
				}
			}
			return nil
		}
	}
	return &resulttest.Server{
		Open: func(t testing.TB, o result.Options) result.Store {
			if p.options != nil && o.Expires != 0 {
				p.options(&o)
			}
			c := &client{machine: m, next: m.server.Open(o)}
			t.Cleanup(func() { _ = c.next.Close(context.Background()) })
			return c
		},
		PutRaw: func(_ context.Context, id string, text []byte) error { m.server.PutRaw(id, string(text)); return nil },
		Kill:   set(true), Restart: set(false),
		Freeze: func(context.Context) error {
			m.mu.Lock()
			defer m.mu.Unlock()
			m.thawed = make(chan struct{})
			return nil
		},
		Thaw: func(context.Context) error {
			m.mu.Lock()
			defer m.mu.Unlock()
			close(m.thawed)
			return nil
		},
	}
}

// client is a memoryresult behind the hooks of a plant and the faults of its
// machine.
type client struct {
	*machine
	next    *memoryresult.Store
	mu      sync.Mutex
	broken  bool
	waiters result.Waiters
}

// reach is nil when the server can be asked.
func (c *client) reach(ctx context.Context) error {
	c.machine.mu.Lock()
	down, thawed := c.down, c.thawed
	c.machine.mu.Unlock()
	c.mu.Lock()
	c.broken = c.broken || down && c.neverAgain
	down = down || c.broken
	c.mu.Unlock()
	if c.deaf {
		ctx = context.Background()
	}
	select {
	case <-thawed:
	default:
		select {
		case <-thawed:
		case <-ctx.Done():
			return result.Unavailable(context.Cause(ctx))
		}
	}
	if down {
		return result.Unavailable(errors.New("connection refused"))
	}
	return nil
}

func (c *client) Store(ctx context.Context, r result.Result) error {
	if err := c.reach(ctx); err != nil {
		return err
	}
	if c.store != nil {
		return c.store(c.next, ctx, r)
	}
	return c.next.Store(ctx, r)
}

func (c *client) Get(ctx context.Context, id string) (result.Result, error) {
	if err := c.reach(ctx); err != nil {
		return result.Result{}, err
	}
	if c.get != nil {
		return c.get(c.next, ctx, id)
	}
	return c.next.Get(ctx, id)
}

func (c *client) Wait(ctx context.Context, id string) (result.Result, error) {
	switch {
	case c.wait != nil:
		return c.wait(c.next, ctx, id)
	case c.givesUp:
		for ; ; time.Sleep(time.Millisecond) {
			if r, err := c.Get(ctx, id); err != nil || r.State.Finished() {
				return r, err
			}
		}
	}
	return c.waiters.Await(ctx, id, func(ctx context.Context) (result.Result, error) { return c.Get(ctx, id) })
}

func (c *client) Forget(ctx context.Context, id string) error {
	if err := c.reach(ctx); err != nil {
		return err
	}
	if c.forget != nil {
		return c.forget(c.next, ctx, id)
	}
	return c.next.Forget(ctx, id)
}

func (c *client) Join(ctx context.Context, p result.Part) (result.Joined, error) {
	if err := c.reach(ctx); err != nil {
		return result.Joined{}, err
	}
	if c.join != nil {
		return c.join(c.next, ctx, p)
	}
	return c.next.Join(ctx, p)
}

func (c *client) Values(ctx context.Context, chord string, size int) ([]json.RawMessage, error) {
	if err := c.reach(ctx); err != nil {
		return nil, err
	}
	if c.values != nil {
		return c.values(c.next, ctx, chord, size)
	}
	return c.next.Values(ctx, chord, size)
}

func (c *client) Traits(ctx context.Context) result.Traits {
	t := c.next.Traits(ctx)
	t.Durable = result.Written // over a kill of the machine
	return t
}

func (c *client) Close(ctx context.Context) error {
	if c.close != nil {
		return c.close(c.next, ctx)
	}
	c.waiters.Close()
	return c.next.Close(ctx)
}
