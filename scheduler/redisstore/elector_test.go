package redisstore

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"acklab/broker"
	"acklab/scheduler"
)

// What of an elector needs no server: when it asks, when it stops to lead.

const length = 10 * time.Second

var quiet = slog.New(slog.DiscardHandler)

// town is a server that leases, in a bubble's time.
type town struct {
	mu     sync.Mutex
	term   scheduler.Term
	holder string
	until  time.Time
	asked  int // elections
	sub    []chan struct{}
}

// candidate is one client of it. Its link is as bad as a test makes it.
type candidate struct {
	*town
	name string

	mu    sync.Mutex
	away  error                              // what each call fails with
	delay func() (there, back time.Duration) // nil: none
}

// over makes a call: there, do, and back. An error of the way back hides what was
// done.
func (c *candidate) over(ctx context.Context, do func()) error {
	c.mu.Lock()
	away, delay := c.away, c.delay
	c.mu.Unlock()
	if away != nil {
		return away
	}
	var there, back time.Duration
	if delay != nil {
		there, back = delay()
	}
	if err := rest(ctx, there, nil); err != nil {
		return err
	}
	c.town.mu.Lock()
	do()
	c.town.mu.Unlock()
	return rest(ctx, back, nil)
}

func (c *candidate) cut(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.away = err
}

func (c *candidate) stands(term scheduler.Term) bool {
	return c.holder == c.name && c.term == term && time.Now().Before(c.until)
}

func (c *candidate) elect(ctx context.Context, least scheduler.Term) (b ballot, err error) {
	err = c.over(ctx, func() {
		c.asked++
		if c.holder != "" && c.holder != c.name && time.Now().Before(c.until) {
			b = ballot{holder: c.holder, left: time.Until(c.until)}
			return
		}
		c.term = max(c.term, least) + 1
		c.holder, c.until = c.name, time.Now().Add(length)
		b = ballot{term: c.term}
	})
	return b, err
}

func (c *candidate) renew(ctx context.Context, term scheduler.Term) (stands bool, err error) {
	err = c.over(ctx, func() {
		if stands = c.stands(term); stands {
			c.until = time.Now().Add(length)
		}
	})
	return stands, err
}

func (c *candidate) resign(ctx context.Context, term scheduler.Term) error {
	return c.over(ctx, func() {
		if c.stands(term) {
			c.holder = ""
			for _, s := range c.sub {
				notify(s)
			}
		}
	})
}

func (c *candidate) resignations(context.Context) <-chan struct{} {
	c.town.mu.Lock()
	defer c.town.mu.Unlock()
	heard := make(chan struct{}, 1)
	c.sub = append(c.sub, heard)
	return heard
}

// lead campaigns and keeps what it has won, as Store does.
func lead(t *testing.T, life context.Context, c *candidate) *leadership {
	t.Helper()
	l, err := campaign(life, c, length, 0, quiet)
	if err != nil {
		t.Fatal(err)
	}
	go l.keep(life)
	return l
}

func TestALeaderThatDiesIsFollowedWithinALease(t *testing.T) {
	t.Parallel()
	for _, diesAfter := range []time.Duration{0, time.Second, 5 * time.Second, 29 * time.Second, time.Hour} {
		synctest.Test(t, func(t *testing.T) {
			town := &town{}
			life, die := context.WithCancel(t.Context())
			lead(t, life, &candidate{town: town, name: "a"})
			followed := make(chan time.Duration, 1)
			died := time.Now().Add(diesAfter)
			time.AfterFunc(diesAfter, die)
			go func() {
				l := lead(t, t.Context(), &candidate{town: town, name: "b"})
				followed <- time.Since(died)
				l.end()
			}()
			if took := <-followed; took <= 0 || took > length+slack {
				t.Errorf("killed after %v: followed after %v; want within a lease of %v", diesAfter, took, length)
			}
		})
	}
}

func TestAResignationIsFollowedAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		town := &town{}
		first := lead(t, t.Context(), &candidate{town: town, name: "a"})
		led := make(chan *leadership)
		go func() { led <- lead(t, t.Context(), &candidate{town: town, name: "b"}) }()
		synctest.Wait()
		at := time.Now()
		if err := first.Resign(t.Context()); err != nil {
			t.Error(err)
		}
		<-first.Lost()
		second := <-led
		if took := time.Since(at); took != 0 {
			t.Errorf("followed %v after the resignation", took)
		}
		if second.Term() <= first.Term() {
			t.Errorf("term %d after term %d", second.Term(), first.Term())
		}
		if err := first.Resign(t.Context()); err != nil {
			t.Error(err)
		}
		select {
		case <-second.Lost():
			t.Error("resigning the old term ended the new one")
		case <-time.After(10 * length):
		}
		second.end()
	})
}

func TestALeaderThatHearsNothingStopsAtItsDeadline(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		town := &town{}
		c := &candidate{town: town, name: "a"}
		l := lead(t, t.Context(), c)
		time.Sleep(time.Minute)
		c.cut(errors.New("no route"))
		deadline := l.Deadline()
		<-l.Lost()
		if now := time.Now(); !now.Equal(deadline) {
			t.Errorf("lost %v after its deadline", now.Sub(deadline))
		}
		town.mu.Lock()
		defer town.mu.Unlock()
		if town.until.Before(time.Now()) {
			t.Error("the lease had ended before its leader stopped")
		}
	})
}

func TestALinkThatIsAwayForLessThanALeaseCostsNothing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		town := &town{}
		c := &candidate{town: town, name: "a"}
		l := lead(t, t.Context(), c)
		c.cut(errors.New("no route"))
		time.Sleep(length * 9 / 10)
		c.cut(nil)
		time.Sleep(10 * length)
		select {
		case <-l.Lost():
			t.Error("it is lost")
		default:
		}
		l.end()
	})
}

func TestALeaseThatWasGivenToAnotherIsLostAtTheNextRenewal(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		town := &town{}
		l := lead(t, t.Context(), &candidate{town: town, name: "a"})
		town.mu.Lock()
		town.holder, town.term = "b", town.term+1 // as after a jump of the server's clock
		town.mu.Unlock()
		at := time.Now()
		<-l.Lost()
		if took := time.Since(at); took > length/3 {
			t.Errorf("it led for %v more", took)
		}
	})
}

func TestAnAnswerThatComesTooLateIsNotLedBy(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		town := &town{}
		slow := true
		c := &candidate{town: town, name: "a", delay: func() (time.Duration, time.Duration) {
			if slow {
				slow = false
				return 0, length // the deadline of the call
			}
			return 0, time.Second
		}}
		at := time.Now()
		l := lead(t, t.Context(), c)
		if took := time.Since(at); took < length {
			t.Errorf("it leads after %v", took)
		}
		if left := time.Until(l.Deadline()); left != length-time.Second {
			t.Errorf("%v left of the lease; want what is left counted from before the request", left)
		}
		l.end()
	})
}

func TestWaitingForALeaderCostsAQuestionALease(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		town := &town{}
		first := lead(t, t.Context(), &candidate{town: town, name: "a"})
		ctx, cancel := context.WithTimeout(t.Context(), 100*length)
		defer cancel()
		if _, err := campaign(ctx, &candidate{town: town, name: "b"}, length, 0, quiet); !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
		town.mu.Lock()
		defer town.mu.Unlock()
		if town.asked > 160 { // 100 leases, of which the shortest seen has two thirds left
			t.Errorf("asked %d times in 100 leases", town.asked)
		}
		first.end()
	})
}

func TestWhatNoWaitingCuresEndsACampaign(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := &candidate{town: &town{}, name: "a", away: &broker.Refusal{Reason: broker.Denied}}
		if _, err := campaign(t.Context(), c, length, 0, quiet); !errors.Is(err, broker.ErrRefused) {
			t.Errorf("%v; want the refusal", err)
		}
		c.cut(&broker.Refusal{Reason: broker.Unreachable})
		time.AfterFunc(time.Hour, func() { c.cut(nil) })
		at := time.Now()
		l := lead(t, t.Context(), c)
		if took := time.Since(at); took < time.Hour || took > time.Hour+pauseMax {
			t.Errorf("it leads %v after a server that came back after an hour", took)
		}
		l.end()
	})
}

// However late requests and replies are, and whoever is cut off, no two may trust
// a lease at the same moment.
func TestNoTwoTrustTheLeaseAtOnce(t *testing.T) {
	t.Parallel()
	for seed := range uint64(40) {
		synctest.Test(t, func(t *testing.T) {
			var mu sync.Mutex
			random := rand.New(rand.NewPCG(seed, 0))
			upTo := func(d time.Duration) time.Duration {
				mu.Lock()
				defer mu.Unlock()
				return time.Duration(random.Int64N(int64(d)))
			}
			town := &town{}
			life, die := context.WithTimeout(t.Context(), 200*length)
			defer die()
			trusted := map[string]*leadership{}
			terms := 0
			check := func() { // the lock is held
				now := time.Now()
				var leads []string
				for name, l := range trusted {
					if now.Before(l.Deadline()) {
						leads = append(leads, name)
					}
				}
				if len(leads) > 1 {
					t.Errorf("seed %d: %v lead at once", seed, leads)
				}
			}
			go func() {
				for rest(life, length/10, nil) == nil {
					mu.Lock()
					check()
					mu.Unlock()
				}
			}()
			for _, name := range []string{"a", "b", "c"} {
				c := &candidate{town: town, name: name, delay: func() (time.Duration, time.Duration) {
					if upTo(10) == 0 {
						return upTo(2 * length), upTo(2 * length)
					}
					return upTo(length / 100), upTo(length / 100)
				}}
				go func() { // it is cut off now and then
					for life.Err() == nil {
						_ = rest(life, upTo(10*length), nil)
						c.cut(errors.New("no route"))
						_ = rest(life, upTo(3*length), nil)
						c.cut(nil)
					}
				}()
				go func() {
					for {
						l, err := campaign(life, c, length, 0, quiet)
						if err != nil {
							return
						}
						mu.Lock()
						terms++
						trusted[name] = l
						check()
						mu.Unlock()
						go l.keep(life)
						select {
						case <-l.Lost():
						case <-time.After(upTo(20 * length)):
							_ = l.Resign(life)
						}
					}
				}()
			}
			<-life.Done()
			synctest.Wait()
			if terms < 10 {
				t.Errorf("seed %d: only %d terms in 200 leases", seed, terms)
			}
		})
	}
}
