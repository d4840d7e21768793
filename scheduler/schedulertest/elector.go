package schedulertest

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"acklab/scheduler"
)

// Electors runs what the comments of scheduler.Elector and scheduler.Leadership
// say, each on a store that fresh makes.
func Electors(t *testing.T, fresh func(testing.TB) Store) {
	run(t, fresh, []test{
		{"of many one leads, and each term is greater than all before", nil, oneLeads},
		{"a resignation is followed at once", nil, resignation},
		{"an old term that resigns does not end a later one", nil, oldResigns},
		{"a term renews itself", nil, renewal},
		{"a campaign ends with its context", nil, campaignEnds},
		{"a client that has led can lead again", nil, again},
	})
}

func (p *probe) campaign(e scheduler.Elector) scheduler.Leadership {
	p.Helper()
	l, err := e.Campaign(p.soon())
	p.ok(err)
	return l
}

// leads checks that a term stands.
func (p *probe) leads(l scheduler.Leadership) {
	p.Helper()
	select {
	case <-l.Lost():
		p.Fatalf("term %d is lost", l.Term())
	default:
	}
	if d := l.Deadline(); !d.IsZero() && !time.Now().Before(d) {
		p.Fatalf("term %d has passed its deadline", l.Term())
	}
}

func oneLeads(p *probe) {
	var mu sync.Mutex
	var last scheduler.Term
	leading := 0
	var all sync.WaitGroup
	for range 8 {
		e := p.Elector(p)
		all.Go(func() {
			for range 5 {
				l, err := e.Campaign(p.soon())
				if err != nil {
					p.Error(err)
					return
				}
				mu.Lock()
				if leading++; leading > 1 {
					p.Errorf("%d lead", leading)
				}
				if l.Term() <= last {
					p.Errorf("term %d after term %d", l.Term(), last)
				}
				last = l.Term()
				leading--
				mu.Unlock()
				if err := l.Resign(p.soon()); err != nil {
					p.Error(err)
				}
			}
		})
	}
	all.Wait()
}

func resignation(p *probe) {
	first := p.campaign(p.Elector(p))
	p.leads(first)
	led := make(chan scheduler.Leadership, 1)
	other := p.Elector(p)
	go func() {
		if l, err := other.Campaign(p.soon()); err == nil {
			led <- l
		}
	}()
	select {
	case <-led:
		p.Fatal("two lead")
	case <-time.After(100 * time.Millisecond):
	}
	p.leads(first)
	p.ok(first.Resign(p.soon()))
	await(p, "the end of the term", first.Lost())
	if d := first.Deadline(); d.IsZero() || time.Now().Before(d) {
		p.Errorf("the deadline of a term that was resigned is %v", d)
	}
	second, _ := await(p, "the next leader", led)
	p.leads(second)
	p.ok(second.Resign(p.soon()))
}

func oldResigns(p *probe) {
	first := p.campaign(p.Elector(p))
	p.ok(first.Resign(p.soon()))
	second := p.campaign(p.Elector(p))
	p.ok(first.Resign(p.soon()))
	ctx, cancel := context.WithTimeout(p.Context(), 200*time.Millisecond)
	defer cancel()
	if l, err := p.Elector(p).Campaign(ctx); err == nil {
		p.Errorf("term %d leads beside term %d", l.Term(), second.Term())
	}
	p.leads(second)
	p.ok(second.Resign(p.soon()))
}

func renewal(p *probe) {
	l := p.campaign(p.Elector(p))
	first := l.Deadline()
	if first.IsZero() {
		return // for ever
	}
	look := time.NewTicker(10 * time.Millisecond)
	defer look.Stop()
	for end := p.soon(); l.Deadline().Equal(first); {
		select {
		case <-look.C:
		case <-end.Done():
			p.Fatal("its deadline does not move")
		}
	}
	p.leads(l)
	p.ok(l.Resign(p.soon()))
}

func campaignEnds(p *probe) {
	l := p.campaign(p.Elector(p))
	defer func() { p.ok(l.Resign(p.soon())) }()
	ctx, cancel := context.WithCancelCause(p.Context())
	ended := make(chan error, 1)
	other := p.Elector(p)
	go func() {
		_, err := other.Campaign(ctx)
		ended <- err
	}()
	why := errors.New("no more")
	cancel(why)
	if err, _ := await(p, "the end of the campaign", ended); !errors.Is(err, why) && !errors.Is(err, context.Canceled) {
		p.Errorf("%v; want the context's", err)
	}
	p.leads(l)
}

func again(p *probe) {
	e := p.Elector(p)
	first := p.campaign(e)
	p.ok(first.Resign(p.soon()))
	second := p.campaign(e)
	if second.Term() <= first.Term() {
		p.Errorf("term %d after term %d", second.Term(), first.Term())
	}
	p.leads(second)
	p.ok(second.Resign(p.soon()))
}
