package memorybroker_test

import (
	"context"
	"testing"

	"acklab/broker"
	"acklab/broker/brokertest"
	"acklab/broker/memorybroker"
)

func TestConformance(t *testing.T) {
	brokertest.Run(t, brokertest.Harness{Start: start})
}

func start(testing.TB) *brokertest.Server {
	s := memorybroker.NewServer()
	client := func(open func(broker.Options) *memorybroker.Broker) func(testing.TB, broker.Options) broker.Broker {
		return func(t testing.TB, opts broker.Options) broker.Broker {
			b := open(opts)
			t.Cleanup(func() { _ = b.Close(context.Background()) })
			return b
		}
	}
	return &brokertest.Server{
		Open:           client(s.Open),
		OpenPriorities: client(s.OpenWithPriorities),
		Cut:            func(b broker.Broker) { b.(*memorybroker.Broker).Sever() },
		View: func(_ context.Context, queue string) (brokertest.View, error) {
			ready, unacked := s.View(queue)
			return brokertest.View{Ready: ready, Unacked: unacked}, nil
		},
		PutRaw:           func(_ context.Context, queue string, body []byte) error { return s.PutRaw(queue, body) },
		CloseConnections: func(context.Context) error { s.CloseConnections(); return nil },
	}
}
