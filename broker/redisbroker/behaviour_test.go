package redisbroker_test

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"acklab/broker"
	"acklab/internal/server"
	"acklab/internal/server/servertest"
	"acklab/task"
)

func TestWithNothingListeningOpenWorksAndEachCallSaysUnreachable(t *testing.T) {
	t.Parallel()
	for _, scheme := range []string{"redis", "rediss"} {
		b := openURL(t, scheme+"://:s3cret@"+freeAddr(t)+"/0", broker.Options{})
		ctx := within(t, patience)
		calls := map[string]error{
			"publish": b.Publish(ctx, message(t, "q"))[0],
			"declare": b.Declare(ctx, "q"),
		}
		_, calls["consume"] = b.Consume(ctx, subscribe("q", 1))
		_, calls["depth"] = b.Depth(ctx, "q")
		for _, calls["census"] = range b.Census(ctx, "q") {
		}
		for name, err := range calls {
			wantReason(t, scheme+" "+name, err, broker.Unreachable)
			if err != nil && strings.Contains(err.Error(), "s3cret") {
				t.Errorf("%s: the error holds the password: %v", name, err)
			}
		}
		if v := b.Traits(); v.System != "redis" || v.Version != "" {
			t.Errorf("traits of a server that nobody has reached: %+v", v)
		}
	}
}

func TestAConsumerThatIsDeniedSaysSo(t *testing.T) {
	t.Parallel()
	r := servertest.Redis(t, server.RedisOptions{})
	run(t, r, "acl", "setuser", "reader", "on", ">pw", "~*", "&*", "+@all", "-evalsha", "-eval", "-lpush")
	b := openURL(t, "redis://reader:pw@"+r.Addr()+"/0", broker.Options{})
	_, err := b.Consume(within(t, patience), subscribe("q", 1))
	wantReason(t, "consume", err, broker.Denied)
	wantReason(t, "publish", b.Publish(within(t, patience), message(t, "q"))[0], broker.Denied)
}

func TestAFixedLeaseGivesALongTaskToASecondConsumerAndARenewedOneDoesNot(t *testing.T) {
	t.Parallel()
	const options = "visibility=1s&restore=100ms"
	t.Run("fixed", func(t *testing.T) {
		t.Parallel()
		b := open(t, servertest.Redis(t, server.RedisOptions{}).Addr(), options, broker.Options{})
		m := message(t, "q")
		confirm(t, b, m)
		first := consume(t, b, "q", 1)
		d := receive(t, first)
		again := receive(t, consume(t, b, "q", 1))
		if again.Message.ID != m.ID || again.Seen != broker.SeenAgain || again.Lease.Before(d.Lease) {
			t.Errorf("received %+v; want the first, again", again)
		}
	})
	t.Run("renew", func(t *testing.T) {
		t.Parallel()
		r := servertest.Redis(t, server.RedisOptions{})
		b := open(t, r.Addr(), options+"&lease=renew", broker.Options{})
		confirm(t, b, message(t, "q"))
		first := consume(t, b, "q", 1)
		d := receive(t, first)
		if got, err := consume(t, b, "q", 1).Receive(within(t, 4*time.Second)); err == nil { // four leases
			t.Errorf("a second consumer received %+v", got)
		}
		if d.Lease.After(time.Now()) {
			t.Errorf("the first lease is not over at %v", d.Lease)
		}
		ack(t, d)
		flush(t, first)
		wantIDs(t, b, "q", 0)
	})
}

// late is a delivery whose lease is over and whose message another consumer
// has.
func late(t *testing.T, settle string) (b broker.Broker, first broker.Consumer, old, present *broker.Delivery, seen *events) {
	t.Helper()
	seen = &events{}
	r := servertest.Redis(t, server.RedisOptions{})
	slow := open(t, r.Addr(), "visibility=1h&restore=1h&settle="+settle, broker.Options{Observe: seen.add}) // it never sweeps again
	confirm(t, slow, message(t, "q"))
	first = consume(t, slow, "q", 1)
	old = receive(t, first)
	b = open(t, r.Addr(), "visibility=1s&restore=100ms", broker.Options{})
	second := consume(t, b, "q", 1)
	present = receive(t, second)
	return b, first, old, present, seen
}

func TestALateAckIsStaleAndItsFlushUnsure(t *testing.T) {
	t.Parallel()
	b, first, old, present, seen := late(t, "claim")
	ack(t, old) // by the clock of its own consumer the lease is not over
	err := first.Flush(within(t, patience))
	if !errors.Is(err, broker.ErrUnsure) || !errors.Is(err, broker.ErrStale) {
		t.Errorf("flush: %v; want unsure because of a stale one", err)
	}
	if seen.count(broker.Stale) != 1 {
		t.Errorf("stale was told %d times", seen.count(broker.Stale))
	}
	flush(t, first) // it was told once
	wantIDs(t, b, "q", 1)
	ack(t, present)
}

func TestSettledTheWayOfCeleryALateAckEndsTheClaimOfAnother(t *testing.T) {
	t.Parallel()
	b, first, old, _, seen := late(t, "celery")
	ack(t, old)
	flush(t, first)
	if seen.count(broker.Stale) != 0 {
		t.Error("an ack by tag alone is stale")
	}
	wantIDs(t, b, "q", 0)
}

func TestAnAckAfterItsLeaseCountsAsLongAsNobodyHasTheMessage(t *testing.T) {
	t.Parallel()
	b := open(t, servertest.Redis(t, server.RedisOptions{}).Addr(), "visibility=1s&restore=1h", broker.Options{})
	confirm(t, b, message(t, "q"))
	c := consume(t, b, "q", 1)
	d := receive(t, c)
	over := time.NewTimer(time.Until(d.Lease)) // the fault itself
	<-over.C
	ack(t, d)
	wantIDs(t, b, "q", 0) // without a flush: it has waited
}

func TestAFullRedisCanBeDrainedAndItsConsumerDoesNotSpin(t *testing.T) {
	t.Parallel()
	r := servertest.Redis(t, server.RedisOptions{})
	var seen events
	b := open(t, r.Addr(), "", broker.Options{Observe: seen.add})
	var msgs []*task.Message
	for range 300 {
		msgs = append(msgs, message(t, "q"))
	}
	confirm(t, b, msgs...)
	run(t, r, "config", "set", "maxmemory", "1")
	for range 3 {
		wantReason(t, "publish", b.Publish(t.Context(), message(t, "q"))[0], broker.Full)
	}
	c := consume(t, b, "q", 10)
	if err := receive(t, c).Requeue(t.Context()); err != nil {
		t.Fatal(err)
	}
	for done := 0; done < 300; done++ {
		d := receive(t, c)
		if done == 5 {
			if err := d.Reject(t.Context(), "full"); err != nil {
				t.Fatal(err)
			}
			continue
		}
		ack(t, d)
	}
	flush(t, c)
	wantIDs(t, b, "q", 1) // the dead one
	run(t, r, "config", "resetstat")
	full := time.NewTimer(2 * time.Second) // the fault itself
	<-full.C
	if n := calls(t, r, "evalsha") + calls(t, r, "blmove"); n > 100 {
		t.Errorf("%d commands were sent in 2 s of a full Redis; want a pause between them", n)
	}
	run(t, r, "config", "set", "maxmemory", "0")
	confirm(t, b, message(t, "q"))
	ack(t, receive(t, c))
	if blocked, unblocked := seen.count(broker.Blocked), seen.count(broker.Unblocked); blocked != 1 || unblocked != 1 {
		t.Errorf("blocked %d times, unblocked %d times; want once each", blocked, unblocked)
	}
}

func TestAReadOnlyRedisDoesNotMakeAConsumerSpinAndItComesBack(t *testing.T) {
	t.Parallel()
	r := servertest.Redis(t, server.RedisOptions{})
	b := open(t, r.Addr(), "", broker.Options{})
	confirm(t, b, message(t, "q"), message(t, "q"))
	c := consume(t, b, "q", 1)
	d := receive(t, c)
	run(t, r, "replicaof", "127.0.0.1", "1")
	run(t, r, "config", "resetstat")
	ack(t, d)
	readOnly := time.NewTimer(2 * time.Second) // the fault itself
	<-readOnly.C
	if n := calls(t, r, "evalsha") + calls(t, r, "blmove"); n > 100 {
		t.Errorf("%d commands were sent in 2 s; want a pause between them", n)
	}
	run(t, r, "replicaof", "no", "one")
	flush(t, c)
	ack(t, receive(t, c))
	flush(t, c)
	wantIDs(t, b, "q", 0)
}

func TestAnIdleConsumerAsksLittle(t *testing.T) {
	t.Parallel()
	for _, lease := range []string{"fixed", "renew"} {
		t.Run(lease, func(t *testing.T) {
			t.Parallel()
			r := servertest.Redis(t, server.RedisOptions{})
			b := open(t, r.Addr(), "delay=broker&lease="+lease, broker.Options{})
			s := broker.Subscription{Sources: []broker.Source{{Queue: "a"}, {Queue: "b"}, {Queue: "c"}}, Prefetch: 4}
			if _, err := b.Consume(within(t, patience), s); err != nil {
				t.Fatal(err)
			}
			later := message(t, "a")
			later.ETA = time.Now().Add(time.Hour)
			confirm(t, b, later)
			eventually(t, "it waits", func() bool { return blocked(t, r) == 12 })
			n := commands(t, r, func() {
				idle := time.NewTimer(3 * time.Second) // what is measured
				<-idle.C
			})
			t.Logf("%d commands in 3 s", n)
			if n > 150 {
				t.Errorf("%d commands in 3 s without a message; want at most 50 a second", n)
			}
		})
	}
}

// commands is how many commands others than the test have sent meanwhile. Those
// that a script calls count too.
func commands(t testing.TB, r *server.Redis, meanwhile func()) int {
	t.Helper()
	conn := dial(t, r).Conn() // one connection: another would begin with commands of its own
	defer conn.Close()
	processed := func() int {
		info, err := conn.InfoMap(context.Background(), "stats").Result()
		if err != nil {
			t.Fatal(err)
		}
		n, err := strconv.Atoi(info["Stats"]["total_commands_processed"])
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	processed() // connected
	before := processed()
	meanwhile()
	return processed() - before - 1 // the INFO before
}

// blocked is how many connections wait in a command.
func blocked(t testing.TB, r *server.Redis) int {
	t.Helper()
	info, err := dial(t, r).InfoMap(context.Background(), "clients").Result()
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, c := range info["Clients"]["blocked_clients"] {
		n = 10*n + int(c-'0')
	}
	return n
}

func TestAConsumerWakesWhoeverPushesWherever(t *testing.T) {
	t.Parallel()
	r := servertest.Redis(t, server.RedisOptions{})
	b := open(t, r.Addr(), "", broker.Options{})
	c := consume(t, b, "q", 4)
	client := dial(t, r)
	lists := []string{"q", "q\x06\x163", "q\x06\x166", "q\x06\x169"}
	var took []time.Duration
	for i := range 60 {
		eventually(t, "it waits", func() bool { return blocked(t, r) == len(lists) })
		began := time.Now()
		if err := client.LPush(t.Context(), lists[i%len(lists)], sent("m")).Err(); err != nil {
			t.Fatal(err)
		}
		d := receive(t, c)
		took = append(took, time.Since(began))
		ack(t, d)
		flush(t, c)
	}
	slices.Sort(took)
	t.Logf("from a push to Receive: median %v, p90 %v, max %v", took[30], took[54], took[59])
	if took[30] > time.Second {
		t.Errorf("the median from a push to Receive is %v", took[30])
	}
}

func TestAPoliteStopLeavesNothingUnacknowledged(t *testing.T) {
	t.Parallel()
	r := servertest.Redis(t, server.RedisOptions{})
	b := open(t, r.Addr(), "", broker.Options{})
	var want []string
	var msgs []*task.Message
	for range 250 {
		m := message(t, "q")
		msgs, want = append(msgs, m), append(want, m.ID)
	}
	confirm(t, b, msgs...)
	c := consume(t, b, "q", broker.Unlimited)
	for range 3 {
		receive(t, c)
	}
	if err := c.Close(within(t, patience)); err != nil {
		t.Fatal(err)
	}
	if n := dial(t, r).Exists(t.Context(), "unacked", "unacked_index").Val(); n != 0 {
		t.Errorf("%d of the keys of what is unacknowledged are left", n)
	}
	next := consume(t, b, "q", 1)
	got := map[string]bool{}
	for range want {
		d := receive(t, next)
		got[d.Message.ID] = true
		ack(t, d)
	}
	if len(got) != len(want) {
		t.Errorf("%d of %d came again", len(got), len(want))
	}
	flush(t, next)
}

func TestWhatWaitsForItsETAWithTheWorkerDoesNotCountTowardsThePrefetch(t *testing.T) {
	t.Parallel()
	r := servertest.Redis(t, server.RedisOptions{})
	b := open(t, r.Addr(), "", broker.Options{})
	var msgs []*task.Message
	for range 20 {
		m := message(t, "q")
		m.ETA = time.Now().Add(time.Hour)
		msgs = append(msgs, m)
	}
	confirm(t, b, append(msgs, message(t, "q"), message(t, "q"), message(t, "q"))...)
	c := consume(t, b, "q", 2)
	client := dial(t, r)
	eventually(t, "all that have an ETA and two others are with it", func() bool {
		v, err := view(t.Context(), client, "q")
		return err == nil && v.Unacked == 22 && v.Ready == 1
	})
	for range 22 {
		receive(t, c)
	}
}

func TestAnAckIsSentAgainWhenItsAnswerWasLost(t *testing.T) {
	t.Parallel()
	r := servertest.Redis(t, server.RedisOptions{Persistence: server.AOFAlways})
	var seen events
	b := open(t, r.Addr(), "", broker.Options{Observe: seen.add})
	confirm(t, b, message(t, "q"))
	c := consume(t, b, "q", 1)
	d := receive(t, c)
	if err := r.Kill(t.Context()); err != nil {
		t.Fatal(err)
	}
	ack(t, d) // handed over: nil
	if err := c.Flush(within(t, 100*time.Millisecond)); !errors.Is(err, broker.ErrUnsure) {
		t.Errorf("flush without a server: %v; want unsure", err)
	}
	if err := r.Boot(t.Context()); err != nil {
		t.Fatal(err)
	}
	flush(t, c)
	wantIDs(t, b, "q", 0)
	if seen.count(broker.Lost) == 0 || seen.count(broker.Connected) < 2 {
		t.Errorf("told of %d lost sessions, %d new ones", seen.count(broker.Lost), seen.count(broker.Connected))
	}
}

func TestACloseThatCannotReachRedisIsUnsureAndQuick(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]func(*server.Redis, context.Context) error{
		"killed": (*server.Redis).Kill, "frozen": (*server.Redis).Freeze,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := servertest.Redis(t, server.RedisOptions{})
			b := open(t, r.Addr(), "", broker.Options{})
			confirm(t, b, message(t, "q"), message(t, "q"))
			c := consume(t, b, "q", 2)
			d := receive(t, c)
			if err := fault(r, t.Context()); err != nil {
				t.Fatal(err)
			}
			began := time.Now()
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			if err := c.Close(ctx); !errors.Is(err, broker.ErrUnsure) {
				t.Errorf("close: %v; want unsure", err)
			}
			if took := time.Since(began); took > 20*time.Second {
				t.Errorf("close took %v", took)
			}
			if err := d.Ack(t.Context()); !errors.Is(err, broker.ErrSettled) {
				t.Errorf("ack after close: %v", err)
			}
		})
	}
}

func TestAPublishWithoutADeadlineEndsWhenItsContextIsCancelled(t *testing.T) {
	t.Parallel()
	r := servertest.Redis(t, server.RedisOptions{})
	b := open(t, r.Addr(), "", broker.Options{})
	confirm(t, b, message(t, "q"))
	if err := r.Freeze(t.Context()); err != nil {
		t.Fatal(err)
	}
	var msgs []*task.Message
	for range 1000 { // several rounds: the later ones are never sent
		msgs = append(msgs, message(t, "q"))
	}
	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Second) // writing them down takes its time on a busy machine
	defer cancel()
	errs := b.Publish(ctx, msgs...)
	if !errors.Is(errs[0], broker.ErrUnsure) {
		t.Errorf("the first: %v; want unsure", errs[0])
	}
	wantReason(t, "the last", errs[999], broker.Cancelled)
	if err := r.Thaw(t.Context()); err != nil {
		t.Fatal(err)
	}
	last := message(t, "q")
	confirm(t, b, last)
	held := map[string]bool{}
	for h, err := range b.Census(within(t, patience), "q") {
		if err != nil {
			t.Fatal(err)
		}
		held[h.Message.ID] = true
	}
	for i, m := range msgs {
		if errors.Is(errs[i], broker.ErrRefused) && held[m.ID] {
			t.Errorf("message %d was refused (%v) and is held", i, errs[i])
		}
	}
	if !held[last.ID] {
		t.Error("what was confirmed after the thaw is not held")
	}
}

func TestMarksAreSaidToBeSureOnlyWhereTheServerForgetsNothing(t *testing.T) {
	t.Parallel()
	for persistence, want := range map[server.Persistence]broker.Marks{
		server.None: broker.MarksAlways, server.AOFAlways: broker.MarksAlways,
		server.RDB: broker.MarksSome, server.AOFEverySec: broker.MarksSome,
	} {
		b := open(t, servertest.Redis(t, server.RedisOptions{Persistence: persistence}).Addr(), "", broker.Options{})
		traits := b.Traits()
		aof := persistence != server.None && persistence != server.RDB
		if traits.Marks != want || traits.SurvivesKill != aof || traits.Version == "" {
			t.Errorf("%s: %+v", persistence, traits)
		}
	}
}
