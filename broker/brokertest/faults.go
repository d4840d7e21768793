package brokertest

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"acklab/broker"
)

// faults are the tests that break the server. They run one after the other
// and leave it healthy.
func faults() []test {
	return []test{
		{"a consumer goes on after the server closed its connection", []need{needCloseConnections, needSessions}, connectionsClosed},
		{"producers and consumers carry on by themselves over closed connections", []need{needCloseConnections}, closedUnderLoad},
		{"a publish to a server that is down is refused and works again after it is back", []need{needKill}, serverDown},
		{"what was confirmed survives a kill of the server", []need{needKill, needSurvival}, survivesKill},
		{"what was parked is not lost in a kill of the server", []need{needKill, needSurvival, needDeadLetters}, parkedSurvivesKill},
		{"what waits for its ETA survives a kill of the server", []need{needKill, needSurvival, needHeldDelay}, delaySurvivesKill},
		{"a server killed between write and reply leaves no false word, many times", []need{needKill, needSurvival, needConfirms}, killWhilePublishing},
		{"producers and consumers carry on by themselves over a kill of the server", []need{needKill, needSurvival}, killUnderLoad},
		{"a server frozen for three seconds loses nothing confirmed", []need{needFreeze}, frozenUnderLoad},
		{"a publish to a frozen server obeys its deadline", []need{needFreeze}, frozenPublish},
		{"closing returns while the server is down", []need{needKill}, closeWhileDown},
	}
}

func (p *probe) kill() {
	p.Helper()
	if err := p.server.Kill(p.soon()); err != nil {
		p.Fatalf("kill the server: %v", err)
	}
}

func (p *probe) restart() {
	p.Helper()
	if err := p.server.Restart(p.within(3 * p.h.Patience)); err != nil {
		p.Fatalf("restart the server: %v", err)
	}
}

// freeze stops the server, and thaws it at the end of the test if the test
// has not come to it.
func (p *probe) freeze() (thaw func()) {
	p.Helper()
	if err := p.server.Freeze(p.soon()); err != nil {
		p.Fatalf("freeze the server: %v", err)
	}
	thaw = sync.OnceFunc(func() {
		ctx, cancel := context.WithTimeout(context.Background(), p.h.Patience)
		defer cancel()
		if err := p.server.Thaw(ctx); err != nil {
			p.Errorf("thaw the server: %v", err)
		}
	})
	p.Cleanup(thaw)
	return thaw
}

func connectionsClosed(p *probe) {
	var r recorder
	b := p.watched(&r)
	q := p.queue(b)
	sent := p.put(b, q, 3)
	c := p.consume(b, q, 3)
	old := p.receiveN(c, 3)
	for turn := range 3 {
		if err := p.server.CloseConnections(p.soon()); err != nil {
			p.Fatalf("have the server close its connections: %v", err)
		}
		again := p.receiveN(c, 3)
		for i, d := range again {
			if d.Session <= old[i].Session {
				p.Errorf("turn %d: session %d after session %d", turn, d.Session, old[i].Session)
			}
			p.wantMark(d, turn+2)
			p.wantIs(old[i].Ack(p.soon()), "ack of an old delivery", broker.ErrStale)
		}
		old = again
	}
	if n := len(r.sessions(broker.Lost)); n < 3 {
		p.Errorf("an observer was told of %d lost sessions; want 3 at the least", n)
	}
	p.flush(c)
	p.stop(c)
	p.ack(old[0])
	p.flush(c)
	p.closeConsumer(c)
	if n := len(p.census(b, q)); n != len(sent)-1 {
		p.Errorf("%d messages are held after one of 3 was acked in the last session", n)
	}
}

func serverDown(p *probe) {
	b := p.open()
	q := p.queue(b)
	p.put(b, q, 1)
	p.kill()
	m := p.messages(q, 1)[0]
	errs := b.Publish(p.soon(), m)
	if len(errs) != 1 || errs[0] == nil {
		p.Errorf("publish to a dead server returned %v", errs)
	}
	// A client may learn of the death by this publish; the next ones find no
	// connection, and nothing was sent.
	var refused []error
	p.until("a publish to a dead server is refused", func() bool {
		refused = b.Publish(p.soon(), p.messages(q, 1)...)
		return errors.Is(refused[0], broker.ErrRefused)
	})
	p.wantRefused(refused, broker.Unreachable)
	p.restart()
	p.until("a publish is confirmed again", func() bool {
		if err := b.Declare(p.soon(), q); err != nil {
			return false
		}
		return b.Publish(p.soon(), p.messages(q, 1)...)[0] == nil
	})
}

func survivesKill(p *probe) {
	b := p.open()
	q := p.queue(b)
	sent := p.put(b, q, 200)
	p.kill()
	p.restart()
	p.wantHeld(p.open(), q, broker.Queued, sent...)
}

// parkedSurvivesKill asks for no more than that the message is not lost: a
// broker may forget the last acks when it is killed, and have the original
// back beside its parked copy.
func parkedSurvivesKill(p *probe) {
	b := p.open()
	q := p.queue(b)
	sent := p.put(b, q, 3)
	c := p.consume(b, q, 3)
	for _, d := range p.receiveN(c, 3) {
		if err := d.Reject(p.soon(), "kept"); err != nil {
			p.Fatalf("reject: %v", err)
		}
	}
	p.flush(c)
	p.closeConsumer(c)
	p.kill()
	p.restart()
	states := p.states(p.open(), q)
	for _, m := range sent {
		if !slices.Contains(states[m.ID], broker.Dead) {
			p.Errorf("message %s was parked before the kill and is held as %q; want it among the dead", m.ID, states[m.ID])
		}
	}
}

func killWhilePublishing(p *probe) {
	q := p.queue(p.open())
	var all fates
	for turn := range p.h.Kills {
		p.killOnce(&all, q, 50*(turn%3+1))
	}
	all.check(p, p.open(), q)
}

// killOnce kills the server when so many more messages were confirmed, with
// eight publishes under way.
func (p *probe) killOnce(all *fates, queue string, after int) {
	p.Helper()
	b := p.open()
	f := p.flood(b, all, queue, after)
	p.kill()
	f.end()
	p.restart()
	p.leave(b)
}

func killUnderLoad(p *probe) {
	q := p.queue(p.open())
	l := p.startLoad(q)
	l.flows("before the kill")
	sessions := l.events.sessions(broker.Connected)
	p.kill()
	p.restart()
	l.flows("after the restart")
	if p.traits.Returns == broker.OnDisconnect {
		now := l.events.sessions(broker.Connected)
		if len(now) <= len(sessions) || now[len(now)-1].Session <= sessions[len(sessions)-1].Session {
			p.Errorf("sessions before the kill %v, after it %v; want a larger number", sessions, now)
		}
	}
	l.end()
}

func closedUnderLoad(p *probe) {
	q := p.queue(p.open())
	l := p.startLoad(q)
	l.flows("before the first cut")
	for range 5 {
		if err := p.server.CloseConnections(p.soon()); err != nil {
			p.Fatalf("have the server close its connections: %v", err)
		}
		l.flows("after a cut")
	}
	l.end()
}

func frozenUnderLoad(p *probe) {
	q := p.queue(p.open())
	l := p.startLoad(q)
	l.flows("before the freeze")
	thaw := p.freeze()
	frozen := time.NewTimer(3 * time.Second) // the fault itself
	<-frozen.C
	thaw()
	l.flows("after the freeze")
	l.end()
}

// frozenPublish has the connections stand before the freeze, so the message
// goes out: it is unsure, or confirmed, but never refused.
func frozenPublish(p *probe) {
	b := p.open()
	q := p.queue(b)
	first := p.put(b, q, 1)
	thaw := p.freeze()
	m := p.messages(q, 1)[0]
	done := make(chan error, 1)
	p.spawn(func() { done <- b.Publish(p.within(time.Second), m)[0] })
	err := p.returned("Publish to a frozen server", done)
	thaw()
	if !errors.Is(err, broker.ErrUnsure) {
		p.Errorf("publish to a frozen server: got %v; want an error that wraps ErrUnsure", err)
	}
	p.until("the server answers again", func() bool {
		_, err := b.Depth(p.soon(), q)
		return err == nil
	})
	held := p.census(p.open(), q)
	delete(held, m.ID) // it may be there, once
	if _, ok := held[first[0].ID]; !ok || len(held) != 1 {
		p.Errorf("beside the unsure message %d are held; want the one that was confirmed before", len(held))
	}
}

func closeWhileDown(p *probe) {
	b := p.open()
	q := p.queue(b)
	p.put(b, q, 2)
	c := p.consume(b, q, 2)
	p.receive(c)
	p.kill()
	done := make(chan error, 1)
	p.spawn(func() { done <- c.Close(p.soon()) })
	p.returned("Close of a consumer whose server is down", done)
	p.leave(b)
	p.restart()
}
