package resulttest

import (
	"context"
	"errors"
	"sync"
	"time"

	"acklab/result"
	"acklab/task"
)

// faultTests break the server. They run one after the other and leave it healthy.
func faultTests() []test {
	return []test{
		{"wait outlives lost connections", []need{needCloseConnections}, func(p *probe) {
			s, other := p.client(), p.client()
			for range 3 {
				r := of(p.id(), task.Success)
				back := p.wait(s, r.TaskID, p.h.Patience)
				p.idle(pause)
				p.do("have the server close its connections", p.server.CloseConnections)
				p.until("it is stored", func() error { return other.Store(p.soon(), r) })
				p.wantWaited(back, r)
			}
		}},
		{"a store that is down is unavailable, and works again by itself", []need{needKill}, serverDown},
		{"what was stored survives a kill of the server", []need{needKill, needSurvival}, func(p *probe) {
			s := p.client()
			var all []result.Result
			for i := range 100 {
				r := of(p.id(), task.States()[i%len(task.States())])
				p.store(s, r)
				all = append(all, r)
			}
			p.do("kill", p.server.Kill)
			p.do("restart", p.server.Restart)
			other := p.client()
			for _, r := range all {
				p.wantGet(other, r)
			}
		}},
		{"wait goes on over a kill of the server", []need{needKill}, func(p *probe) {
			s, other := p.client(), p.client()
			r := of(p.id(), task.Success)
			back := p.wait(s, r.TaskID, 5*p.h.Patience)
			p.idle(pause)
			p.do("kill", p.server.Kill)
			p.idle(pause)
			p.do("restart", p.server.Restart)
			p.until("it is stored", func() error { return other.Store(p.soon(), r) })
			p.wantWaited(back, r)
		}},
		{"stores are repeated over kills of the server, and each is there", []need{needKill, needSurvival}, killUnderLoad},
		{"calls to a frozen server obey their deadline", []need{needFreeze}, frozen},
		{"stores carry on over closed connections", []need{needCloseConnections}, func(p *probe) {
			s := p.client()
			for range 10 {
				r := of(p.id(), task.Success)
				p.do("have the server close its connections", p.server.CloseConnections)
				p.until("it is stored", func() error { return s.Store(p.soon(), r) })
				p.wantGet(s, r)
			}
		}},
		{"closing returns while the server is down", []need{needKill}, func(p *probe) {
			s := p.client()
			p.store(s, of(p.id(), task.Success))
			back := p.wait(s, p.id(), 5*p.h.Patience)
			p.idle(pause)
			p.do("kill", p.server.Kill)
			if err := s.Close(p.soon()); err != nil {
				p.Errorf("close: %v", err)
			}
			p.wantIs(p.returned("Wait", back).err, "wait", result.ErrClosed)
			p.do("restart", p.server.Restart)
		}},
	}
}

func serverDown(p *probe) {
	s := p.client()
	r := of(p.id(), task.Success)
	p.store(s, of(r.TaskID, task.Started))
	p.do("kill", p.server.Kill)
	p.wantIs(s.Store(p.soon(), r), "store in a dead server", result.ErrUnavailable)
	_, err := s.Get(p.soon(), r.TaskID)
	p.wantIs(err, "get from a dead server", result.ErrUnavailable)
	p.wantIs(s.Forget(p.soon(), r.TaskID), "forget in a dead server", result.ErrUnavailable)
	got := p.returned("Wait", p.wait(s, r.TaskID, 2*pause))
	p.wantIs(got.err, "wait with a dead server", context.DeadlineExceeded)
	p.do("restart", p.server.Restart)
	p.until("it is stored", func() error { return s.Store(p.soon(), r) })
	p.wantGet(s, r)
}

// killUnderLoad has eight writers repeat what was not stored.
func killUnderLoad(p *probe) {
	s := p.client()
	for range p.h.Kills {
		over := make(chan struct{})
		var mu sync.Mutex
		var stored []result.Result
		count := func() int { mu.Lock(); defer mu.Unlock(); return len(stored) }
		var writers sync.WaitGroup
		for range 8 {
			writers.Go(func() {
				for {
					select {
					case <-over:
						return
					default:
					}
					r := of(p.id(), task.Success)
					for {
						ctx, cancel := context.WithTimeout(p.ctx, p.h.Patience)
						err := s.Store(ctx, r)
						cancel()
						if err == nil {
							break
						}
						if !errors.Is(err, result.ErrUnavailable) || p.ctx.Err() != nil {
							p.Errorf("store: %v", err)
							return
						}
						p.idle(5 * time.Millisecond)
					}
					mu.Lock()
					stored = append(stored, r)
					mu.Unlock()
				}
			})
		}
		more := func(what string) {
			before := count()
			p.until("stores go on "+what, func() error {
				if count() < before+50 {
					return errors.New("too few")
				}
				return nil
			})
		}
		more("before the kill")
		p.do("kill", p.server.Kill)
		p.do("restart", p.server.Restart)
		more("after the restart")
		close(over)
		writers.Wait()
		other := p.client()
		for _, r := range stored {
			p.wantGet(other, r)
		}
	}
}

func frozen(p *probe) {
	s := p.client()
	r, waitedFor := of(p.id(), task.Success), of(p.id(), task.Success)
	p.store(s, of(r.TaskID, task.Started))
	back := p.wait(s, waitedFor.TaskID, 5*p.h.Patience)
	p.idle(pause)
	p.do("freeze", p.server.Freeze)
	thaw := sync.OnceFunc(func() { p.do("thaw", p.server.Thaw) })
	p.Cleanup(thaw)
	for what, call := range map[string]func(context.Context) error{
		"store":  func(ctx context.Context) error { return s.Store(ctx, r) },
		"get":    func(ctx context.Context) error { _, err := s.Get(ctx, r.TaskID); return err },
		"forget": func(ctx context.Context) error { return s.Forget(ctx, p.id()) },
	} {
		began := time.Now()
		ctx := p.within(4 * pause)
		back := make(chan waited, 1)
		p.spawn(func() { back <- waited{err: call(ctx)} })
		p.wantIs(p.returned(what+" with a frozen server", back).err, what+" with a frozen server", result.ErrUnavailable)
		if took := time.Since(began); took > p.h.Patience/2 {
			p.Errorf("%s took %v with a deadline after %v", what, took, 4*pause)
		}
	}
	thaw()
	p.until("it is stored", func() error { return s.Store(p.soon(), r) })
	p.wantGet(s, r)
	p.store(s, waitedFor)
	p.wantWaited(back, waitedFor)
}
