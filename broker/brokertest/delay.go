package brokertest

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"acklab/broker"
	"acklab/task"
)

// delayTests are about messages with an ETA. They wait most of their time, so
// they run beside the rest.
func delayTests() []test {
	held := []need{needHeldDelay}
	return []test{
		{"a message with an ETA is held until then and never comes before", held, delayHeld},
		{"a long delay does not hold up a short one", held, delayNotBlocked},
		{"what waits for its ETA is in the census and in the depth", held, delayCounted},
		{"a message with an ETA and an expiry is held for the one and keeps the other", held, delayExpires},
		{"a delayed publish whose reply is swallowed is not confirmed and makes at most one copy", []need{needHeldDelay, needProxy, needConfirms}, delaySwallowed},
		{"a message whose ETA has passed is not held", held, delayPast},
		{"a delay of a year is refused", nil, delayYear},
		{"a delayed message goes to the queue it names", held, delayQueues},
		{"a delayed publish to an unknown queue is refused as unroutable", []need{needHeldDelay, needRefusal}, delayUnknownRefused},
		{"a delayed publish to an unknown queue is stored", []need{needHeldDelay, needAcceptance}, delayUnknownStored},
		{"a client that closes leaves its delayed messages where they are", held, delayClosed},
		{"a thousand delayed messages come once each and none early", held, delayThousand},
		{"a message with an ETA is delivered at once for the worker to hold", []need{needNoDelay}, delayNotHeld},
	}
}

// later makes a message that is due so long from now.
func (p *probe) later(queue string, after time.Duration) *task.Message {
	p.Helper()
	m, err := task.New("later", task.Options{Queue: queue, ETA: time.Now().Add(after).UTC().Truncate(time.Millisecond)})
	if err != nil {
		p.Fatal(err)
	}
	return m
}

func (p *probe) putLater(b broker.Broker, queue string, after time.Duration) *task.Message {
	p.Helper()
	m := p.later(queue, after)
	p.publish(b, m)
	return m
}

// mayBeLate is how much later than its ETA a message of this delay may come,
// by the traits.
func (p *probe) mayBeLate(delay time.Duration) time.Duration {
	return time.Duration(p.traits.DelayRounding*float64(delay)) + p.traits.DelayLate
}

// slack is what a slow machine may add.
func (p *probe) slack() time.Duration { return min(p.h.Patience, 10*time.Second) }

// receiveDelayed receives one message for each of msgs, which have just been
// confirmed, whatever their order, and returns how late each came, by its id.
// Each comes once, none before its ETA, and none later than the traits and a
// slow machine allow. A publish that took longer than the delay makes a message
// late from then on only.
func (p *probe) receiveDelayed(c broker.Consumer, msgs ...*task.Message) map[string]time.Duration {
	p.Helper()
	waiting := map[string]*task.Message{}
	confirmed := time.Now()
	last := confirmed
	for _, m := range msgs {
		waiting[m.ID] = m
		if m.ETA.After(last) {
			last = m.ETA
		}
	}
	end := last.Add(p.mayBeLate(time.Until(last)) + p.slack())
	late := map[string]time.Duration{}
	for range msgs {
		d := p.receiveWithin(c, max(time.Until(end), p.slack()/10))
		now := time.Now()
		m := waiting[d.Message.ID]
		if m == nil {
			p.Fatalf("received message %s, due in %v; want one of the %d that are due first, each once", d.Message.ID, d.Message.ETA.Sub(now), len(msgs))
		}
		delete(waiting, m.ID)
		late[m.ID] = min(now.Sub(m.ETA), now.Sub(confirmed))
		if early := m.ETA.Sub(now); early > 0 {
			p.Errorf("message %s came %v before its ETA", m.ID, early)
		}
		p.ack(d)
	}
	return late
}

// tries is how often a machine may be too busy for the delays that the traits
// promise. A driver that is late is so every time.
const tries = 3

// onceInTime repeats a round of delays until one came in time.
func (p *probe) onceInTime(round func() error) {
	p.Helper()
	var err error
	for range tries {
		if err = round(); err == nil {
			return
		}
		p.Logf("%v", err)
	}
	p.Errorf("each of %d times: %v", tries, err)
}

// inTime prints how late messages of one delay came, and compares it with
// the traits: a single one may meet a busy moment of the machine, half of them
// do not.
func (p *probe) inTime(delay time.Duration, late []time.Duration) error {
	p.Helper()
	slices.Sort(late)
	var sum time.Duration
	for _, l := range late {
		sum += l
	}
	median, most := late[len(late)/2], late[len(late)-1]
	allowed := p.mayBeLate(delay)
	short := func(d time.Duration) time.Duration { return d.Round(time.Millisecond) }
	p.Logf("delay %v: error mean %v, median %v, max %v of %d (the traits say %v at the most)",
		delay, short(sum/time.Duration(len(late))), short(median), short(most), len(late), short(allowed))
	if limit := allowed + p.slack()/5; median > limit {
		return fmt.Errorf("half of the messages with a delay of %v came more than %v late; the traits allow %v", delay, median, allowed)
	}
	if limit := allowed + p.slack(); most > limit {
		return fmt.Errorf("a message with a delay of %v came %v late; the traits allow %v", delay, most, allowed)
	}
	return nil
}

// delayHeld has moments of all kinds, because some brokers know only whole
// seconds.
func delayHeld(p *probe) {
	b := p.open()
	q := p.queue(b)
	c := p.consume(b, q, 100)
	p.onceInTime(func() error { return p.delayed(b, c, q) })
	p.flush(c)
	p.closeConsumer(c)
	p.wantEmpty(b, q)
}

// delayed publishes and receives messages of three delays.
func (p *probe) delayed(b broker.Broker, c broker.Consumer, q string) error {
	p.Helper()
	delays := []time.Duration{100 * time.Millisecond, 500 * time.Millisecond, 1500 * time.Millisecond}
	of := map[string]time.Duration{} // message id to delay
	var msgs []*task.Message
	for _, delay := range delays {
		for i := range 8 {
			m := p.later(q, delay+time.Duration(i)*137*time.Millisecond)
			of[m.ID] = delay
			msgs = append(msgs, m)
		}
	}
	p.publish(b, msgs...)
	late := map[time.Duration][]time.Duration{}
	for id, by := range p.receiveDelayed(c, msgs...) {
		late[of[id]] = append(late[of[id]], by)
	}
	var errs []error
	for _, delay := range delays {
		errs = append(errs, p.inTime(delay, late[delay]))
	}
	return errors.Join(errs...)
}

// delayNotBlocked publishes the longer delays first.
func delayNotBlocked(p *probe) {
	b := p.open()
	q := p.queue(b)
	c := p.consume(b, q, 10)
	hour := p.putLater(b, q, time.Hour)
	p.putLater(b, q, p.mayBeLate(time.Second)+5*time.Second)
	p.onceInTime(func() error {
		second := p.putLater(b, q, 900*time.Millisecond)
		half := p.putLater(b, q, 500*time.Millisecond)
		late := p.receiveDelayed(c, second, half)
		return errors.Join(p.inTime(500*time.Millisecond, []time.Duration{late[half.ID]}), p.inTime(900*time.Millisecond, []time.Duration{late[second.ID]}))
	})
	p.flush(c)
	p.closeConsumer(c)
	if h := p.census(b, q)[hour.ID]; h.State != broker.Delayed {
		p.Errorf("what is due in an hour is held as %q; want %q", h.State, broker.Delayed)
	}
}

func delayCounted(p *probe) {
	b := p.open()
	q := p.queue(b)
	want := map[string]broker.State{}
	for range 3 {
		want[p.putLater(b, q, time.Hour).ID] = broker.Delayed
	}
	for _, m := range p.put(b, q, 2) {
		want[m.ID] = broker.Queued
	}
	p.wantDepth(b, q, func(d broker.Depth) map[string]countWant {
		return map[string]countWant{"Ready": {d.Ready, 2}, "Delayed": {d.Delayed, 3}}
	})
	due := p.putLater(b, q, 300*time.Millisecond)
	p.untilWithin(time.Second+p.mayBeLate(time.Second)+p.slack(), "a message whose time has come is ready", func() bool {
		d, err := b.Depth(p.soon(), q)
		if err != nil || d.Ready == nil {
			p.Fatalf("the depth does not tell how many are ready: %+v, %v", d, err)
		}
		if *d.Ready == 3 && time.Now().Before(due.ETA) {
			p.Fatalf("it was ready before its ETA")
		}
		return *d.Ready == 3
	})
	want[due.ID] = broker.Queued
	p.wantDepth(b, q, func(d broker.Depth) map[string]countWant {
		return map[string]countWant{"Ready": {d.Ready, 3}, "Delayed": {d.Delayed, 3}}
	})
	held := p.census(b, q)
	for id, state := range want {
		if h := held[id]; h.State != state || h.Queue != q {
			p.Errorf("message %s is held as %q for queue %q; want %q for %q", id, h.State, h.Queue, state, q)
		}
	}
	if len(held) != len(want) {
		p.Errorf("the census names %d messages; want %d", len(held), len(want))
	}
}

func delayThousand(p *probe) {
	const n = 1000
	b := p.open()
	q := p.queue(b)
	delay := 1500 * time.Millisecond
	msgs := make([]*task.Message, n)
	for i := range msgs {
		msgs[i] = p.later(q, delay)
	}
	c := p.consume(p.open(), q, 100)
	p.publish(b, msgs...)
	late := slices.Sorted(maps.Values(p.receiveDelayed(c, msgs...)))
	p.Logf("%d messages with a delay of %v: the first came %v late, the last %v", n, delay, late[0], late[n-1])
	p.flush(c)
	p.closeConsumer(c)
	p.wantEmpty(b, q)
}

// delayExpires: whether a message has expired is for its worker to say, and to
// write down. A broker that drops it makes it vanish.
func delayExpires(p *probe) {
	b := p.open()
	q := p.queue(b)
	fresh, stale := p.later(q, 200*time.Millisecond), p.later(q, 200*time.Millisecond)
	fresh.Expires = fresh.ETA.Add(time.Hour)
	stale.Expires = stale.ETA.Add(50 * time.Millisecond)
	p.publish(b, fresh, stale)
	passed := time.NewTimer(time.Until(stale.Expires))
	defer passed.Stop()
	<-passed.C
	sent := map[string]*task.Message{fresh.ID: fresh, stale.ID: stale}
	c := p.consume(b, q, 2)
	for range 2 {
		d := p.receiveWithin(c, p.mayBeLate(time.Second)+p.slack())
		if m := sent[d.Message.ID]; m != nil {
			p.wantSame(m, d.Message)
		}
		delete(sent, d.Message.ID)
		p.ack(d)
	}
	if len(sent) > 0 {
		p.Errorf("%d messages did not come", len(sent))
	}
	p.flush(c)
}

// delaySwallowed allows a refusal, and no copy, where the driver has to ask
// the server something before it can delay: then the message was never sent.
func delaySwallowed(p *probe) {
	l, direct, q := p.warm()
	first := p.putLater(l, q, time.Hour) // what has to be made or asked for that delay is known
	l.swallow()
	m := p.later(q, time.Hour)
	done := make(chan error, 1)
	p.spawn(func() { done <- l.Publish(p.within(2*time.Second), m)[0] })
	err := p.returned("a delayed Publish, two seconds its deadline, without a reply", done)
	l.cut()
	if err == nil {
		p.Error("a publish without a reply is confirmed")
	}
	held := p.census(direct, q) // two copies are an error
	if h := held[first.ID]; h.State != broker.Delayed {
		p.Errorf("what was confirmed before is held as %q; want %q", h.State, broker.Delayed)
	}
	delete(held, first.ID)
	if what := judge(err, m, held); what != "" {
		p.Error(what)
	}
	for id, h := range held {
		if id != m.ID || h.State != broker.Delayed {
			p.Errorf("message %s is held as %q; want nothing but %s, as %q", id, h.State, m.ID, broker.Delayed)
		}
	}
	p.Logf("%d copies; publish said: %v", len(held), err)
}

func delayPast(p *probe) {
	b := p.open()
	q := p.queue(b)
	var msgs []*task.Message
	for _, past := range []time.Duration{time.Millisecond, 300 * time.Millisecond, 2 * time.Hour} {
		msgs = append(msgs, p.later(q, -past))
	}
	p.publish(b, msgs...)
	p.wantDepth(b, q, func(d broker.Depth) map[string]countWant {
		return map[string]countWant{"Ready": {d.Ready, 3}, "Delayed": {d.Delayed, 0}}
	})
	p.wantHeld(b, q, broker.Queued, msgs...)
	q = p.queue(b)
	c := p.consume(b, q, 1)
	sent := p.putLater(b, q, -time.Minute)
	d := p.receive(c)
	p.wantSame(sent, d.Message)
	p.ack(d)
	p.flush(c)
}

// delayYear: task.MaxDelay is the same for all, also for brokers that leave
// the waiting to the worker.
func delayYear(p *probe) {
	b := p.open()
	q := p.queue(b)
	for _, delay := range []time.Duration{365 * 24 * time.Hour, task.MaxDelay + time.Hour} {
		p.wantRefused(b.Publish(p.soon(), p.later(q, delay)), broker.Invalid)
	}
	state := broker.Queued
	if needHeldDelay(p) == "" {
		state = broker.Delayed
	}
	p.wantHeld(b, q, state, p.putLater(b, q, task.MaxDelay-time.Hour))
}

// delayQueues also requeues what came: its time has passed, so it is not held
// again.
func delayQueues(p *probe) {
	b := p.open()
	one, two := p.queue(b), p.queue(b)
	first, second := p.later(one, 300*time.Millisecond), p.later(two, 300*time.Millisecond)
	p.publish(b, first, second)
	for _, m := range []*task.Message{first, second} {
		c := p.consume(b, m.Queue, 5)
		d := p.receiveWithin(c, time.Second+p.mayBeLate(time.Second)+p.slack())
		if d.Queue != m.Queue {
			p.Errorf("it came from queue %q; want %q", d.Queue, m.Queue)
		}
		p.wantSame(m, d.Message)
		if err := d.Requeue(p.soon()); err != nil {
			p.Fatalf("requeue: %v", err)
		}
		again := p.receive(c)
		p.wantMark(again, 2)
		p.ack(again)
		p.flush(c)
		p.closeConsumer(c)
		p.wantEmpty(b, m.Queue)
	}
}

func delayUnknownRefused(p *probe) {
	b := p.open()
	q := p.queue(b)
	good := p.later(q, time.Hour)
	errs := b.Publish(p.soon(), good, p.later("never-declared-"+q, time.Hour), p.later("never-declared-"+q, time.Second))
	if len(errs) != 3 || errs[0] != nil {
		p.Fatalf("publish of three messages, the first to a queue that exists, returned %v", errs)
	}
	p.wantRefused(errs[1:2], broker.Unroutable)
	p.wantRefused(errs[2:], broker.Unroutable)
	p.wantHeld(b, q, broker.Delayed, good)
}

func delayUnknownStored(p *probe) {
	b := p.open()
	q := "never-declared-" + p.queue(b)
	p.wantHeld(b, q, broker.Delayed, p.putLater(b, q, time.Hour))
}

func delayClosed(p *probe) {
	b := p.open()
	q := p.queue(b)
	p.consume(b, q, 5)
	soon := p.putLater(b, q, 300*time.Millisecond)
	hour := p.putLater(b, q, time.Hour)
	p.closeBroker(b)
	other := p.open()
	c := p.consume(other, q, 5)
	p.receiveDelayed(c, soon)
	p.flush(c)
	p.closeConsumer(c)
	p.closeBroker(other)
	p.wantHeld(p.open(), q, broker.Delayed, hour)
}

func delayNotHeld(p *probe) {
	b := p.open()
	q := p.queue(b)
	m := p.putLater(b, q, time.Hour)
	c := p.consume(b, q, 1)
	d := p.receive(c)
	if d.Message.ID != m.ID || !d.Message.ETA.Equal(m.ETA) {
		p.Errorf("received message %s with ETA %v; want %s with %v", d.Message.ID, d.Message.ETA, m.ID, m.ETA)
	}
	p.ack(d)
	p.flush(c)
}

// delaySurvivesKill has a part of the delays end while the server is down. A
// copy is allowed, as after any kill: a message may be on its way to its queue.
func delaySurvivesKill(p *probe) {
	b := p.open()
	long, short := p.queue(b), p.queue(b)
	var hours, all []*task.Message
	waiting := map[string]time.Time{} // for its ETA
	for i := range 20 {
		hours = append(hours, p.later(long, time.Hour))
		m := p.later(short, time.Duration(i+5)*100*time.Millisecond)
		waiting[m.ID] = m.ETA
		all = append(all, hours[i], m)
	}
	p.publish(b, all...)
	p.kill()
	p.restart()
	after := p.open()
	c := p.consume(after, short, 5)
	runs := newTally()
	for runs.distinct() < len(waiting) {
		d := p.receiveWithin(c, 5*time.Second+p.mayBeLate(3*time.Second)+p.slack())
		eta, ok := waiting[d.Message.ID]
		if early := time.Until(eta); early > 0 || !ok {
			p.Errorf("message %s came %v before its ETA, published by us: %v", d.Message.ID, early, ok)
		}
		runs.add(d.Message.ID)
		p.ack(d)
	}
	p.flush(c)
	p.closeConsumer(c)
	p.wantHeld(after, long, broker.Delayed, hours...)
}
