package rabbitbroker

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"acklab/broker"
	"acklab/task"
)

// round is how many messages one side handles before the other has its turn:
// in turns, because the machine's speed changes from minute to minute.
const perRound = 4000

// BenchmarkAgainstTheBareClient reports the driver's throughput as a part of
// what the bare client library reaches with the same work ("of-bare", the
// median of the rounds; 0.8 is the least we want). 30 rounds:
//
//	go test -run '^$' -bench Bare -benchtime 30x ./broker/rabbitbroker
func BenchmarkAgainstTheBareClient(b *testing.B) {
	r := calmNode(b)
	queue := queueName()
	client, _ := stocked(b, r.URL(""), queue, 0, broker.Options{})
	conn, err := amqp.Dial(r.URL(""))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { conn.Close() })
	publish := func() { driverPublish(b, client, queue) }
	take := func() { driverTake(b, client, queue) }
	bareTaking := func() { bareTake(b, conn, queue) }
	barePublishing := func() { barePublish(b, conn, queue) }
	b.Run("confirmed publish, window 100", func(b *testing.B) {
		compare(b, barePublishing, publish, bareTaking)
	})
	b.Run("receive and ack, prefetch 100, 8 goroutines", func(b *testing.B) {
		barePublishing()
		barePublishing()
		compare(b, bareTaking, take, barePublishing)
		bareTaking()
		bareTaking()
	})
}

// compare runs the two in turns; after each, between restores the queue.
func compare(b *testing.B, bare, driver, between func()) {
	var ratios []float64
	var spent time.Duration
	for b.Loop() {
		start := time.Now()
		bare()
		base := time.Since(start)
		between()
		start = time.Now()
		driver()
		took := time.Since(start)
		between()
		spent += took
		ratios = append(ratios, float64(base)/float64(took))
	}
	slices.Sort(ratios)
	b.ReportMetric(ratios[len(ratios)/2], "of-bare")
	b.ReportMetric(float64(perRound*len(ratios))/spent.Seconds(), "msgs/s")
	b.ReportMetric(0, "ns/op")
}

func barePublish(b *testing.B, conn *amqp.Connection, queue string) {
	ch, err := conn.Channel()
	if err != nil {
		b.Fatal(err)
	}
	defer ch.Close()
	if err := ch.Confirm(false); err != nil {
		b.Fatal(err)
	}
	var open []*amqp.DeferredConfirmation
	for _, m := range messages(b, queue, perRound) {
		if len(open) == 100 {
			if !open[0].Wait() {
				b.Fatal("not confirmed")
			}
			open = open[1:]
		}
		out, err := publishing(m)
		if err != nil {
			b.Fatal(err)
		}
		c, err := ch.PublishWithDeferredConfirm("", queue, true, false, out)
		if err != nil {
			b.Fatal(err)
		}
		open = append(open, c)
	}
	for _, c := range open {
		if !c.Wait() {
			b.Fatal("not confirmed")
		}
	}
}

func driverPublish(b *testing.B, client *Broker, queue string) {
	for _, err := range client.Publish(context.Background(), messages(b, queue, perRound)...) {
		if err != nil {
			b.Fatal(err)
		}
	}
}

func bareTake(b *testing.B, conn *amqp.Connection, queue string) {
	ch, err := conn.Channel()
	if err != nil {
		b.Fatal(err)
	}
	defer ch.Close()
	if err := ch.Qos(100, 0, false); err != nil {
		b.Fatal(err)
	}
	ds, err := ch.Consume(queue, "", false, false, false, false, nil)
	if err != nil {
		b.Fatal(err)
	}
	work(b, func() error { d := <-ds; return d.Ack(false) })
	if err := ch.Qos(1, 0, false); err != nil {
		b.Fatal(err)
	}
}

func driverTake(b *testing.B, client *Broker, queue string) {
	ctx := context.Background()
	c := consume(b, client, 100, queue)
	work(b, func() error {
		d, err := c.Receive(ctx)
		if err != nil {
			return err
		}
		return d.Ack(ctx)
	})
	if err := c.Flush(ctx); err != nil {
		b.Fatal(err)
	}
	if err := c.Close(ctx); err != nil {
		b.Fatal(err)
	}
}

// work does something perRound times in 8 goroutines.
func work(b *testing.B, do func() error) {
	var left atomic.Int64
	left.Store(perRound)
	var wait sync.WaitGroup
	for range 8 {
		wait.Go(func() {
			for left.Add(-1) >= 0 {
				if err := do(); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wait.Wait()
}

// BenchmarkOnePublishAtATime is what a caller without a batch sees.
func BenchmarkOnePublishAtATime(b *testing.B) {
	queue := queueName()
	client, _ := stocked(b, calmNode(b).URL(""), queue, 0, broker.Options{})
	for b.Loop() {
		m, err := task.New("noop", task.Options{Queue: queue})
		if err != nil {
			b.Fatal(err)
		}
		if err := client.Publish(context.Background(), m)[0]; err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkADelayedPublish compares publishes with an ETA, ten different
// delays, with publishes without ("of-bare": the plain one's time as a part of
// the delayed one's).
func BenchmarkADelayedPublish(b *testing.B) {
	for _, queueType := range []string{"classic", "quorum"} {
		b.Run(queueType, func(b *testing.B) {
			r := calmNode(b)
			queue := queueName()
			client, _ := stocked(b, r.URL("")+"?queue_type="+queueType, queue, 0, broker.Options{})
			conn, err := amqp.Dial(r.URL(""))
			if err != nil {
				b.Fatal(err)
			}
			defer conn.Close()
			ch, err := conn.Channel()
			if err != nil {
				b.Fatal(err)
			}
			steps := []time.Duration{}
			for i := range 10 {
				steps = append(steps, grid[len(grid)-1-i].wait)
			}
			delayed := func() {
				msgs := messages(b, queue, perRound)
				for i, m := range msgs {
					m.ETA = time.Now().Add(steps[i%len(steps)] - time.Minute)
				}
				publishAll(b, client, msgs...)
			}
			delayed() // its queues exist from now on
			empty := func() {
				if _, err := ch.QueuePurge(queue, false); err != nil {
					b.Fatal(err)
				}
				for _, s := range steps {
					if _, err := ch.QueuePurge(delayQueue(queue, roundUp(s)), false); err != nil {
						b.Fatal(err)
					}
				}
			}
			empty()
			compare(b, func() { driverPublish(b, client, queue) }, delayed, empty)
		})
	}
}
