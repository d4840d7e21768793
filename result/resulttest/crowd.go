package resulttest

import (
	"errors"
	"fmt"
	"sync"

	"acklab/result"
	"acklab/task"
)

func crowdTests() []test {
	return []test{
		{"stores at the same moment are all kept", nil, func(p *probe) {
			s := p.client()
			const each, all = 50, 16
			ids := make([]string, each*all)
			var writers sync.WaitGroup
			for w := range all {
				writers.Go(func() {
					for i := range each {
						id := p.id()
						ids[w*each+i] = id
						if err := s.Store(p.ctx, try(of(id, task.Success), i)); err != nil {
							p.Errorf("store: %v", err)
						}
					}
				})
			}
			writers.Wait()
			other := p.client()
			for i, id := range ids {
				p.wantGet(other, try(of(id, task.Success), i%each))
			}
		}},
		{"late retries of duplicate runs never undo a result", nil, lateRetries},
	}
}

// lateRetries has many runs of the same tasks write at once, one of them
// successfully, while readers look: what a reader has seen finished stays so.
func lateRetries(p *probe) {
	clients := []result.Store{p.client(), p.client()}
	for round := range 5 {
		id := p.id()
		over := make(chan struct{})
		var readers, writers sync.WaitGroup
		for _, c := range clients {
			readers.Go(func() {
				highest := result.Standing(0)
				for {
					select {
					case <-over:
						return
					default:
					}
					r, err := c.Get(p.ctx, id)
					if err != nil {
						p.Errorf("get: %v", err)
						return
					}
					if r.Standing() < highest {
						p.Errorf("round %d: a reader saw %s of try %d after a state that stands higher", round, r.State, r.Retries)
						return
					}
					highest = r.Standing()
				}
			})
		}
		stored := make(chan int, 16)
		for w := range 16 {
			writers.Go(func() {
				c := clients[w%2]
				for _, r := range run(id, w) {
					err := c.Store(p.ctx, r)
					switch {
					case err == nil && r.State == task.Success:
						stored <- w
					case err == nil, errors.Is(err, result.ErrFinished), errors.Is(err, result.ErrOutdated):
					default:
						p.Errorf("store: %v", err)
					}
				}
			})
		}
		writers.Wait()
		close(over)
		readers.Wait()
		close(stored)
		var winners []int
		for w := range stored {
			winners = append(winners, w)
		}
		got := p.get(clients[0], id)
		if len(winners) != 1 || got.State != task.Success || got.Worker != fmt.Sprint(winners[0]) {
			p.Errorf("round %d: SUCCESS was stored for the runs %v, and the store holds %s of run %s", round, winners, got.State, got.Worker)
		}
	}
}

// run are the states that one run of a task writes: some fail, some succeed, some
// come late with a RETRY.
func run(id string, n int) []result.Result {
	states := []result.Result{of(id, task.Received), of(id, task.Started)}
	switch n % 4 {
	case 0:
		states = append(states, of(id, task.Success), of(id, task.Retry))
	case 1:
		states = append(states, of(id, task.Retry), try(of(id, task.Started), 1), try(of(id, task.Retry), 1))
	case 2:
		states = append(states, of(id, task.Failure), try(of(id, task.Retry), 9))
	case 3:
		states = append(states, try(of(id, task.Started), 2), try(of(id, task.Success), 2), try(of(id, task.Started), 3))
	}
	for i := range states {
		states[i].Worker = fmt.Sprint(n)
	}
	return states
}
