package redisbroker_test

import (
	"context"
	"net"
	"os/exec"
	"regexp"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"acklab/broker"
	"acklab/internal/server"
	"acklab/internal/server/servertest"
	"acklab/task"
)

// The benchmark compares this package with redis-benchmark on the same private
// server in the same run, in turns: a machine's speed changes from minute to
// minute. A ratio is our rate as a part of redis-benchmark's of the same round.

const (
	producers = 8
	slots     = 10
	portion   = 50_000
)

func BenchmarkRatio(b *testing.B) {
	r := servertest.Redis(b, server.RedisOptions{})
	q := open(b, r.Addr(), "", broker.Options{})
	var batches, singles, worked, push, pop float64
	rounds := 0
	for b.Loop() {
		rounds++
		bare := bareRates(b, r)
		push += bare["LPUSH"]
		pop += bare["RPOP"]
		batches += publishBatches(b, q, "batches") / bare["LPUSH"]
		singles += publishSingles(b, q, "singles") / bare["LPUSH"]
		worked += workOff(b, q, "batches") / bare["RPOP"]
		run(b, r, "flushall")
	}
	n := float64(rounds)
	b.ReportMetric(push/n, "LPUSH/s")
	b.ReportMetric(pop/n, "RPOP/s")
	b.ReportMetric(batches/n, "batches-x-of-LPUSH")
	b.ReportMetric(singles/n, "singles-x-of-LPUSH")
	b.ReportMetric(worked/n, "no-ops-x-of-RPOP")
}

var rate = regexp.MustCompile(`(LPUSH|RPOP): ([0-9.]+) requests per second`)

// bareRates are redis-benchmark's, with 50 connections and 800 bytes.
func bareRates(b *testing.B, r *server.Redis) map[string]float64 {
	path, err := exec.LookPath("redis-benchmark")
	if err != nil {
		b.Skip(err)
	}
	host, port, err := net.SplitHostPort(r.Addr())
	if err != nil {
		b.Fatal(err)
	}
	out, err := exec.Command(path, "-h", host, "-p", port, "-n", "100000", "-c", "50", "-d", "800", "-t", "lpush,rpop", "-q").Output()
	if err != nil {
		b.Fatal(err)
	}
	rates := map[string]float64{}
	for _, found := range rate.FindAllSubmatch(out, -1) {
		rates[string(found[1])], _ = strconv.ParseFloat(string(found[2]), 64)
	}
	if rates["LPUSH"] == 0 || rates["RPOP"] == 0 {
		b.Fatalf("redis-benchmark says %s", out)
	}
	return rates
}

// publishBatches publishes in batches of 100 from one goroutine.
func publishBatches(b *testing.B, q broker.Broker, queue string) float64 {
	began := time.Now()
	for range portion / 100 {
		msgs := make([]*task.Message, 100)
		for i := range msgs {
			msgs[i] = message(b, queue)
		}
		for _, err := range q.Publish(context.Background(), msgs...) {
			if err != nil {
				b.Fatal(err)
			}
		}
	}
	return portion / time.Since(began).Seconds()
}

// publishSingles publishes one by one from eight goroutines.
func publishSingles(b *testing.B, q broker.Broker, queue string) float64 {
	began := time.Now()
	var all sync.WaitGroup
	for range producers {
		all.Go(func() {
			for range portion / producers {
				if err := q.Publish(context.Background(), message(b, queue))[0]; err != nil {
					b.Error(err)
				}
			}
		})
	}
	all.Wait()
	return portion / time.Since(began).Seconds()
}

// workOff receives and acknowledges what is on the queue.
func workOff(b *testing.B, q broker.Broker, queue string) float64 {
	began := time.Now()
	c, err := q.Consume(context.Background(), broker.Subscription{Sources: []broker.Source{{Queue: queue}}, Prefetch: 400})
	if err != nil {
		b.Fatal(err)
	}
	var done atomic.Int64
	var work sync.WaitGroup
	ctx, all := context.WithCancel(context.Background())
	defer all()
	for range slots {
		work.Go(func() {
			for {
				d, err := c.Receive(ctx)
				if err != nil {
					return
				}
				if err := d.Ack(ctx); err != nil {
					b.Error(err)
				}
				if done.Add(1) == portion {
					all()
				}
			}
		})
	}
	work.Wait()
	if err := c.Flush(context.Background()); err != nil {
		b.Fatal(err)
	}
	rate := portion / time.Since(began).Seconds()
	if err := c.Close(context.Background()); err != nil {
		b.Fatal(err)
	}
	return rate
}
