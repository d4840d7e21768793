package brokertest_test

import (
	"context"
	"testing"
	"time"

	"acklab/broker"
	"acklab/broker/brokertest"
)

// wirePlants are faults that show only on a network or when the server dies.
func wirePlants() []plant {
	lost := "a publish whose reply is lost with its connection is unsure and makes one copy"
	swallowed := "a publish whose reply is swallowed is unsure and makes one copy"
	delayed := "a delayed publish whose reply is swallowed is not confirmed and makes at most one copy"
	frozen := "a publish to a frozen server obeys its deadline"
	return []plant{
		{name: "wire", wire: &habits{}},
		{name: "resends a publish", wire: &habits{resends: true}, caught: []string{lost}},
		{name: "calls a lost reply a refusal", wire: &habits{sureOfLoss: true}, caught: []string{lost, swallowed, frozen}},
		{name: "calls a lost reply a confirm", wire: &habits{sureOfStore: true}, caught: []string{lost, swallowed, delayed, frozen}},
		{name: "sends again what has no reply soon", wire: &habits{impatient: true}, caught: []string{swallowed, delayed}},
		{name: "waits for a reply for ever", wire: &habits{noDeadline: true}, caught: []string{frozen}},
		{name: "does not reconnect", wire: &habits{noReconnect: true}, caught: []string{
			"producers and consumers carry on by themselves over a kill of the server", "a late ack of a dead session is stale and changes nothing"}},
		{name: "sends old tags", wire: &habits{oldTags: true}, caught: []string{"a late ack settles no delivery of the next session"}},
		{name: "hands out what a dead session had sent", wire: &habits{keepsBuffer: true}, caught: []string{"what a dead session had sent and nobody received is dropped"}},
		{name: "parks after it has acked", wire: &habits{parksLate: true}, caught: []string{"a reject whose connection breaks loses nothing, 10 times"}},
		{name: "flushes without asking", wire: &habits{flushesLocal: true}, caught: []string{"a flush that gets no answer is unsure", "after a flush the server has processed every ack, 20 times"}},
		{name: "leaves connections open", wire: &habits{leaks: true}, caught: []string{""}},
		{name: "forgets at a kill", wire: &habits{}, forgets: true, caught: []string{
			"what was confirmed survives a kill of the server", "a server killed between write and reply leaves no false word, many times"}},
		{name: "forgets delays at a kill", wire: &habits{}, forgetsDelays: true, caught: []string{"what waits for its ETA survives a kill of the server"}},
	}
}

func (p plant) startWire(t testing.TB) *brokertest.Server {
	s, err := newWireServer()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.kill() })
	openAt := func(t testing.TB, addr string, opts broker.Options) broker.Broker {
		b := newWireBroker(s, addr, opts, *p.wire)
		t.Cleanup(func() {
			ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
			defer cancel()
			_ = b.Close(ctx)
		})
		return b
	}
	return &brokertest.Server{
		Addr:   s.addr,
		Open:   func(t testing.TB, opts broker.Options) broker.Broker { return openAt(t, s.addr, opts) },
		OpenAt: openAt,
		View: func(_ context.Context, queue string) (brokertest.View, error) {
			ready, unacked := s.mem.View(queue)
			return brokertest.View{Ready: ready, Unacked: unacked}, nil
		},
		PutRaw:           func(_ context.Context, queue string, body []byte) error { return s.mem.PutRaw(queue, body) },
		CloseConnections: func(context.Context) error { s.closeConnections(); return nil },
		Kill: func(context.Context) error {
			err := s.kill()
			if p.forgets {
				s.forgetNewest()
			}
			if p.forgetsDelays {
				s.forgetDelays()
			}
			return err
		},
		Restart: func(context.Context) error { return s.listen() },
		Freeze:  func(context.Context) error { s.frozen.Lock(); return nil },
		Thaw:    func(context.Context) error { s.frozen.Unlock(); return nil },
	}
}
