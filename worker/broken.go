package worker

import "sync"

// manyChords is how many broken chords a worker remembers.
const manyChords = 1024

// brokenChords are the chords that this worker has called off without counting their
// members: each of these would do it again. It remembers the latest. The zero value
// has none.
type brokenChords struct {
	mu     sync.Mutex
	known  map[string]bool
	oldest []string
}

func (b *brokenChords) has(group string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.known[group]
}

func (b *brokenChords) add(group string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.known == nil {
		b.known = map[string]bool{}
	}
	if b.known[group] {
		return
	}
	b.known[group] = true
	if b.oldest = append(b.oldest, group); len(b.oldest) > manyChords {
		delete(b.known, b.oldest[0])
		b.oldest = b.oldest[1:]
	}
}
