package deploy_test

import (
	"os"
	"testing"

	"acklab/internal/server/servertest"
)

func TestMain(m *testing.M) {
	servertest.BeMinder()
	code := m.Run()
	if scratch != "" {
		os.RemoveAll(scratch)
	}
	os.Exit(code)
}
