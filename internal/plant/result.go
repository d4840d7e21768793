package plant

import (
	"context"

	"acklab/result"
)

// WrapResults is s with the plant in it. A nil plant, or one that is not about
// results, changes nothing; nor is there anything to change without a store.
func (p *Plant) WrapResults(s result.Store) result.Store {
	switch {
	case p == nil || s == nil:
		return s
	case p.name == ResultDropped:
		return &dropping{store: s, fired: p.fired}
	case p.name == JoinedTwice:
		return &generous{store: s, plant: p}
	}
	return s
}

// dropping is a store that says that it has taken a result and has not.
type dropping struct {
	store
	fired func()
}

// store is embedded by a name that is not its method's.
type store = result.Store

// Store implements result.Store.
func (d *dropping) Store(context.Context, result.Result) error {
	d.fired()
	return nil
}
