package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"text/tabwriter"
	"time"

	"github.com/google/uuid"

	"acklab/broker"
	"acklab/internal/server"
	"acklab/internal/server/servertest"
	"acklab/task"
)

const (
	// wantedWake is the most that the median from a push to Receive may be.
	wantedWake = 2 * time.Millisecond
	// wakePause is the time between two pushes: 50 a second.
	wakePause = 20 * time.Millisecond
	// wakeTurn is how many messages a side has before another's turn.
	wakeTurn = 50
)

// celerySent is what a producer of Celery's puts on a list, with ID for its ids.
const celerySent = `{"body": "W1tdLCB7fSwgeyJjYWxsYmFja3MiOiBudWxsLCAiZXJyYmFja3MiOiBudWxsLCAiY2hhaW4iOiBudWxsLCAiY2hvcmQiOiBudWxsfV0=", "content-encoding": "utf-8", "content-type": "application/json", "headers": {"lang": "py", "task": "noop", "id": "ID", "shadow": null, "eta": null, "expires": null, "group": null, "group_index": null, "retries": 0, "timelimit": [null, null], "root_id": "ID", "parent_id": null, "argsrepr": "()", "kwargsrepr": "{}", "origin": "gen1@host", "ignore_result": false}, "properties": {"correlation_id": "ID", "reply_to": "r1", "delivery_mode": 2, "delivery_info": {"exchange": "", "routing_key": "QUEUE"}, "priority": 0, "body_encoding": "base64", "delivery_tag": "ID"}}`

// BenchmarkRatioWakeUp: how soon a consumer on an idle queue has what is pushed,
// whoever pushes, beside a loop of BRPOP on the same server. A push is part of
// what is measured.
func BenchmarkRatioWakeUp(b *testing.B) {
	if _, err := server.FindRedis(); err != nil {
		results.notRun("Redis: from a push to Receive", err)
		b.Skip(err)
	}
	r := servertest.Redis(b, server.RedisOptions{})
	client := r.Client()
	b.Cleanup(func() { client.Close() })
	ours := newAcklab(b, acklab{server: r, scheme: "redis", queue: "published", blind: true})
	lpush := func(queue string) func(context.Context) (string, error) {
		return func(ctx context.Context) (string, error) {
			id := uuid.NewString()
			return id, client.LPush(ctx, queue, strings.NewReplacer("ID", id, "QUEUE", queue).Replace(celerySent)).Err()
		}
	}
	sides := []wake{
		{who: "a bare loop of BRPOP, after LPUSH", push: lpush("bare"), came: brpop(b, r, "bare")},
		{who: "acklab, after LPUSH as Celery's producers do it", push: lpush("pushed"), came: ours.receives("pushed"), target: wantedWake},
		{who: "acklab, after its own Publish", push: ours.publishOne, came: ours.receives("published"), target: wantedWake},
	}
	for round := 0; b.Loop(); round++ {
		for i := range sides {
			sides[(round+i)%len(sides)].turn(b)
		}
	}
	results.wakes = sides
	for i, unit := range []string{"brpop-p50-µs", "lpush-p50-µs", "publish-p50-µs"} {
		b.ReportMetric(float64(sides[i].percentile(50))/float64(time.Microsecond), unit)
	}
	b.ReportMetric(0, "ns/op")
}

// arrival is the id of a message that somebody has, and when that was.
type arrival struct {
	id string
	at time.Time
}

// wake is how soon one consumer has what is pushed onto its queue.
type wake struct {
	who    string
	push   func(context.Context) (id string, err error)
	came   <-chan arrival
	took   []time.Duration // turn after turn
	target time.Duration   // the most that is wanted of the median; 0: none
}

// turn pushes messages, one when the last has come and the pause is over.
func (w *wake) turn(b *testing.B) {
	b.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	pause := time.NewTicker(wakePause)
	defer pause.Stop()
	for range wakeTurn {
		<-pause.C
		began := time.Now()
		id, err := w.push(ctx)
		if err != nil {
			b.Fatal(err)
		}
		select {
		case got := <-w.came:
			if got.id != id {
				b.Fatalf("%s: %s was pushed, %s came", w.who, id, got.id)
			}
			w.took = append(w.took, got.at.Sub(began))
		case <-ctx.Done():
			b.Fatalf("%s: nothing came", w.who)
		}
	}
}

// percentile is that of all turns.
func (w *wake) percentile(p int) time.Duration {
	sorted := slices.Sorted(slices.Values(w.took))
	return sorted[(len(sorted)-1)*p/100]
}

// publishOne publishes a task.
func (a *acklab) publishOne(ctx context.Context) (string, error) {
	m, err := task.New("noop", task.Options{Queue: a.queue, Origin: origin})
	if err != nil {
		return "", err
	}
	return m.TaskID, errors.Join(a.broker.Publish(ctx, m)...)
}

// receives receives and acknowledges what comes to the queue, until the
// benchmark ends.
func (a *acklab) receives(queue string) <-chan arrival {
	c, err := a.broker.Consume(context.Background(), broker.Subscription{Sources: []broker.Source{{Queue: queue}}, Prefetch: 16})
	if err != nil {
		a.b.Fatal(err)
	}
	return arrivals(a.b, func(ctx context.Context) (string, time.Time, error) {
		d, err := c.Receive(ctx)
		at := time.Now()
		if err != nil {
			return "", at, err
		}
		return d.Message.TaskID, at, errors.Join(d.Malformed, d.Ack(ctx))
	}, func() error { return c.Close(context.Background()) })
}

// brpop pops what comes to the list, on a connection of its own, until the
// benchmark ends.
func brpop(b *testing.B, r *server.Redis, queue string) <-chan arrival {
	client := r.Client()
	return arrivals(b, func(ctx context.Context) (string, time.Time, error) {
		got, err := client.BRPop(ctx, 0, queue).Result()
		at := time.Now()
		if err != nil {
			return "", at, err
		}
		_, id, _ := strings.Cut(got[1], `"correlation_id": "`)
		id, _, _ = strings.Cut(id, `"`)
		return id, at, nil
	}, client.Close)
}

// arrivals takes one after the other until the benchmark ends.
func arrivals(b *testing.B, take func(context.Context) (string, time.Time, error), end func() error) <-chan arrival {
	came := make(chan arrival, 1)
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for {
			id, at, err := take(ctx)
			if err != nil {
				if ctx.Err() == nil {
					b.Error(err)
				}
				return
			}
			came <- arrival{id, at}
		}
	}()
	b.Cleanup(func() {
		stop()
		if err := end(); err != nil {
			b.Error(err)
		}
		<-ended
	})
	return came
}

// wakes are consumers side by side.
type wakes []wake

func (all wakes) print(to io.Writer) {
	if len(all) == 0 {
		return
	}
	ms := func(d time.Duration) string { return fmt.Sprintf("%.2f", d.Seconds()*1000) }
	fmt.Fprintf(to, "\nfrom a push onto an idle queue to who consumes it, 50 a second, in turns on one Redis; milliseconds\n\n")
	w := tabwriter.NewWriter(to, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "who\tp50\tp99\twanted p50\tp50 turn by turn")
	for _, one := range all {
		wanted := ""
		if one.target > 0 {
			wanted = ms(one.target)
			if one.percentile(50) > one.target {
				wanted += " missed"
			}
		}
		var turns []string
		for took := range slices.Chunk(one.took, wakeTurn) {
			turns = append(turns, ms((&wake{took: took}).percentile(50)))
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", one.who, ms(one.percentile(50)), ms(one.percentile(99)), wanted, strings.Join(turns, " "))
	}
	w.Flush()
}
