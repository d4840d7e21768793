package rabbitbroker

import (
	"errors"
	"strings"
	"testing"
	"time"

	"acklab/broker"
	"acklab/task"
)

// What the parameters give away is gone after a kill, and nothing else is.
func TestAKilledNodeForgetsWhatTheURLGivesAway(t *testing.T) {
	t.Parallel()
	for params, want := range map[string]struct{ exists, kept bool }{
		"":                                {true, true},
		"?durable=true&persistent=true":   {true, true},
		"?persistent=false":               {true, false},
		"?durable=false":                  {false, false},
		"?durable=false&persistent=false": {false, false},
	} {
		t.Run("with "+strings.TrimPrefix(params, "?"), func(t *testing.T) {
			t.Parallel()
			r := startNode(t)
			b, _ := stocked(t, r.URL("")+params, "given", 100, broker.Options{})
			c := consume(t, b, 1, "given")
			if err := receive(t, c, 1)[0].Reject(within(t), "a dead one"); err != nil {
				t.Fatal(err)
			}
			if err := c.Close(within(t)); err != nil {
				t.Fatal(err)
			}
			publishAll(t, b, later(t, "given", time.Hour))
			if got := b.Traits().SurvivesKill; got != want.kept {
				t.Errorf("traits say SurvivesKill=%v; want %v", got, want.kept)
			}
			settleYoungQueues(within(t), t, r)
			killed(t, r)
			depth, err := openURL(t, r.URL("")+params, broker.Options{}).Depth(within(t), "given")
			switch {
			case !want.exists:
				if !errors.Is(err, broker.ErrUnknownQueue) {
					t.Errorf("depth %+v, %v; want no such queue", depth, err)
				}
			case err != nil:
				t.Error(err)
			case want.kept && (*depth.Ready < 99 || *depth.Delayed != 1 || *depth.Dead != 1):
				t.Errorf("%d ready, %d delayed, %d dead; want 99, 1, 1", *depth.Ready, *depth.Delayed, *depth.Dead)
			case !want.kept && *depth.Ready+*depth.Delayed+*depth.Dead != 0:
				t.Errorf("%d ready, %d delayed, %d dead; want none", *depth.Ready, *depth.Delayed, *depth.Dead)
			}
		})
	}
}

func TestAQueueOfAnotherDurabilityIsOneClearLine(t *testing.T) {
	t.Parallel()
	u := calmNode(t).URL("")
	queue := queueName()
	stocked(t, u, queue, 0, broker.Options{})
	for _, params := range []string{"?durable=false", "?queue_type=quorum"} {
		err := openURL(t, u+params, broker.Options{}).Declare(within(t), queue)
		if err == nil || !says(err, queue, "it exists with other properties", "queue_type, durable", "406") || strings.Contains(err.Error(), "\n") {
			t.Errorf("declare with %s: %v", params, err)
		}
	}
	publishAll(t, openURL(t, u+"?durable=false", broker.Options{}), later(t, queue, time.Hour))
	err := openURL(t, u, broker.Options{}).Publish(within(t), later(t, queue, time.Hour))[0]
	if r, ok := errors.AsType[*broker.Refusal](err); !ok || r.Reason != broker.Invalid || !says(err, queue+delaySuffix, "it exists with other properties") {
		t.Errorf("a delay beside one of another durability: %v", err)
	}
}

func TestWithoutConfirmsCloseFlushesWhatWasWritten(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, rawURL string) {
		queue := queueName()
		looking, _ := stocked(t, rawURL, queue, 0, broker.Options{})
		const rounds, perRound = 5, 2000
		for range rounds {
			b := openURL(t, rawURL+"&confirms=false", broker.Options{})
			if tr := b.Traits(); tr.Confirms || tr.SurvivesKill || tr.RefusesUnknownQueue {
				t.Errorf("traits %+v", tr)
			}
			publishAll(t, b, messages(t, queue, perRound)...)
			publishAll(t, b, later(t, queue, time.Millisecond))
			if err := b.Close(within(t)); err != nil {
				t.Fatal(err)
			}
			err := b.Publish(within(t), messages(t, queue, 1)...)[0]
			if !errors.Is(err, broker.ErrClosed) {
				t.Errorf("publish after Close: %v", err)
			}
		}
		until(t, "all that was written is there", func() bool {
			depth, err := looking.Depth(within(t), queue)
			return err == nil && *depth.Ready == rounds*(perRound+1)
		})
	})
}

func TestWithoutConfirmsAReturnIsAnEvent(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, rawURL string) {
		w := newWitness()
		b := openURL(t, rawURL+"&confirms=false", broker.Options{Observe: w.observe})
		const n = 1000 // more than there is room for, were nobody to read them
		lost := messages(t, "nobody-declared-"+queueName(), n)
		publishAll(t, b, lost...)
		for i, e := range w.await(t, broker.Returned, n) {
			if e.MessageID != lost[i].ID || e.Queue != lost[i].Queue || e.Err == nil {
				t.Fatalf("return %d is of message %s and queue %s: %v", i, e.MessageID, e.Queue, e.Err)
			}
		}
	})
}

// Without confirms nil means little, but a connection that is known to have
// ended is not "written".
func TestWithoutConfirmsAServerThatIsGoneIsAnError(t *testing.T) {
	t.Parallel()
	r := startNode(t)
	w := newWitness()
	b, _ := stocked(t, r.URL("")+"?confirms=false", "gone", 1, broker.Options{Observe: w.observe})
	if _, err := r.CloseConnections(within(t), "the test said so"); err != nil {
		t.Fatal(err)
	}
	w.await(t, broker.Lost, 1)
	publishAll(t, b, messages(t, "gone", 1)...) // on a new connection
	if err := r.Kill(within(t)); err != nil {
		t.Fatal(err)
	}
	w.await(t, broker.Lost, 2)
	for _, m := range []*task.Message{messages(t, "gone", 1)[0], later(t, "gone", time.Minute)} {
		err := b.Publish(within(t), m)[0]
		if r, ok := errors.AsType[*broker.Refusal](err); !ok || r.Reason != broker.Unreachable {
			t.Errorf("publish to a server that is gone: %v; want %s", err, broker.Unreachable)
		}
	}
}

// A dead letter that nobody took must not cost its original.
func TestWithoutConfirmsDeadLettersAreConfirmedNevertheless(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, rawURL string) {
		queue := queueName()
		b, sent := stocked(t, rawURL+"&confirms=false", queue, 1, broker.Options{})
		c := consume(t, b, 1, queue)
		d := receive(t, c, 1)[0]
		if err := calmNode(t).DeleteQueue(within(t), queue+deadSuffix); err != nil {
			t.Fatal(err)
		}
		if err := d.Reject(within(t), "nobody can park it"); !errors.Is(err, broker.ErrRefused) {
			t.Errorf("reject without a dead letter queue: %v", err)
		}
		if again := receive(t, c, 1)[0]; again.Message.ID != sent[0].ID || again.Seen != broker.SeenAgain {
			t.Errorf("received %+v; want the original again", again)
		}
	})
}
