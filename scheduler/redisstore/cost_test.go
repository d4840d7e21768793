package redisstore_test

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"acklab/internal/server"
	"acklab/internal/server/servertest"
	"acklab/scheduler"
	"acklab/scheduler/redisstore"
)

// commands are how many commands clients have sent to a server. Those of scripts
// are not among them.
func commands(t testing.TB, r *server.Redis) int {
	t.Helper()
	c := r.Client()
	defer c.Close()
	info, err := c.Info(t.Context(), "commandstats").Result()
	must(t, err)
	all := 0
	for _, line := range strings.Split(info, "\r\n") {
		name, stats, found := strings.Cut(line, ":calls=")
		if !found || !sentByClients[strings.TrimPrefix(name, "cmdstat_")] {
			continue
		}
		calls, _, _ := strings.Cut(stats, ",")
		n, err := strconv.Atoi(calls)
		must(t, err)
		all += n
	}
	return all
}

// sentByClients are what this package sends while nothing is edited. GET is also
// what renewals do, each once.
var sentByClients = map[string]bool{"evalsha": true, "eval": true, "get": true, "mget": true, "ping": true, "multi": true, "hgetall": true}

// firings are n ticks of as many schedules, and that they were sent.
func firings(n int, due time.Time) ([]scheduler.Tick, []scheduler.Outcome) {
	var ticks []scheduler.Tick
	var outcomes []scheduler.Outcome
	for i := range n {
		t := scheduler.Tick{Schedule: fmt.Sprintf("schedule-%d", i), Due: due}
		ticks = append(ticks, t)
		outcomes = append(outcomes, scheduler.Outcome{Tick: t, Kind: scheduler.Sent, At: due, N: 1, Task: t.ID()})
	}
	return ticks, outcomes
}

func TestARoundOfFiringsIsTwoRoundTripsHoweverMany(t *testing.T) {
	t.Parallel()
	r := servertest.Redis(t, server.RedisOptions{})
	s := open(t, r.URL(""), redisstore.Options{Lease: time.Minute})
	l := mustLead(t, s)
	round := func(n int) int {
		ticks, outcomes := firings(n, time.Now())
		before := commands(t, r)
		must(t, s.Claim(soon(t), l.Term(), ticks))
		must(t, s.Settle(soon(t), l.Term(), outcomes))
		return commands(t, r) - before
	}
	round(1) // loads the scripts, and connects
	if one, many := round(1), round(500); one != many {
		t.Errorf("%d commands for a round of one firing, %d for one of 500", one, many)
	}
}

func TestIdlingIsCheap(t *testing.T) {
	t.Parallel()
	r := servertest.Redis(t, server.RedisOptions{})
	leader, follower := open(t, r.URL(""), redisstore.Options{}), open(t, r.URL(""), redisstore.Options{})
	mustLead(t, leader)
	go func() { _, _ = follower.Campaign(t.Context()) }()
	for range 2 {
		leader.Watch(t.Context())
		follower.Watch(t.Context())
	}
	<-time.After(time.Second)
	before := commands(t, r)
	const span = 6 * time.Second
	<-time.After(span)
	if n := commands(t, r) - before; n > 40 {
		t.Errorf("%d commands in %v by a leader and a follower that have nothing to do", n, span)
	} else {
		t.Logf("%.1f commands a second by a leader and a follower that have nothing to do", float64(n)/span.Seconds())
	}
}

// BenchmarkFirings claims and settles a tick of each of 200 schedules: a second's
// worth at 200 firings a second, of 10,000 that are there.
func BenchmarkFirings(b *testing.B) {
	s := open(b, database(b), redisstore.Options{Lease: time.Minute})
	l, err := s.Campaign(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	due := time.Now()
	all, outcomes := firings(10_000, due)
	if err := s.Claim(b.Context(), l.Term(), all); err != nil {
		b.Fatal(err)
	}
	if err := s.Settle(b.Context(), l.Term(), outcomes); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		due = due.Add(time.Second)
		ticks, outcomes := firings(200, due)
		if err := s.Claim(b.Context(), l.Term(), ticks); err != nil {
			b.Fatal(err)
		}
		if err := s.Settle(b.Context(), l.Term(), outcomes); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N)/200, "µs/firing")
}

// BenchmarkStates reads what a new leader reads: the states of 10,000 schedules.
func BenchmarkStates(b *testing.B) {
	s := open(b, database(b), redisstore.Options{})
	all, outcomes := firings(10_000, time.Now())
	for _, err := range []error{s.Claim(b.Context(), 0, all), s.Settle(b.Context(), 0, outcomes)} {
		if err != nil {
			b.Fatal(err)
		}
	}
	for b.Loop() {
		if states, err := s.States(b.Context()); err != nil || len(states) != 10_000 {
			b.Fatal(len(states), err)
		}
	}
}
