package resulttest

import (
	"context"
	"sync"
	"time"

	"acklab/result"
	"acklab/task"
)

// pause is long enough for a Wait to have subscribed, most of the time. Nothing
// depends on it: it only chooses which way through the driver is taken.
const pause = 50 * time.Millisecond

func waitTests() []test {
	return []test{
		{"wait returns what was stored before", nil, func(p *probe) {
			s := p.client()
			for _, state := range finished {
				r := of(p.id(), state)
				p.store(s, r)
				p.wantWaited(p.wait(p.client(), r.TaskID, p.h.Patience), r)
			}
		}},
		{"wait returns what is stored while it waits, and soon", nil, func(p *probe) {
			s, other := p.client(), p.client()
			for round := range 20 {
				r := of(p.id(), finished[round%3])
				back := p.wait(s, r.TaskID, p.h.Patience)
				p.idle(pause)
				began := time.Now()
				p.store(other, r)
				p.wantWaited(back, r)
				if took := time.Since(began); took > p.h.Patience/2 {
					p.Errorf("it returned %v after the result was stored", took)
				}
			}
		}},
		{"wait passes over states that are not finished", nil, func(p *probe) {
			s := p.client()
			r := try(of(p.id(), task.Success), 1)
			back := p.wait(s, r.TaskID, p.h.Patience)
			for _, state := range unfinished {
				p.store(s, of(r.TaskID, state))
				p.idle(pause / 2)
			}
			select {
			case got := <-back:
				p.Fatalf("wait returned %s, %v before the task had finished", got.State, got.err)
			default:
			}
			p.store(s, r)
			p.wantWaited(back, r)
		}},
		{"wait and store at the same moment miss each other never", nil, func(p *probe) {
			s, other := p.client(), p.client()
			var rounds sync.WaitGroup
			for range 8 {
				rounds.Go(func() {
					for range 25 {
						r := of(p.id(), task.Success)
						back := p.wait(s, r.TaskID, p.h.Patience)
						if err := other.Store(p.ctx, r); err != nil {
							p.Errorf("store: %v", err)
						}
						if got := <-back; got.err != nil || got.State != task.Success {
							p.Errorf("wait: %s, %v", got.State, got.err)
						}
					}
				})
			}
			rounds.Wait()
		}},
		{"many wait for one task, and one client for many", nil, func(p *probe) {
			s, other := p.client(), p.client()
			var backs []<-chan waited
			var want []result.Result
			for range 30 {
				r := of(p.id(), task.Success)
				for _, c := range []result.Store{s, s, other} {
					backs, want = append(backs, p.wait(c, r.TaskID, p.h.Patience)), append(want, r)
				}
			}
			p.idle(pause)
			for i := 0; i < len(want); i += 3 {
				p.store(other, want[i])
			}
			for i, back := range backs {
				p.wantWaited(back, want[i])
			}
		}},
		{"wait ends with its context", nil, func(p *probe) {
			s := p.client()
			began := time.Now()
			got := p.returned("Wait", p.wait(s, p.id(), 2*pause))
			p.wantIs(got.err, "wait for what does not come", context.DeadlineExceeded)
			if took := time.Since(began); took < 2*pause || took > p.h.Patience {
				p.Errorf("it ended after %v; want %v", took, 2*pause)
			}
			ctx, cancel := context.WithCancel(p.ctx)
			cancel()
			_, err := s.Wait(ctx, p.id())
			p.wantIs(err, "wait with a context that has ended", context.Canceled)
		}},
		{"wait outlives a network that swallows everything", []need{needProxy}, func(p *probe) {
			l := p.link()
			r := of(p.id(), task.Success)
			back := p.wait(l.Store, r.TaskID, 2*p.h.Patience)
			p.idle(pause)
			l.vanish()
			p.store(p.client(), r) // what is told to the one who waits is lost
			p.idle(pause)
			l.reappear()
			p.wantWaited(back, r)
		}},
	}
}

// idle lets a moment pass.
func (p *probe) idle(d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	<-timer.C
}
