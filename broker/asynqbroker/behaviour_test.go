package asynqbroker_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hibiken/asynq"

	"acklab/broker"
	"acklab/internal/server"
	"acklab/internal/server/servertest"
	"acklab/task"
)

// patience bounds what should come at once, on a slow machine too.
const patience = 30 * time.Second

func TestWithNothingListeningOpenWorksAndEachCallSaysUnreachable(t *testing.T) {
	t.Parallel()
	for _, scheme := range []string{"asynq", "asynqs"} {
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
		if v := b.Traits(); v.System != "asynq" || v.Version != "" {
			t.Errorf("traits of a server that nobody has reached: %+v", v)
		}
	}
}

func TestAConsumerThatIsDeniedSaysSo(t *testing.T) {
	t.Parallel()
	r := servertest.Redis(t, server.RedisOptions{})
	run(t, r, "acl", "setuser", "reader", "on", ">pw", "~*", "&*", "+@all", "-evalsha", "-eval")
	b := openURL(t, "asynq://reader:pw@"+r.Addr()+"/0", broker.Options{})
	_, err := b.Consume(within(t, patience), subscribe("q", 1))
	wantReason(t, "consume", err, broker.Denied)
	wantReason(t, "publish", b.Publish(within(t, patience), message(t, "q"))[0], broker.Denied)
}

func TestABlankQueueNameIsNotTheDefaultQueue(t *testing.T) {
	t.Parallel()
	b := open(t, freeAddr(t), broker.Options{})
	if _, err := b.Consume(t.Context(), subscribe(" ", 1)); err == nil || !strings.Contains(err.Error(), "blank") {
		t.Errorf("consume of a blank name: %v", err)
	}
	if err := b.Declare(t.Context(), "a", "\t"); err == nil || !strings.Contains(err.Error(), "blank") {
		t.Errorf("declare of a blank name: %v", err)
	}
}

func TestOneMemoryLimitTellsBlockedAndUnblockedOnceEach(t *testing.T) {
	t.Parallel()
	r := servertest.Redis(t, server.RedisOptions{})
	var seen events
	b := open(t, r.Addr(), broker.Options{Observe: seen.add})
	confirm(t, b, message(t, "q"))
	run(t, r, "config", "set", "maxmemory", "1")
	for range 3 {
		wantReason(t, "publish", b.Publish(t.Context(), message(t, "q"))[0], broker.Full)
	}
	for _, err := range b.Publish(t.Context(), message(t, "q"), message(t, "new"), message(t, "q")) {
		wantReason(t, "publish of several", err, broker.Full)
	}
	run(t, r, "config", "set", "maxmemory", "0")
	confirm(t, b, message(t, "q"), message(t, "new"))
	if blocked, unblocked := seen.count(broker.Blocked), seen.count(broker.Unblocked); blocked != 1 || unblocked != 1 {
		t.Errorf("blocked %d times, unblocked %d times; want once each", blocked, unblocked)
	}
	wantIDs(t, b, "q", 2)
	wantIDs(t, b, "new", 1)
}

func TestAFullRedisDoesNotMakeAConsumerSpinAndItComesBack(t *testing.T) {
	t.Parallel()
	r := servertest.Redis(t, server.RedisOptions{})
	b := open(t, r.Addr(), broker.Options{})
	confirm(t, b, message(t, "q"), message(t, "q"))
	run(t, r, "config", "set", "maxmemory", "1")
	c := consume(t, b, "q", 1) // a consumer may start while Redis is full
	run(t, r, "config", "resetstat")
	full := time.NewTimer(2 * time.Second) // the fault itself
	<-full.C
	n := calls(t, r, "evalsha")
	t.Logf("%d scripts in 2 s", n)
	if n > 60 {
		t.Errorf("%d scripts were sent in 2 s of a full Redis; want a pause between them", n)
	}
	run(t, r, "config", "set", "maxmemory", "0")
	for range 2 {
		ack(t, receive(t, c))
	}
	flush(t, c)
	wantIDs(t, b, "q", 0)
}

func TestAnAckThatRedisNeverSawMakesFlushUnsure(t *testing.T) {
	t.Parallel()
	r := servertest.Redis(t, server.RedisOptions{Persistence: server.AOFAlways})
	b := open(t, r.Addr(), broker.Options{})
	m := message(t, "q")
	confirm(t, b, m)
	c := consume(t, b, "q", 1)
	d := receive(t, c)
	if err := r.Kill(t.Context()); err != nil {
		t.Fatal(err)
	}
	ack(t, d) // handed over: nil
	if err := c.Flush(within(t, patience)); !errors.Is(err, broker.ErrUnsure) {
		t.Errorf("flush: %v; want unsure", err)
	}
	if err := r.Boot(t.Context()); err != nil {
		t.Fatal(err)
	}
	fresh := open(t, r.Addr(), broker.Options{})
	for h, err := range fresh.Census(t.Context(), "q") {
		if err != nil || h.Message.ID != m.ID || h.State != broker.Unacked {
			t.Errorf("held: %+v, %v; want the message, unacknowledged", h, err)
		}
	}
	wantIDs(t, fresh, "q", 1)
}

func TestACloseThatCannotReachRedisIsUnsureAndQuick(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]func(*server.Redis, context.Context) error{
		"killed": (*server.Redis).Kill, "frozen": (*server.Redis).Freeze,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := servertest.Redis(t, server.RedisOptions{})
			b := open(t, r.Addr(), broker.Options{})
			confirm(t, b, message(t, "q"), message(t, "q"))
			c := consume(t, b, "q", 2)
			d := receive(t, c)
			if err := fault(r, t.Context()); err != nil {
				t.Fatal(err)
			}
			began := time.Now()
			if err := c.Close(within(t, patience)); !errors.Is(err, broker.ErrUnsure) {
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
	b := open(t, r.Addr(), broker.Options{})
	confirm(t, b, message(t, "q"))
	if err := r.Freeze(t.Context()); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var msgs []*task.Message
	for range 100 { // several windows: the later ones are never sent
		msgs = append(msgs, message(t, "q"))
	}
	done := make(chan []error, 1)
	go func() { done <- b.Publish(ctx, msgs...) }()
	waitUntilSent(t, r)
	cancel()
	var errs []error
	select {
	case errs = <-done:
	case <-time.After(patience):
		t.Fatal("publish did not return")
	}
	if !errors.Is(errs[0], broker.ErrUnsure) {
		t.Errorf("the first: %v; want unsure", errs[0])
	}
	wantReason(t, "the last", errs[99], broker.Cancelled)
	if err := r.Thaw(t.Context()); err != nil {
		t.Fatal(err)
	}
	held := map[string]bool{}
	for h, err := range open(t, r.Addr(), broker.Options{}).Census(within(t, patience), "q") {
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
}

func TestATaskThatSomebodyCancelsComesBackAndItsOldDeliveryIsStale(t *testing.T) {
	t.Parallel()
	r := servertest.Redis(t, server.RedisOptions{})
	var seen events
	b := open(t, r.Addr(), broker.Options{Observe: seen.add})
	taken, waiting := message(t, "q"), message(t, "q")
	confirm(t, b, taken, waiting)
	c := consume(t, b, "q", 2)
	eventually(t, "both have arrived", func() bool { return seen.count(broker.Arrived) == 2 })
	d := receive(t, c)
	other := taken.ID
	if d.Message.ID == other {
		other = waiting.ID
	}
	client := r.Client()
	defer client.Close()
	inspector := asynq.NewInspectorFromRedisClient(client)
	eventually(t, "what waited was dropped", func() bool {
		return inspector.CancelProcessing(other) == nil && seen.count(broker.Dropped) >= 1
	})
	eventually(t, "what was taken was let go", func() bool {
		return inspector.CancelProcessing(d.Message.ID) == nil && active(t, r, "q", d.Message.ID) == 0
	})
	if err := d.Ack(t.Context()); !errors.Is(err, broker.ErrStale) {
		t.Errorf("ack: %v; want stale", err)
	}
	for range 2 {
		again := receive(t, c)
		if again.Seen != broker.SeenAgain || again.Count < 2 {
			t.Errorf("it came back as %q, count %d", again.Seen, again.Count)
		}
		ack(t, again)
	}
	flush(t, c)
	wantIDs(t, b, "q", 0)
}

func TestTheCensusNamesATaskWhoseContentIsGone(t *testing.T) {
	t.Parallel()
	r := servertest.Redis(t, server.RedisOptions{})
	b := open(t, r.Addr(), broker.Options{})
	whole := message(t, "q")
	confirm(t, b, whole)
	run(t, r, "lpush", "asynq:{q}:active", "orphan")
	run(t, r, "srem", "asynq:queues", "q") // as after the loss of that key
	held := map[string]broker.Held{}
	for h, err := range b.Census(t.Context(), "q") {
		if err != nil {
			t.Fatal(err)
		}
		held[h.Message.ID] = h
	}
	if h := held["orphan"]; h.State != broker.Unacked || h.Message.TaskID != "" || h.Queue != "q" {
		t.Errorf("the orphan is held as %+v", h)
	}
	if h := held[whole.ID]; h.State != broker.Queued || h.Message.TaskID != whole.TaskID {
		t.Errorf("the whole one is held as %+v", h)
	}
	if len(held) != 2 {
		t.Errorf("the census names %d tasks; want 2", len(held))
	}
}

func TestACensusOfAQueueThatChangesIsAnError(t *testing.T) {
	t.Parallel()
	b := open(t, servertest.Redis(t, server.RedisOptions{}).Addr(), broker.Options{})
	confirm(t, b, message(t, "q"), message(t, "q"))
	var last error
	for _, err := range b.Census(t.Context(), "q") {
		if last = err; err == nil {
			confirm(t, b, message(t, "q"))
		}
	}
	if last == nil {
		t.Error("the census of a queue that changed meanwhile says it is complete")
	}
}

func TestTheCensusReadsEveryPage(t *testing.T) {
	t.Parallel()
	b := open(t, servertest.Redis(t, server.RedisOptions{}).Addr(), broker.Options{})
	var msgs []*task.Message
	for range 2500 {
		msgs = append(msgs, message(t, "q"))
	}
	confirm(t, b, msgs...)
	tasks := map[string]bool{}
	for h, err := range b.Census(t.Context(), "q") {
		if err != nil {
			t.Fatal(err)
		}
		tasks[h.Message.TaskID] = true
	}
	for _, m := range msgs {
		if !tasks[m.TaskID] {
			t.Fatalf("task %s is missing", m.TaskID)
		}
	}
}

func TestAMessageIsOneAsynqTaskThatNeverEndsByItself(t *testing.T) {
	t.Parallel()
	r := servertest.Redis(t, server.RedisOptions{})
	b := open(t, r.Addr(), broker.Options{})
	m := message(t, "q", 1)
	later := message(t, "q", 2)
	later.ETA = time.Now().Add(time.Hour).Truncate(time.Second).Add(time.Millisecond)
	confirm(t, b, m, later)
	client := r.Client()
	defer client.Close()
	inspector := asynq.NewInspectorFromRedisClient(client)
	info, err := inspector.GetTaskInfo("q", m.ID)
	if err != nil {
		t.Fatal(err)
	}
	if info.Type != "noop" || info.MaxRetry != 1<<31-1 || info.Timeout != 0 || info.Retention != 0 || time.Until(info.Deadline) < 100*365*24*time.Hour {
		t.Errorf("the asynq task is %+v", info)
	}
	if got, err := task.UnmarshalEnvelope(info.Payload); err != nil || got.ID != m.ID || got.TaskID != m.TaskID {
		t.Errorf("its payload is message %+v, %v", got, err)
	}
	info, err = inspector.GetTaskInfo("q", later.ID)
	if err != nil {
		t.Fatal(err)
	}
	if early := later.ETA.Sub(info.NextProcessAt); info.State != asynq.TaskStateScheduled || early > 0 || early < -time.Second {
		t.Errorf("a task with an ETA is %v, %v before it; want scheduled, rounded up to the second", info.State, early)
	}
}

func TestAConsumerTellsOfTheSessionThatEndsAndTheNext(t *testing.T) {
	t.Parallel()
	r := servertest.Redis(t, server.RedisOptions{Persistence: server.AOFAlways})
	var seen events
	b := open(t, r.Addr(), broker.Options{Observe: seen.add})
	confirm(t, b, message(t, "q"), message(t, "q"))
	c := consume(t, b, "q", 1)
	d := receive(t, c)
	if !b.Traits().SurvivesKill || !strings.HasPrefix(b.Traits().Version, r.Version(t.Context())) {
		t.Errorf("traits %+v", b.Traits())
	}
	if _, err := r.CloseConnections(t.Context(), "test"); err != nil {
		t.Fatal(err)
	}
	eventually(t, "another session stands", func() bool { return seen.count(broker.Connected) == 2 })
	if lost := seen.of(broker.Lost); len(lost) != 1 || lost[0].Session != 1 || lost[0].Err == nil {
		t.Errorf("lost sessions: %+v", lost)
	}
	ack(t, d) // its lease goes on
	flush(t, c)
	next := receive(t, c)
	if d.Session != 1 || next.Session != 2 {
		t.Errorf("sessions %d and %d; want 1 and 2", d.Session, next.Session)
	}
	ack(t, next)
	flush(t, c)
	wantIDs(t, b, "q", 0)
}

func TestARestartedRedisWithoutItsDataHasTheQueueListedAgain(t *testing.T) {
	t.Parallel()
	r := servertest.Redis(t, server.RedisOptions{})
	b := open(t, r.Addr(), broker.Options{})
	confirm(t, b, message(t, "q"))
	if err := r.Kill(t.Context()); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the publisher notices", func() bool {
		return errors.Is(b.Publish(within(t, patience), message(t, "q"))[0], broker.ErrRefused)
	})
	if err := r.Boot(t.Context()); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the publisher is back", func() bool { return b.Publish(within(t, patience), message(t, "q"))[0] == nil })
	client := r.Client()
	defer client.Close()
	if queues, err := asynq.NewInspectorFromRedisClient(client).Queues(); err != nil || len(queues) != 1 {
		t.Errorf("asynq's tools see the queues %v, %v; want the one", queues, err)
	}
}

// The rest are helpers.

func subscribe(queue string, prefetch int) broker.Subscription {
	return broker.Subscription{Sources: []broker.Source{{Queue: queue}}, Prefetch: prefetch}
}

func consume(t testing.TB, b broker.Broker, queue string, prefetch int) broker.Consumer {
	t.Helper()
	c, err := b.Consume(within(t, patience), subscribe(queue, prefetch))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func receive(t testing.TB, c broker.Consumer) *broker.Delivery {
	t.Helper()
	d, err := c.Receive(within(t, patience))
	if err != nil {
		t.Fatalf("receive: %v", err)
	}
	return d
}

func ack(t testing.TB, d *broker.Delivery) {
	t.Helper()
	if err := d.Ack(context.Background()); err != nil {
		t.Fatalf("ack: %v", err)
	}
}

func flush(t testing.TB, c broker.Consumer) {
	t.Helper()
	if err := c.Flush(within(t, patience)); err != nil {
		t.Fatalf("flush: %v", err)
	}
}

func confirm(t testing.TB, b broker.Broker, msgs ...*task.Message) {
	t.Helper()
	for _, err := range b.Publish(within(t, patience), msgs...) {
		if err != nil {
			t.Fatalf("publish: %v", err)
		}
	}
}

func within(t testing.TB, d time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), d)
	t.Cleanup(cancel)
	return ctx
}

func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !ok(); {
		if time.Now().After(end) {
			t.Fatalf("not within %v: %s", patience, what)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

func wantReason(t testing.TB, what string, err error, reason broker.Reason) {
	t.Helper()
	var r *broker.Refusal
	if !errors.As(err, &r) || r.Reason != reason {
		t.Errorf("%s: %v; want a refusal as %q", what, err, reason)
	}
}

func wantIDs(t testing.TB, b broker.Broker, queue string, want int) {
	t.Helper()
	n := 0
	for _, err := range b.Census(within(t, patience), queue) {
		if err != nil {
			t.Fatalf("census: %v", err)
		}
		n++
	}
	if n != want {
		t.Errorf("queue %s holds %d messages; want %d", queue, n, want)
	}
}

// calls is how often the server ran a command since the last resetstat.
func calls(t testing.TB, r *server.Redis, command string) (n int) {
	t.Helper()
	c := r.Client()
	defer c.Close()
	info, err := c.Info(context.Background(), "commandstats").Result()
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(info) {
		if rest, ok := strings.CutPrefix(line, "cmdstat_"+command+":calls="); ok {
			_, _ = fmt.Sscanf(rest, "%d", &n)
		}
	}
	return n
}

// active is how often the task is in the active list.
func active(t testing.TB, r *server.Redis, queue, id string) int {
	t.Helper()
	c := r.Client()
	defer c.Close()
	in, err := c.LPosCount(context.Background(), "asynq:{"+queue+"}:active", id, 0, redisLPos).Result()
	if err != nil {
		t.Fatal(err)
	}
	return len(in)
}

// waitUntilSent waits until bytes lie unread in the frozen server's sockets.
func waitUntilSent(t testing.TB, r *server.Redis) {
	t.Helper()
	_, port, _ := strings.Cut(r.Addr(), ":")
	eventually(t, "the frozen server has something to read", func() bool { return unread(t, port) })
}

type events struct {
	mu  sync.Mutex
	all []broker.Event
}

func (e *events) add(v broker.Event) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.all = append(e.all, v)
}

func (e *events) of(kind broker.EventKind) (some []broker.Event) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, v := range e.all {
		if v.Kind == kind {
			some = append(some, v)
		}
	}
	return some
}

func (e *events) count(kind broker.EventKind) int { return len(e.of(kind)) }
