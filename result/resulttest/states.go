package resulttest

import (
	"encoding/json"

	"acklab/result"
	"acklab/task"
)

var (
	finished   = []task.State{task.Success, task.Failure, task.Revoked}
	unfinished = []task.State{task.Pending, task.Received, task.Started, task.Retry}
)

func stateTests() []test {
	return []test{
		{"a life passes through its states", nil, func(p *probe) {
			s := p.client()
			id := p.id()
			for _, r := range []result.Result{
				of(id, task.Pending), of(id, task.Received), of(id, task.Started), of(id, task.Retry),
				try(of(id, task.Received), 1), try(of(id, task.Started), 1), try(of(id, task.Retry), 1),
				try(of(id, task.Started), 2), try(of(id, task.Success), 2),
			} {
				p.store(s, r)
				p.wantGet(s, r)
			}
		}},
		{"a finished state is never replaced by an unfinished one", nil, func(p *probe) {
			s, other := p.client(), p.client()
			for _, last := range finished {
				r := try(of(p.id(), last), 1)
				p.store(s, r)
				for _, late := range unfinished {
					for retries := range 3 {
						p.wantIs(other.Store(p.soon(), try(of(r.TaskID, late), retries)), string(late)+" after "+string(last), result.ErrFinished)
						p.wantGet(s, r)
					}
				}
			}
		}},
		{"the first success stays", nil, func(p *probe) {
			s := p.client()
			r := of(p.id(), task.Success)
			p.store(s, r)
			second := r
			second.Value = json.RawMessage("9")
			for _, late := range []result.Result{second, try(r, 1), of(r.TaskID, task.Failure), of(r.TaskID, task.Revoked)} {
				p.wantIs(s.Store(p.soon(), late), string(late.State)+" after SUCCESS", result.ErrFinished)
				p.wantGet(s, r)
			}
		}},
		{"success replaces failure and revocation", nil, func(p *probe) {
			s := p.client()
			for _, first := range []task.State{task.Failure, task.Revoked} {
				id := p.id()
				p.store(s, try(of(id, first), 3), of(id, task.Success))
				p.wantGet(s, of(id, task.Success))
			}
		}},
		{"the first of failure and revocation stays", nil, func(p *probe) {
			s := p.client()
			for _, first := range []task.State{task.Failure, task.Revoked} {
				for _, second := range []task.State{task.Failure, task.Revoked} {
					r, late := of(p.id(), first), of("", second)
					late.TaskID, late.Error = r.TaskID, result.NewFailure("OtherError", "later")
					p.store(s, r)
					p.wantIs(s.Store(p.soon(), late), string(second)+" after "+string(first), result.ErrFinished)
					p.wantGet(s, r)
				}
			}
		}},
		{"an older try never replaces a newer one", nil, func(p *probe) {
			s := p.client()
			for _, now := range unfinished {
				r := try(of(p.id(), now), 2)
				p.store(s, r)
				for _, late := range unfinished {
					for retries := range 2 {
						p.wantIs(s.Store(p.soon(), try(of(r.TaskID, late), retries)), string(late)+" of an older try after "+string(now), result.ErrOutdated)
						p.wantGet(s, r)
					}
				}
				p.store(s, of(r.TaskID, task.Success)) // a finished state, of whatever try
			}
		}},
		{"within a try an earlier state never replaces a later one", nil, func(p *probe) {
			s := p.client()
			for i, now := range unfinished {
				r := try(of(p.id(), now), 1)
				p.store(s, r)
				for _, late := range unfinished[:i] {
					p.wantIs(s.Store(p.soon(), try(of(r.TaskID, late), 1)), string(late)+" after "+string(now), result.ErrOutdated)
				}
				p.wantGet(s, r)
			}
		}},
		{"the same can be stored again", nil, func(p *probe) {
			s, other := p.client(), p.client()
			for _, state := range task.States() {
				r := of(p.id(), state)
				p.store(s, r, r)
				p.store(other, r)
				p.wantGet(s, r)
			}
		}},
	}
}
