package experiments

import (
	"testing"

	"acklab/internal/server"
)

// needServers skips where a server is missing.
func needServers(t *testing.T) {
	t.Helper()
	for _, find := range []func() (server.Binary, error){server.FindRedis, server.FindRabbit} {
		if _, err := find(); err != nil {
			t.Skipf("%v (make test installs it)", err)
		}
	}
}

func TestEveryPlantedFaultIsSeenOrItIsSaidWhyItCannotBe(t *testing.T) {
	needServers(t)
	m, err := Selftest(t.Context(), SelftestOptions{Self: binary, Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Log("\n" + m.Text())
	for _, hole := range m.Holes() {
		t.Error(hole)
	}
}

func TestAMatrixWithAHoleSaysSo(t *testing.T) {
	t.Parallel()
	m := Matrix{Experiments: []string{"a", "b"}, Plants: []string{"p", "q"}, cells: map[[2]string]Square{
		{"a", "p"}: {Seen: true, Fired: 1}, {"b", "p"}: {Excused: true, Because: "it has no eyes"},
		{"a", "q"}: {Fired: 2, Because: "as predicted"}, {"b", "q"}: {Seen: true},
	}}
	if got := len(m.Holes()); got != 2 {
		t.Errorf("%d holes, want 2 (one not seen, one that never fired): %q", got, m.Holes())
	}
}
