package resulttest

import (
	"context"
	"errors"
	"sync"

	"acklab/result"
	"acklab/task"
)

func closeTests() []test {
	return []test{
		{"a closed client refuses every call, and closes again", nil, func(p *probe) {
			s := p.client()
			r := of(p.id(), task.Success)
			p.store(s, r)
			for range 2 {
				if err := s.Close(p.soon()); err != nil {
					p.Fatalf("close: %v", err)
				}
			}
			p.wantIs(s.Store(p.soon(), r), "store", result.ErrClosed)
			_, err := s.Get(p.soon(), r.TaskID)
			p.wantIs(err, "get", result.ErrClosed)
			_, err = s.Wait(p.soon(), r.TaskID)
			p.wantIs(err, "wait", result.ErrClosed)
			p.wantIs(s.Forget(p.soon(), r.TaskID), "forget", result.ErrClosed)
			s.Traits(p.soon())
			p.wantGet(p.client(), r)
		}},
		{"close ends those who wait", nil, func(p *probe) {
			s := p.client()
			var backs []<-chan waited
			for range 5 {
				backs = append(backs, p.wait(s, p.id(), p.h.Patience))
			}
			p.idle(pause)
			if err := s.Close(p.soon()); err != nil {
				p.Fatalf("close: %v", err)
			}
			for _, back := range backs {
				p.wantIs(p.returned("Wait of a closed client", back).err, "wait", result.ErrClosed)
			}
		}},
		{"closing a client under load leaves no false word", nil, func(p *probe) {
			s := p.client()
			var mu sync.Mutex
			var stored []result.Result
			var writers sync.WaitGroup
			ready := make(chan struct{}, 1<<10)
			for range 8 {
				writers.Go(func() {
					for {
						r := of(p.id(), task.Success)
						if err := s.Store(p.ctx, r); err != nil {
							p.wantIs(err, "store", result.ErrClosed)
							return
						}
						mu.Lock()
						stored = append(stored, r)
						mu.Unlock()
						select {
						case ready <- struct{}{}:
						default:
						}
					}
				})
			}
			for range 50 {
				select {
				case <-ready:
				case <-p.ctx.Done():
					p.Fatal("nothing is stored")
				}
			}
			if err := s.Close(p.soon()); err != nil {
				p.Errorf("close: %v", err)
			}
			writers.Wait()
			other := p.client()
			for _, r := range stored {
				p.wantGet(other, r)
			}
		}},
		{"a call whose context has ended does nothing", nil, func(p *probe) {
			s := p.client()
			id := p.id()
			ctx, cancel := context.WithCancel(p.ctx)
			cancel()
			err := s.Store(ctx, of(id, task.Success))
			p.wantIs(err, "store", context.Canceled)
			p.wantIs(err, "store", result.ErrUnavailable)
			if _, err := s.Get(ctx, id); !errors.Is(err, context.Canceled) {
				p.Errorf("get: %v", err)
			}
			p.wantGet(s, of(id, task.Pending))
		}},
	}
}
