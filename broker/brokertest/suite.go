// Package brokertest is the conformance suite of package broker: the
// comments of its contract as tests, run against a real server. A driver's
// test is a Harness and one call to Run. What a trait switches off is skipped
// and says which trait.
package brokertest

import (
	"context"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"acklab/broker"
)

// test is one sentence of the contract.
type test struct {
	name  string
	needs []need
	run   func(*probe)
}

// group is a set of tests that share a server; at most width of them run at
// the same moment.
type group struct {
	name   string
	width  int
	tests  []test
	server *Server
}

// Run runs the suite as subtests of t. It must not be called from a parallel
// test: at its end it looks for goroutines that the driver left behind.
func Run(t *testing.T, h Harness) {
	if h.Start == nil {
		t.Fatal("brokertest: Harness.Start is nil")
	}
	if h.Kills == 0 {
		h.Kills = 3
	}
	if h.Patience == 0 {
		h.Patience = 30 * time.Second
	}
	before := goleak.IgnoreCurrent()
	t.Cleanup(func() { checkLeaks(t, before) })

	calm := h.Start(t)
	traits := traitsOf(t, h, calm)
	if h.LeaseWait == 0 {
		h.LeaseWait = traits.ReturnMax + h.Patience
	}
	broken := h.Start(t)

	quick := append(contract(), refusalTests(h)...)
	var leases []test
	if traits.Returns == broker.OnLease {
		leases = returns()
	} else {
		quick = append(quick, returns()...)
	}
	checkSkips(t, h, quick, leases, delayTests(), faults())
	groups := []group{
		{name: "lease", width: len(leases), tests: leases, server: calm},
		{name: "delay", width: 4, tests: delayTests(), server: calm},
		{name: "calm", width: 6, tests: quick, server: calm},
		{name: "faults", width: 1, tests: faults(), server: broken},
	}
	// The groups run side by side with t.Run from goroutines, not with
	// t.Parallel: that is bounded by the number of processors, and a test
	// that waits two minutes for a lease would hold up the others.
	var wait sync.WaitGroup
	for _, g := range groups {
		if len(g.tests) > 0 {
			wait.Go(func() { t.Run(g.name, func(t *testing.T) { g.run(t, h, traits) }) })
		}
	}
	wait.Wait()
}

// contract is what needs nothing but a server that works.
func contract() []test {
	var all []test
	for _, part := range [][]test{
		publishTests(), unsureTests(), cutTests(), prefetchTests(), settlementTests(), flushTests(), orderTests(), priorityTests(),
		deadLetterTests(), queueTests(), closeTests(), stopTests(), censusTests(), crowdTests(), eventTests(),
	} {
		all = append(all, part...)
	}
	return all
}

// checkSkips finds names in Harness.Skip that are no test's.
func checkSkips(t *testing.T, h Harness, lists ...[]test) {
	for name := range h.Skip {
		if !slices.ContainsFunc(slices.Concat(lists...), func(c test) bool { return c.name == name }) {
			t.Errorf("the harness skips a test that does not exist: %q", name)
		}
	}
}

func (g group) run(t *testing.T, h Harness, traits broker.Traits) {
	slots := make(chan struct{}, g.width)
	var wait sync.WaitGroup
	for _, c := range g.tests {
		slots <- struct{}{}
		wait.Go(func() {
			defer func() { <-slots }()
			t.Run(c.name, func(t *testing.T) {
				p := newProbe(t, h, g.server, traits)
				if why := h.Skip[c.name]; why != "" {
					t.Skip("skipped by the driver's harness: " + why)
				}
				for _, n := range c.needs {
					if why := n(p); why != "" {
						t.Skip("skipped: " + why)
					}
				}
				c.run(p)
			})
		})
	}
	wait.Wait()
}

// traitsOf asks a connected client.
func traitsOf(t *testing.T, h Harness, s *Server) broker.Traits {
	ctx, cancel := context.WithTimeout(context.Background(), h.Patience)
	defer cancel()
	b := s.Open(t, broker.Options{})
	if err := b.Declare(ctx, "brokertest-traits"); err != nil {
		t.Fatalf("the server that Start made does not answer: %v", err)
	}
	traits := b.Traits()
	t.Logf("system %s, server %s %s at %q", traits.System, traits.Server, traits.Version, s.Addr)
	if traits.System == "" || traits.Server == "" || traits.Version == "" || traits.Returns == "" ||
		traits.Marks == "" || traits.Delay == "" || traits.Priority == "" || traits.DeadLetters == "" {
		t.Errorf("traits leave something unsaid: %+v", traits)
	}
	if held := traits.Delay == broker.Native || traits.Delay == broker.Emulated; held != (traits.DelayLate > 0) || traits.DelayRounding < 0 {
		t.Errorf("delay %q with DelayLate %v and DelayRounding %v: no server is on time to the nanosecond", traits.Delay, traits.DelayLate, traits.DelayRounding)
	}
	if err := b.Close(ctx); err != nil {
		t.Errorf("close: %v", err)
	}
	return traits
}

// ProxyLeaks are the goroutines that a toxiproxy forgets when it is stopped
// while bytes pass through. They are not the driver's; a TestMain that looks
// for leaks itself, after Run, needs to ignore them.
func ProxyLeaks() []goleak.Option {
	var options []goleak.Option
	for _, f := range []string{"/toxics.(*ToxicStub).Run", ".(*ToxicLink).read", ".(*ToxicLink).write"} {
		options = append(options, goleak.IgnoreAnyFunction("github.com/Shopify/toxiproxy/v2"+f))
	}
	return options
}

// checkLeaks waits for goroutines that are on their way out, and reports
// those that are not.
func checkLeaks(t *testing.T, before goleak.Option) {
	options := append(ProxyLeaks(), before)
	var err error
	for range 4 { // each Find waits for up to two seconds
		if err = goleak.Find(options...); err == nil {
			return
		}
	}
	text := err.Error()
	if n := strings.Count(text, "\n"); n > 60 {
		text = strings.Join(strings.SplitN(text, "\n", 61)[:60], "\n") + "\n..."
	}
	t.Errorf("goroutines are left after everything was closed: %s", text)
}
