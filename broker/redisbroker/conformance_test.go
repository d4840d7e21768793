package redisbroker_test

import (
	"context"
	"testing"

	"acklab/broker"
	"acklab/broker/brokertest"
	"acklab/internal/server"
	"acklab/internal/server/servertest"
	"acklab/task"
)

// Leases are short, so that what a dead consumer held comes back within
// seconds, and long enough for a slow machine to settle in time.
const short = "visibility=8s&restore=500ms"

func TestConformance(t *testing.T) {
	brokertest.Run(t, brokertest.Harness{
		Kills: 50,
		Start: func(t testing.TB) *brokertest.Server {
			return serverFor(t, servertest.Redis(t, server.RedisOptions{Persistence: server.AOFAlways}), short)
		},
		Refusals: []brokertest.Refusal{
			{Name: "redis is full", Reason: broker.Full, Provoke: func(t testing.TB) (broker.Broker, *task.Message) {
				r := servertest.Redis(t, server.RedisOptions{Args: []string{"--maxmemory", "64kb", "--maxmemory-policy", "noeviction"}})
				return open(t, r.Addr(), "", broker.Options{}), message(t, "full")
			}},
			{Name: "redis is a replica", Reason: broker.ReadOnly, Provoke: func(t testing.TB) (broker.Broker, *task.Message) {
				r := servertest.Redis(t, server.RedisOptions{})
				run(t, r, "replicaof", "127.0.0.1", "1")
				return open(t, r.Addr(), "", broker.Options{}), message(t, "replica")
			}},
			{Name: "the password is missing", Reason: broker.Denied, Provoke: func(t testing.TB) (broker.Broker, *task.Message) {
				r := servertest.Redis(t, server.RedisOptions{Password: "s3cret"})
				return open(t, r.Addr(), "", broker.Options{}), message(t, "denied")
			}},
			{Name: "the password is wrong", Reason: broker.Denied, Provoke: func(t testing.TB) (broker.Broker, *task.Message) {
				r := servertest.Redis(t, server.RedisOptions{Password: "s3cret"})
				return openURL(t, "redis://:other@"+r.Addr()+"/0", broker.Options{}), message(t, "denied")
			}},
			{Name: "a message without a queue", Reason: broker.Invalid, Provoke: func(t testing.TB) (broker.Broker, *task.Message) {
				return open(t, freeAddr(t), "", broker.Options{}), message(t, "")
			}},
			{Name: "a queue whose name is Celery's own", Reason: broker.Invalid, Provoke: func(t testing.TB) (broker.Broker, *task.Message) {
				return open(t, freeAddr(t), "", broker.Options{}), message(t, "unacked")
			}},
		},
	})
}

// TestConformanceOfRenewedLeasesAndDelaysInRedis is the other half of the URL's
// options.
func TestConformanceOfRenewedLeasesAndDelaysInRedis(t *testing.T) {
	brokertest.Run(t, brokertest.Harness{
		Start: func(t testing.TB) *brokertest.Server {
			r := servertest.Redis(t, server.RedisOptions{Persistence: server.AOFAlways})
			return serverFor(t, r, short+"&lease=renew&delay=broker")
		},
	})
}

func message(t testing.TB, queue string, args ...any) *task.Message {
	t.Helper()
	m, err := task.New("noop", task.Options{Queue: queue}, args...)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// run sends one command to the server.
func run(t testing.TB, r *server.Redis, words ...any) {
	t.Helper()
	c := r.Client()
	defer c.Close()
	if err := c.Do(context.Background(), words...).Err(); err != nil {
		t.Fatal(err)
	}
}
