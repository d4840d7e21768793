package result

// Waiting is how many calls wait for a round trip.
func (g *Gather[Q, A]) Waiting() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return len(g.waiting)
}
