package bench

import (
	"os"
	"testing"

	"acklab/internal/server/servertest"
)

func TestMain(m *testing.M) {
	servertest.BeMinder()
	status := m.Run()
	results.print(os.Stdout)
	os.Exit(status)
}
