package check

import "fmt"

// The outcomes of a cell against its own prediction.
const (
	AsPredicted = "as predicted"
	Surprise    = "surprise"
	Doubtful    = "unsure" // the word in reports; Unsure names a field and an event
	NotRun      = "not run"
)

// Outcome compares the trials of a cell with its prediction. It is a surprise
// when any trial that counts leaves the bounds or has a finding in Broken;
// else unsure when any trial does not count; else as predicted. Without trials
// it is not run. The reason names the first trial that decided and how many
// there were; it is empty when all is as predicted.
//
// What an unsure trial shows is no surprise, however bad: evidence that is
// damaged can show anything. Its findings stand in the reason.
func Outcome(b Bounds, trials []Result) (outcome, reason string) {
	if len(trials) == 0 {
		return NotRun, "no trials"
	}
	var surprises, doubts tally
	for i, r := range trials {
		if len(r.Unsure) > 0 {
			doubts.note(i, append(r.Unsure[:1:1], r.Broken...))
			continue
		}
		surprises.note(i, append(r.Broken[:len(r.Broken):len(r.Broken)], Within(b, r)...))
	}
	switch {
	case surprises.n > 0:
		return Surprise, surprises.text(len(trials))
	case doubts.n > 0:
		return Doubtful, doubts.text(len(trials))
	}
	return AsPredicted, ""
}

// tally keeps the first of several trials that have something to say.
type tally struct {
	n     int
	first string
}

func (t *tally) note(trial int, sentences []string) {
	if len(sentences) == 0 {
		return
	}
	if t.n++; t.n == 1 {
		t.first = fmt.Sprintf("trial %d: %s", trial+1, sentences[0])
		for _, s := range sentences[1:] {
			t.first += "; " + s
		}
	}
}

// text is the first, and in how many trials.
func (t *tally) text(trials int) string {
	if trials == 1 {
		return t.first
	}
	return fmt.Sprintf("%s (%d of %d trials)", t.first, t.n, trials)
}

// Clean says what went wrong in a control: a trial of the same cell without
// its fault. Nothing may be in doubt, missing, repeated or left behind; what
// the load itself asks for (failures, retries, expiry, what is called off after a
// failure) is no objection. nil: it ran clean.
func Clean(r Result) []string {
	out := append(r.Unsure[:len(r.Unsure):len(r.Unsure)], r.Broken...)
	for _, name := range []string{
		"refused", "unsure", "phantom", "unexpected", "stranded", "lost", "unaccounted",
		"repeated", "redelivered", "copied", "leftover", "result_lost",
	} {
		if v := violation(name, 0, 0, r); v != "" {
			out = append(out, fmt.Sprintf("%s %d without a fault", name, r.Counts[name]))
		}
	}
	n := r.Counts["never_sent"]
	if r.Counts["failed"]+r.Counts["dead"]+r.Counts["expired"]+r.Counts["revoked"] > 0 {
		n -= r.Counts["called_off"]
	}
	if n > 0 {
		out = append(out, fmt.Sprintf("never_sent %d without a fault", n))
	}
	return out
}
