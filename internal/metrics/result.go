package metrics

// ResultOutcome is what became of a state that was offered to a result store.
type ResultOutcome string

// The outcomes of an offer.
const (
	Stored     ResultOutcome = "stored"
	Superseded ResultOutcome = "superseded" // a later or finished state was there
	LostResult ResultOutcome = "lost"       // the store did not take it in time
)

// ResultKept counts a state that was offered to the result store.
func (m *Metrics) ResultKept(outcome ResultOutcome) {
	if m != nil {
		m.results.WithLabelValues(string(outcome)).Inc()
	}
}
