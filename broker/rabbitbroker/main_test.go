package rabbitbroker

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"acklab/broker"
	"acklab/broker/brokertest"
	"acklab/internal/minder"
	"acklab/internal/server"
	"acklab/internal/server/servertest"
)

func TestMain(m *testing.M) {
	servertest.BeMinder()
	status := m.Run()
	if err := stopShared(); err != nil && status == 0 {
		fmt.Fprintln(os.Stderr, "stop the test servers:", err)
		status = 1
	}
	if status == 0 {
		if err := goleak.Find(brokertest.ProxyLeaks()...); err != nil {
			fmt.Fprintln(os.Stderr, err)
			status = 1
		}
	}
	os.Exit(status)
}

// The minder of all servers of this package, and one calm node that tests
// share which do it no harm.
var (
	keeper     *minder.Minder
	keeperErr  error
	keeperOnce sync.Once
	calm       *server.Rabbit
	calmErr    error
	calmOnce   sync.Once
)

func stopShared() error {
	var errs []error
	if calm != nil {
		errs = append(errs, calm.Close(context.Background()))
	}
	if keeper != nil {
		errs = append(errs, keeper.Close())
	}
	return errors.Join(errs...)
}

func needRabbit(t testing.TB) {
	t.Helper()
	if _, err := server.FindRabbit(); err != nil {
		t.Skip(err, "; make test installs it (apt-get install rabbitmq-server)")
	}
}

func minderOf(t testing.TB) *minder.Minder {
	t.Helper()
	needRabbit(t)
	keeperOnce.Do(func() {
		var self string
		if self, keeperErr = os.Executable(); keeperErr == nil {
			keeper, keeperErr = minder.Start(context.Background(), self, "minder")
		}
	})
	if keeperErr != nil {
		t.Fatal(keeperErr)
	}
	return keeper
}

// startNode starts a node that belongs to this test alone.
func startNode(t testing.TB, conf ...string) *server.Rabbit {
	t.Helper()
	r, err := server.StartRabbit(context.Background(), minderOf(t), server.RabbitOptions{Conf: conf})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return r
}

// calmNode is the shared node.
func calmNode(t testing.TB) *server.Rabbit {
	t.Helper()
	m := minderOf(t)
	calmOnce.Do(func() { calm, calmErr = server.StartRabbit(context.Background(), m, server.RabbitOptions{}) })
	if calmErr != nil {
		t.Fatal(calmErr)
	}
	return calm
}

func openURL(t testing.TB, rawURL string, o broker.Options) *Broker {
	t.Helper()
	b, err := Open(context.Background(), rawURL, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.Close(context.Background()); err != nil {
			t.Logf("close: %v", err)
		}
	})
	return b
}
