package redisresult_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"acklab/internal/server"
	"acklab/internal/server/servertest"
	"acklab/result"
)

// What Redis itself counts: a join costs the same commands in a chord of any size.
func TestAJoinCostsTheSameInAChordOfTenThousand(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	for _, size := range []int{10, 10_000} {
		r := servertest.Redis(t, server.RedisOptions{})
		s := open(t, r.URL(""), result.Options{})
		c := r.Client()
		defer c.Close()
		last := make(chan int, size)
		var members sync.WaitGroup
		for w := range 8 {
			members.Go(func() {
				for i := w; i < size; i += 8 {
					joined, err := s.Join(ctx, result.Part{Chord: "g", Member: i, Size: size, Value: fmt.Appendf(nil, "%d", i)})
					if err != nil {
						t.Errorf("join: %v", err)
						return
					}
					if joined.Last {
						last <- i
					}
				}
			})
		}
		members.Wait()
		if n := len(last); n != 1 {
			t.Errorf("%d of %d were the last", n, size)
		}
		values, err := s.Values(ctx, "g", size)
		if err != nil || len(values) != size || string(values[size-1]) != fmt.Sprint(size-1) {
			t.Errorf("%d values, %v", len(values), err)
		}
		stats := commands(t, c.Info(ctx, "commandstats").Val())
		for command, most := range map[string]int{"hsetnx": size, "hincrby": size, "hmget": size + 1, "pexpire": size, "hset": 1} {
			if stats[command] != most {
				t.Errorf("a chord of %d took %d x %s, want %d", size, stats[command], command, most)
			}
		}
		if scripts := stats["evalsha"] + stats["eval"]; scripts < size || scripts > size+16 { // the first ones tell Redis the script
			t.Errorf("a chord of %d took %d scripts", size, scripts)
		}
	}
}

// commands are the calls of each command, by INFO commandstats.
func commands(t *testing.T, text string) map[string]int {
	t.Helper()
	calls := map[string]int{}
	for line := range strings.Lines(text) {
		name, rest, ok := strings.Cut(strings.TrimPrefix(line, "cmdstat_"), ":calls=")
		if !ok {
			continue
		}
		var n int
		if _, err := fmt.Sscanf(rest, "%d", &n); err != nil {
			t.Fatal(err)
		}
		calls[name] = n
	}
	return calls
}
