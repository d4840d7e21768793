// Package resulttest is the conformance suite of package result: the comments of
// its contract as tests, run against a real store. A driver's test is a Harness
// and one call to Run. What a server cannot do is skipped and says so.
package resulttest

import (
	"slices"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"acklab/result"
)

// test is one sentence of the contract.
type test struct {
	name  string
	needs []need
	run   func(*probe)
}

// need says why a test cannot run here, or nothing.
type need func(*probe) string

// Run runs the suite as subtests of t. It must not be called from a parallel
// test: at its end it looks for goroutines that the driver left behind.
func Run(t *testing.T, h Harness) {
	if h.Start == nil {
		t.Fatal("resulttest: Harness.Start is nil")
	}
	if h.Kills == 0 {
		h.Kills = 2
	}
	if h.Patience == 0 {
		h.Patience = 30 * time.Second
	}
	before := goleak.IgnoreCurrent()
	t.Cleanup(func() { checkLeaks(t, before) })
	calm := slices.Concat(readTests(), stateTests(), crowdTests(), chordTests(), expiryTests(), waitTests(), closeTests())
	broken := slices.Concat(faultTests(), chordFaults())
	for name := range h.Skip {
		if !slices.ContainsFunc(slices.Concat(calm, broken), func(c test) bool { return c.name == name }) {
			t.Errorf("the harness skips a test that does not exist: %q", name)
		}
	}
	var wait sync.WaitGroup // not t.Parallel: that is bounded by the number of processors
	for _, g := range []struct {
		name  string
		width int
		tests []test
	}{{"calm", 6, calm}, {"faults", 1, broken}} {
		server := h.Start(t)
		wait.Go(func() {
			t.Run(g.name, func(t *testing.T) { runGroup(t, h, server, g.width, g.tests) })
		})
	}
	wait.Wait()
}

// runGroup runs tests on one server, at most width at the same moment.
func runGroup(t *testing.T, h Harness, server *Server, width int, tests []test) {
	p := newProbe(t, h, server)
	traits := p.open(result.Options{}).Traits(p.soon())
	t.Logf("store %s, server %s %s at %q, durable: %s", traits.Name, traits.Server, traits.Version, server.Addr, traits.Durable)
	if traits.Name == "" || traits.Server == "" || traits.Version == "" || traits.Durable == "" || traits.Durable == result.Unknown {
		t.Errorf("traits of a server that answers leave something unsaid: %+v", traits)
	}
	if traits.Expires != result.DefaultExpires {
		t.Errorf("without options results expire after %v; want %v", traits.Expires, result.DefaultExpires)
	}
	slots := make(chan struct{}, width)
	var wait sync.WaitGroup
	for _, c := range tests {
		slots <- struct{}{}
		wait.Go(func() {
			defer func() { <-slots }()
			t.Run(c.name, func(t *testing.T) {
				p := newProbe(t, h, server)
				p.traits = traits
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

func needKill(p *probe) string {
	if p.server.Kill == nil || p.server.Restart == nil {
		return "the server cannot be killed and restarted"
	}
	return ""
}

func needSurvival(p *probe) string {
	if !p.traits.Durable.SurvivesKill() {
		return "traits say Durable=" + string(p.traits.Durable)
	}
	return ""
}

func needFreeze(p *probe) string {
	if p.server.Freeze == nil || p.server.Thaw == nil {
		return "the server cannot be frozen"
	}
	return ""
}

func needCloseConnections(p *probe) string {
	if p.server.CloseConnections == nil {
		return "the server cannot be told to close its connections"
	}
	return ""
}

func needProxy(p *probe) string {
	if p.server.Addr == "" || p.server.OpenAt == nil {
		return "no proxy can stand before a server inside the process"
	}
	return ""
}

func needRaw(p *probe) string {
	if p.server.PutRaw == nil {
		return "the harness cannot put foreign bytes into the store"
	}
	return ""
}

// ProxyLeaks are the goroutines that a toxiproxy forgets when it is stopped while
// bytes pass through. They are not the driver's; a TestMain that looks for leaks
// itself, after Run, needs to ignore them.
func ProxyLeaks() []goleak.Option {
	var options []goleak.Option
	for _, f := range []string{"/toxics.(*ToxicStub).Run", ".(*ToxicLink).read", ".(*ToxicLink).write"} {
		options = append(options, goleak.IgnoreAnyFunction("github.com/Shopify/toxiproxy/v2"+f))
	}
	return options
}

// checkLeaks waits for goroutines that are on their way out, and reports those
// that are not.
func checkLeaks(t *testing.T, before goleak.Option) {
	options := append(ProxyLeaks(), before)
	var err error
	for range 4 { // each Find waits for up to two seconds
		if err = goleak.Find(options...); err == nil {
			return
		}
	}
	text := err.Error()
	t.Errorf("goroutines are left after everything was closed: %s", text[:min(len(text), 6000)])
}
