package rabbitbroker

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"acklab/broker"
	"acklab/internal/server"
	"acklab/task"
)

// suspend makes the only member of a quorum queue deaf: the queue exists, takes
// whatever is routed to it, and answers nothing, as one without a leader.
func suspend(t testing.TB, r *server.Rabbit, queue string) { member(t, r, "suspend", queue) }

// resume has it handle all that it has not heard.
func resume(t testing.TB, r *server.Rabbit, queue string) { member(t, r, "resume", queue) }

func member(t testing.TB, r *server.Rabbit, what, queue string) {
	t.Helper()
	if out, err := r.Eval(within(t), fmt.Sprintf("ok = sys:%s(list_to_atom(\"%%2F_%s\"))", what, queue)); err != nil {
		t.Fatalf("%s the member of queue %s: %s %v", what, queue, out, err)
	}
}

// stuckAndSound are two quorum queues: one confirms nothing, the other all.
func stuckAndSound(t *testing.T, r *server.Rabbit, o broker.Options) (b *Broker, stuck, sound string) {
	t.Helper()
	stuck, sound = queueName(), queueName()
	b, _ = stocked(t, r.URL("")+"?queue_type=quorum", stuck, 1, o)
	publishAll(t, b, declared(t, b, sound)...)
	suspend(t, r, stuck)
	return b, stuck, sound
}

func declared(t *testing.T, b *Broker, queue string) []*task.Message {
	t.Helper()
	if err := b.Declare(within(t), queue); err != nil {
		t.Fatal(err)
	}
	return messages(t, queue, 1)
}

// timed publishes the messages and waits for their fates so long.
func timed(t *testing.T, b *Broker, patience time.Duration, msgs ...*task.Message) []error {
	ctx, cancel := context.WithTimeout(within(t), patience)
	defer cancel()
	return b.Publish(ctx, msgs...)
}

func wantUnsure(t *testing.T, errs []error) {
	t.Helper()
	for i, err := range errs {
		if !errors.Is(err, broker.ErrUnsure) || errors.Is(err, broker.ErrRefused) {
			t.Errorf("publish %d to a queue that confirms nothing: %v; want unsure", i, err)
		}
	}
}

func TestAQueueThatConfirmsNothingDoesNotStopTheOthers(t *testing.T) {
	t.Parallel()
	r := startNode(t)
	b, stuck, sound := stuckAndSound(t, r, broker.Options{})
	confirmed, stop := 0, make(chan struct{})
	var beside sync.WaitGroup
	beside.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
			}
			if err := timed(t, b, patience, messages(t, sound, 1)...)[0]; err != nil {
				t.Errorf("publish %d to a sound queue, meanwhile: %v", confirmed, err)
				return
			}
			confirmed++
		}
	})
	for range 10 {
		wantUnsure(t, timed(t, b, 200*time.Millisecond, messages(t, stuck, 20)...))
	}
	close(stop)
	beside.Wait()
	publishAll(t, b, messages(t, sound, 3*window)...)
	if view, err := r.Queue(within(t), sound); err != nil || view.Ready != 1+confirmed+3*window {
		t.Errorf("the sound queue holds %d, %v; want %d", view.Ready, err, 1+confirmed+3*window)
	}
	if confirmed == 0 {
		t.Error("nothing was confirmed meanwhile")
	}
	if b.publisher.sessions != 2 {
		t.Errorf("%d connections for the others; want one before the trouble and one after", b.publisher.sessions)
	}
	t.Logf("%d publishes were confirmed meanwhile", confirmed)
}

// A full window of posts that wait in vain gives way when their callers do, and
// what waited behind them is sent.
func TestAWindowFullOfWhatIsNeverConfirmedGivesWay(t *testing.T) {
	t.Parallel()
	b, stuck, sound := stuckAndSound(t, startNode(t), broker.Options{})
	s := b.publisher.session
	fates := make(chan []error, 1)
	go func() { fates <- timed(t, b, 2*time.Second, messages(t, stuck, window)...) }()
	until(t, "the window is full", func() bool { return len(s.places) == window })
	publishAll(t, b, messages(t, sound, 1)...)
	wantUnsure(t, <-fates)
	select {
	case <-s.gone:
	case <-within(t).Done():
		t.Error("the connection stands on which nobody waits any more")
	}
}

func TestATwinOfWhatIsNeverConfirmedHoldsNobodyUp(t *testing.T) {
	t.Parallel()
	b, stuck, sound := stuckAndSound(t, startNode(t), broker.Options{})
	m := messages(t, stuck, 1)[0]
	first, endFirst := context.WithCancel(within(t))
	second, endSecond := context.WithCancel(within(t))
	defer endFirst()
	defer endSecond()
	fates := [2]chan []error{make(chan []error, 1), make(chan []error, 1)}
	s := b.publisher.session
	go func() { fates[0] <- b.Publish(first, m) }()
	until(t, "the first is on its way", func() bool { return len(s.places) == 1 })
	go func() { fates[1] <- b.Publish(second, m) }()
	for _, err := range timed(t, b, 100*time.Millisecond, m) {
		if wantReason(t, err, broker.Cancelled); !says(err, "the same message is on its way") {
			t.Errorf("a third: %v", err)
		}
	}
	publishAll(t, b, messages(t, sound, 2*window)...)
	if b.publisher.sessions != 1 {
		t.Errorf("%d connections; want the first", b.publisher.sessions)
	}
	endFirst()
	wantUnsure(t, <-fates[0])
	until(t, "the twin is on its way, apart", func() bool { return onWayApart(b, stuck) == 1 })
	publishAll(t, b, messages(t, sound, 2*window)...)
	endSecond()
	wantUnsure(t, <-fates[1])
}

// onWayApart is how many posts have a place on the queue's own connection.
func onWayApart(b *Broker, queue string) int {
	b.publisher.mu.Lock()
	a := b.publisher.aparts[queue]
	b.publisher.mu.Unlock()
	if a == nil {
		return 0
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.session == nil {
		return 0
	}
	return len(a.session.places)
}

// The queue answers after some callers have gone: the late confirms are of
// nobody, the others get theirs, and the queue is apart no more.
func TestALateConfirmIsNotMistakenForAnothers(t *testing.T) {
	t.Parallel()
	r := startNode(t)
	b, queue, unknown := openURL(t, r.URL("")+"?queue_type=quorum", broker.Options{}), queueName(), queueName()
	publishAll(t, b, declared(t, b, queue)...)
	s := b.publisher.session
	suspend(t, r, queue)
	patient, late := messages(t, queue, 10), messages(t, queue, 20)
	fates := make(chan []error, 1)
	go func() { fates <- b.Publish(within(t), patient...) }()
	until(t, "the patient are on their way", func() bool { return len(s.places) == len(patient) })
	wantUnsure(t, timed(t, b, 200*time.Millisecond, late...))
	for _, err := range b.Publish(within(t), messages(t, unknown, window)...) {
		wantReason(t, err, broker.Unroutable)
	}
	select {
	case errs := <-fates:
		t.Fatalf("a suspended queue has confirmed: %v", errs)
	default:
	}
	resume(t, r, queue)
	for _, err := range <-fates {
		if err != nil {
			t.Errorf("publish to a queue that has answered late: %v", err)
		}
	}
	publishAll(t, b, late...) // once more
	if view, err := r.Queue(within(t), queue); err != nil || view.Ready != 1+len(patient)+2*len(late) {
		t.Errorf("the queue holds %d, %v; want %d", view.Ready, err, 1+len(patient)+2*len(late))
	}
	b.publisher.mu.Lock()
	defer b.publisher.mu.Unlock()
	if len(b.publisher.aparts) != 0 {
		t.Errorf("%d queues are apart; want none", len(b.publisher.aparts))
	}
}

// The events of the publisher name no session of a consumer.
func TestALostPublisherIsNoSessionOfTheConsumer(t *testing.T) {
	t.Parallel()
	w := newWitness()
	queue := queueName()
	b, sent := stocked(t, calmNode(t).URL(""), queue, 1, broker.Options{Observe: w.observe})
	c := consume(t, b, 1, queue)
	d := receive(t, c, 1)[0]
	b.publisher.session.link.abandon()
	w.await(t, broker.Lost, 1)
	publishAll(t, b, messages(t, queue, 1)...)
	for _, e := range w.await(t, broker.Lost, 1) {
		if e.Session != 0 || e.Err == nil {
			t.Errorf("lost: %+v; want no session", e)
		}
	}
	var sessions []int
	for _, e := range w.await(t, broker.Connected, 3) {
		sessions = append(sessions, e.Session)
	}
	if fmt.Sprint(sessions) != "[0 1 0]" {
		t.Errorf("connected: sessions %v; want the publisher's, the consumer's first, the publisher's", sessions)
	}
	if err := d.Ack(within(t)); err != nil || d.Message.ID != sent[0].ID {
		t.Errorf("ack of message %s: %v", d.Message.ID, err)
	}
	if err := c.Flush(within(t)); err != nil {
		t.Error(err)
	}
}
