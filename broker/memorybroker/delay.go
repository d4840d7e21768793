package memorybroker

import (
	"cmp"
	"container/heap"
	"time"
)

// delayLate is how late the timer of an idle process may ring.
const delayLate = 20 * time.Millisecond

// delays holds what waits for its ETA, of all queues of a server: a heap with
// the earliest first. It is guarded by Server.mu.
type delays []delayed

type delayed struct {
	item  *item
	queue *queue
}

func (d delays) Len() int      { return len(d) }
func (d delays) Swap(i, j int) { d[i], d[j] = d[j], d[i] }

// Less orders by the ETA, and by arrival where that is the same.
func (d delays) Less(i, j int) bool {
	a, b := d[i].item, d[j].item
	return cmp.Or(a.msg.ETA.Compare(b.msg.ETA), a.place(b)) < 0
}

func (d *delays) Push(x any) { *d = append(*d, x.(delayed)) }

func (d *delays) Pop() any {
	last := len(*d) - 1
	x := (*d)[last]
	(*d)[last] = delayed{}
	*d = (*d)[:last]
	return x
}

// delay keeps an item until its ETA. The caller holds mu.
func (s *Server) delay(q *queue, it *item) {
	s.seq++
	it.seq = s.seq
	q.delayed[it] = struct{}{}
	heap.Push(&s.delays, delayed{it, q})
	if s.delays[0].item == it {
		s.wind()
	}
}

// ring stores what is due, in the order of the ETAs, as if it was published
// now, and sets the alarm for the next. The caller holds mu.
func (s *Server) ring() {
	for len(s.delays) > 0 && !time.Now().Before(s.delays[0].item.msg.ETA) {
		due := heap.Pop(&s.delays).(delayed)
		delete(due.queue.delayed, due.item)
		s.store(due.queue, due.item)
	}
	s.wind()
}

// wind sets the alarm for what is due first. A server without a client has
// none: whoever opens the next one rings. The caller holds mu.
func (s *Server) wind() {
	if s.alarm != nil {
		s.alarm.Stop()
		s.alarm = nil
	}
	if len(s.delays) == 0 || len(s.clients) == 0 {
		return
	}
	s.alarm = time.AfterFunc(time.Until(s.delays[0].item.msg.ETA), func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.ring()
	})
}
