package bench

import (
	"context"
	"testing"
	"time"

	"acklab/internal/server"
)

// pace is what the machine itself makes late: how many milliseconds after each due
// time a bare loop, which sleeps until then and pushes one value on the same server,
// has its reply. It has as many due times in d as the scheduler.
func pace(b *testing.B, r *server.Redis, d time.Duration) <-chan []float64 {
	client := r.Client()
	behind := make(chan []float64, 1)
	go func() {
		defer client.Close()
		var late []float64
		from := time.Now()
		for at := time.Duration(0); at < d; at += time.Second / perSecond {
			due := from.Add(at)
			<-time.After(time.Until(due))
			if err := client.LPush(context.Background(), "pace", "beat").Err(); err != nil {
				b.Error(err)
				break
			}
			late = append(late, time.Since(due).Seconds()*1e3)
		}
		behind <- late
	}()
	return behind
}
