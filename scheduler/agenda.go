package scheduler

import "container/heap"

// agenda has the entries that have something to do, the soonest first.
type agenda []*entry

// Len implements heap.Interface, as the next four do.
func (a agenda) Len() int           { return len(a) }
func (a agenda) Less(i, j int) bool { return a[i].wake.Before(a[j].wake) }
func (a agenda) Swap(i, j int) {
	a[i], a[j] = a[j], a[i]
	a[i].place, a[j].place = i, j
}
func (a *agenda) Push(x any) {
	e := x.(*entry)
	e.place = len(*a)
	*a = append(*a, e)
}
func (a *agenda) Pop() any {
	old := *a
	e := old[len(old)-1]
	e.place = -1
	old[len(old)-1] = nil
	*a = old[:len(old)-1]
	return e
}

// put gives the entry its place, or none.
func (a *agenda) put(e *entry) {
	e.rouse()
	switch {
	case e.wake.IsZero() || e.gone:
		a.drop(e)
	case e.place < 0:
		heap.Push(a, e)
	default:
		heap.Fix(a, e.place)
	}
}

func (a *agenda) drop(e *entry) {
	if e.place >= 0 {
		heap.Remove(a, e.place)
	}
}
