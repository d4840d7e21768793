package rabbitbroker

import (
	"context"
	"net/url"
	"testing"

	amqp "github.com/rabbitmq/amqp091-go"

	"acklab/broker"
	"acklab/broker/brokertest"
	"acklab/internal/server"
	"acklab/task"
)

func TestConformanceOfClassicQueues(t *testing.T) { conform(t, "classic") }

func TestConformanceOfQuorumQueues(t *testing.T) { conform(t, "quorum") }

func conform(t *testing.T, queueType string) {
	minderOf(t) // before the suite looks for goroutines
	brokertest.Run(t, brokertest.Harness{
		Kills: 50,
		Start: func(t testing.TB) *brokertest.Server { return harnessed(t, startNode(t), queueType) },
		Refusals: []brokertest.Refusal{{
			Name: "a user without permission is denied", Reason: broker.Denied,
			Provoke: func(t testing.TB) (broker.Broker, *task.Message) { return forbidden(t, queueType) },
		}},
	})
}

// harnessed shows a node to the suite.
func harnessed(t testing.TB, r *server.Rabbit, queueType string) *brokertest.Server {
	at := func(t testing.TB, addr string, o broker.Options) broker.Broker {
		return openURL(t, "amqp://guest:guest@"+addr+"/?queue_type="+queueType, o)
	}
	s := &brokertest.Server{
		Addr:   r.Addr(),
		Open:   func(t testing.TB, o broker.Options) broker.Broker { return at(t, r.Addr(), o) },
		OpenAt: at,
		View: func(ctx context.Context, queue string) (brokertest.View, error) {
			v, err := r.Queue(ctx, queue)
			return brokertest.View{Ready: v.Ready, Unacked: v.Unacked}, err
		},
		PutRaw: func(ctx context.Context, queue string, body []byte) error { return putRaw(r.URL(""), queue, body) },
		CloseConnections: func(ctx context.Context) error {
			_, err := r.CloseConnections(ctx, "the test said so")
			return err
		},
		Kill: func(ctx context.Context) error {
			settleYoungQueues(ctx, t, r)
			return r.Kill(ctx)
		},
		Restart: r.Boot, Freeze: r.Freeze, Thaw: r.Thaw,
	}
	if queueType == "classic" { // quorum queues have no priorities
		s.OpenPriorities = func(t testing.TB, o broker.Options) broker.Broker {
			return openURL(t, "amqp://guest:guest@"+r.Addr()+"/?priority=on", o)
		}
	}
	return s
}

// putRaw is a publish by the bare client.
func putRaw(rawURL, queue string, body []byte) error {
	conn, err := amqp.Dial(rawURL)
	if err != nil {
		return err
	}
	defer conn.Close()
	ch, err := conn.Channel()
	if err != nil {
		return err
	}
	if err := ch.Confirm(false); err != nil {
		return err
	}
	confirm, err := ch.PublishWithDeferredConfirm("", queue, true, false, amqp.Publishing{DeliveryMode: amqp.Persistent, Body: body})
	if err != nil {
		return err
	}
	confirm.Wait()
	return ch.Close()
}

// forbidden is a user who may connect and may not publish.
func forbidden(t testing.TB, queueType string) (broker.Broker, *task.Message) {
	r := calmNode(t)
	for _, expr := range []string{
		`rabbit_auth_backend_internal:add_user(<<"reader">>, <<"reader">>, <<"test">>)`,
		`rabbit_auth_backend_internal:set_permissions(<<"reader">>, <<"/">>, <<"^$">>, <<"^$">>, <<".*">>, <<"test">>)`,
	} {
		if out, err := r.Eval(t.Context(), expr); err != nil {
			t.Logf("%s: %s %v", expr, out, err) // the user exists when this runs twice
		}
	}
	u := &url.URL{Scheme: "amqp", User: url.UserPassword("reader", "reader"), Host: r.Addr(), Path: "/", RawQuery: "queue_type=" + queueType}
	m, err := task.New("noop", task.Options{Queue: "not-for-readers"})
	if err != nil {
		t.Fatal(err)
	}
	return openURL(t, u.String(), broker.Options{}), m
}
