package redisstore_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"acklab/internal/server"
	"acklab/internal/server/servertest"
	"acklab/scheduler"
	"acklab/scheduler/redisstore"
)

// What happens to a leader and to those who watch when Redis is away, comes back,
// or comes back with nothing.

func mustLead(t *testing.T, s *redisstore.Store) scheduler.Leadership {
	t.Helper()
	l, err := s.Campaign(soon(t))
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func lost(t *testing.T, l scheduler.Leadership) {
	t.Helper()
	select {
	case <-l.Lost():
	case <-soon(t).Done():
		t.Fatalf("term %d is not lost", l.Term())
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

var someTick = []scheduler.Tick{{Schedule: "a", Due: time.Unix(1_800_000_000, 0)}}

func TestARedisThatIsAwayForLongerThanALeaseEndsTheTerm(t *testing.T) {
	t.Parallel()
	r := servertest.Redis(t, server.RedisOptions{})
	s := open(t, r.URL(""), redisstore.Options{Lease: redisstore.MinLease})
	l := mustLead(t, s)
	must(t, r.Freeze(soon(t)))
	deadline := l.Deadline()
	lost(t, l)
	if time.Now().Before(deadline) {
		t.Error("lost before its deadline")
	}
	led := make(chan scheduler.Leadership, 1)
	go func() {
		if l, err := s.Campaign(context.WithoutCancel(soon(t))); err == nil {
			led <- l
		}
	}()
	select {
	case <-led:
		t.Fatal("led by a frozen Redis")
	case <-time.After(time.Second):
	}
	must(t, r.Thaw(soon(t)))
	select {
	case next := <-led:
		if next.Term() <= l.Term() {
			t.Errorf("term %d after term %d", next.Term(), l.Term())
		}
	case <-soon(t).Done():
		t.Fatal("nobody leads after the thaw")
	}
}

func TestARedisThatIsAwayForLessThanALeaseCostsNothing(t *testing.T) {
	t.Parallel()
	r := servertest.Redis(t, server.RedisOptions{Persistence: server.AOFAlways})
	s := open(t, r.URL(""), redisstore.Options{Lease: 10 * time.Second})
	l := mustLead(t, s)
	must(t, s.Claim(soon(t), l.Term(), someTick))
	must(t, r.Kill(soon(t)))
	if err := s.Claim(soon(t), l.Term(), someTick); err == nil || errors.Is(err, scheduler.ErrDeposed) {
		t.Errorf("a claim while Redis is away: %v", err)
	}
	must(t, r.Boot(soon(t)))
	again(t, func() error { return s.Claim(soon(t), l.Term(), someTick) })
	first := l.Deadline()
	for l.Deadline().Equal(first) { // renewed by the new server
		select {
		case <-l.Lost():
			t.Fatal("lost")
		case <-time.After(10 * time.Millisecond):
		}
	}
	if n := len(mustStates(t, s)["a"].Pending); n != 1 {
		t.Errorf("%d claims after the restart; want 1", n)
	}
}

// again repeats a call that may meet a connection of the old server.
func again(t *testing.T, do func() error) {
	t.Helper()
	for end := soon(t); ; {
		err := do()
		if err == nil {
			return
		}
		select {
		case <-end.Done():
			t.Fatal(err)
		case <-time.After(10 * time.Millisecond):
		}
	}
}

func TestARedisThatHasLostItsDataDeposesWhoeverLed(t *testing.T) {
	t.Parallel()
	r := servertest.Redis(t, server.RedisOptions{})
	a := open(t, r.URL(""), redisstore.Options{Lease: 5 * time.Second})
	l := mustLead(t, a)
	must(t, r.Kill(soon(t)))
	must(t, r.Boot(soon(t)))
	// Nobody else leads yet, and still: what it would write is of a world that is gone.
	again(t, func() error {
		err := a.Claim(soon(t), l.Term(), someTick)
		if errors.Is(err, scheduler.ErrDeposed) {
			return nil
		}
		return errors.Join(errors.New("not deposed"), err)
	})
	lost(t, l)
	stranger := open(t, r.URL(""), redisstore.Options{Lease: 30 * time.Second}) // has never heard of that term
	next := mustLead(t, stranger)
	if next.Term() <= l.Term() {
		t.Errorf("term %d after term %d", next.Term(), l.Term())
	}
	must(t, stranger.Claim(soon(t), next.Term(), someTick))
}

func TestARedisThatCameBackWithAnOldTermGivesAGreaterOne(t *testing.T) {
	t.Parallel()
	r := servertest.Redis(t, server.RedisOptions{})
	s := open(t, r.URL(""), redisstore.Options{})
	first := mustLead(t, s)
	must(t, first.Resign(soon(t)))
	c := r.Client()
	defer c.Close()
	must(t, c.Set(soon(t), "acklab:schedule:term", int64(first.Term())-1000, 0).Err())
	if err := s.Claim(soon(t), first.Term(), someTick); !errors.Is(err, scheduler.ErrDeposed) {
		t.Errorf("a claim for a term that Redis does not know: %v", err)
	}
	if next := mustLead(t, s); next.Term() <= first.Term() {
		t.Errorf("term %d after term %d", next.Term(), first.Term())
	}
}

func TestAClockThatWentBackDoesNotTakeTheTermBack(t *testing.T) {
	t.Parallel()
	r := servertest.Redis(t, server.RedisOptions{})
	c := r.Client()
	defer c.Close()
	ahead := time.Now().Add(24 * time.Hour).UnixMilli() // drawn before the clock was set back
	must(t, c.Set(soon(t), "acklab:schedule:term", ahead, 0).Err())
	if l := mustLead(t, open(t, r.URL(""), redisstore.Options{})); l.Term() != scheduler.Term(ahead+1) {
		t.Errorf("term %d after %d", l.Term(), ahead)
	}
}

func TestAnEditWhoseNewsWereLostIsSeen(t *testing.T) {
	t.Parallel()
	r := servertest.Redis(t, server.RedisOptions{})
	s := open(t, r.URL(""), redisstore.Options{})
	changed := s.Watch(t.Context())
	quietFor(t, changed, 4*time.Second) // beyond the first look
	// Written as by an editor whose PUBLISH nobody heard.
	c := r.Client()
	defer c.Close()
	must(t, c.Set(soon(t), "acklab:schedule:revision", 7, 0).Err())
	select {
	case <-changed:
	case <-soon(t).Done():
		t.Fatal("not seen")
	}
	must(t, r.Kill(soon(t)))
	must(t, r.Boot(soon(t)))
	other := open(t, r.URL(""), redisstore.Options{})
	again(t, func() error { _, err := other.Add(soon(t), hourly("a")); return err })
	for len(load(t, s)) == 0 {
		select {
		case <-changed:
		case <-soon(t).Done():
			t.Fatal("not seen after a restart")
		}
	}
}

// quietFor reads until nothing comes for so long.
func quietFor(t *testing.T, c <-chan struct{}, d time.Duration) {
	t.Helper()
	for {
		select {
		case <-c:
		case <-time.After(d):
			return
		}
	}
}

func TestAPasswordThatIsWrongEndsACampaign(t *testing.T) {
	t.Parallel()
	r := servertest.Redis(t, server.RedisOptions{Password: "right"})
	s := open(t, "redis://:s3cret@"+r.Addr()+"/0", redisstore.Options{})
	if _, err := s.Campaign(soon(t)); err == nil || soon(t).Err() != nil {
		t.Errorf("%v; want why", err)
	}
	if _, err := open(t, "redis://"+r.Addr()+"/0", redisstore.Options{}).Campaign(soon(t)); err == nil {
		t.Error("led without a password")
	}
}
