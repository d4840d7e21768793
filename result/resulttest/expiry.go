package resulttest

import (
	"fmt"
	"time"

	"acklab/result"
	"acklab/task"
)

// short is long enough to read a result before it expires.
const short = time.Second

func expiryTests() []test {
	return []test{
		{"a result expires", nil, func(p *probe) {
			brief, lasting := p.open(result.Options{Expires: short}), p.open(result.Options{Expires: -1})
			if got := brief.Traits(p.soon()).Expires; got != short {
				p.Errorf("traits say it expires after %v", got)
			}
			if got := lasting.Traits(p.soon()).Expires; got != 0 {
				p.Errorf("traits of a store without expiry say it expires after %v", got)
			}
			r, kept := of(p.id(), task.Success), of(p.id(), task.Success)
			p.store(lasting, kept)
			stored := time.Now()
			p.store(brief, r)
			if got := p.get(brief, r.TaskID); got.State != task.Success && time.Since(stored) < short/2 {
				p.Errorf("%v after it was stored it reads %s", time.Since(stored), got.State)
			}
			p.until("it has expired", func() error {
				if got := p.get(lasting, r.TaskID); got.State != task.Pending {
					return fmt.Errorf("it reads %s", got.State)
				}
				return nil
			})
			if age := time.Since(stored); age < short*9/10 {
				p.Errorf("it has expired after %v", age)
			}
			p.wantGet(brief, kept)
		}},
		{"what has expired is in nobody's way", nil, func(p *probe) {
			s := p.open(result.Options{Expires: 50 * time.Millisecond})
			id := p.id()
			p.store(s, of(id, task.Success))
			p.until("a STARTED is stored again", func() error { return s.Store(p.soon(), of(id, task.Started)) })
		}},
		{"each state that is stored lives anew", nil, func(p *probe) {
			brief, lasting := p.open(result.Options{Expires: short}), p.open(result.Options{Expires: -1})
			id := p.id()
			p.store(brief, of(id, task.Started))
			p.store(lasting, of(id, task.Success))
			gone := time.NewTimer(short + short/2) // for the first to expire
			<-gone.C
			p.wantGet(brief, of(id, task.Success))
		}},
	}
}
