package observe

import (
	"fmt"
	"math"
	"time"

	"acklab/internal/ledger"
)

// slack is how far apart a process may write a line and count it: two
// statements, between which it may be taken off the processor.
const slack = 20 * time.Millisecond

// lastScrape is the last scrape that got something from a process, on the
// monotonic clock.
type lastScrape struct {
	begin, end int64
	sampled    bool
}

// differences compares the counters of each process, as Prometheus saw them
// last, with its ledger.
func (w *Watch) differences(t ledger.Trial, files map[string]ledger.File) []Difference {
	var all []Difference
	for _, p := range t.Processes {
		file, ok := files[p.File]
		instance := w.instance(p.Name)
		if instance == "" || !ok {
			continue
		}
		scrape := w.lastScrape(instance)
		for i, c := range counted {
			moments := momentsOf(file, c.event)
			seen := w.seenLast(i, instance)
			if int(seen) == len(moments) {
				continue
			}
			all = append(all, Difference{
				What: c.what + ", by " + p.Name, Prometheus: seen, Ledger: float64(len(moments)),
				Why: w.why(p, scrape, seen, moments),
			})
		}
	}
	return all
}

// why says what explains the difference, if it does: that the process ended
// after its last scrape, and had by then written what that scrape saw.
func (w *Watch) why(p ledger.Process, s lastScrape, seen float64, moments []int64) string {
	ended := "ended"
	if p.Signal == 9 {
		ended = "was killed"
	}
	lived := float64(p.End-p.Start) / 1e9
	switch {
	case p.End == 0:
		return "unexplained: the end of the process was not seen"
	case !s.sampled && lived < 2*w.interval.Seconds():
		return fmt.Sprintf("the process lived %s, and no scrape fell into that; they are %s apart", inWords(lived), inWords(w.interval.Seconds()))
	case !s.sampled:
		return fmt.Sprintf("unexplained: no scrape got anything from it, though it lived %s", inWords(lived))
	}
	margin := w.clock.within + int64(slack)
	low, high := upTo(moments, s.begin-margin), upTo(moments, s.end+margin)
	if n := int(seen); p.End < s.begin-margin || n < low || n > high {
		return fmt.Sprintf("unexplained: at the last scrape that got anything, %s before the process %s, the ledger had %s lines",
			inWords(float64(p.End-s.begin)/1e9), ended, span(low, high))
	}
	return fmt.Sprintf("it %s %s after the last scrape, when the ledger had %s: a counter dies with its process and is last seen at the last scrape, the ledger is written at each event",
		ended, inWords(float64(p.End-s.begin)/1e9), span(low, high))
}

// instance is the target of a process; empty: it had none.
func (w *Watch) instance(process string) string {
	for instance, name := range w.names {
		if name == process {
			return instance
		}
	}
	return ""
}

// lastScrape finds the last sample of up that is 1, and how long that scrape
// took.
func (w *Watch) lastScrape(instance string) lastScrape {
	var s lastScrape
	var at float64
	for _, up := range of(w.seen.ups, instance) {
		for _, one := range up.Samples {
			if one.value == 1 {
				at, s.sampled = one.at, true
			}
		}
	}
	s.begin = w.clock.mono(at)
	s.end = s.begin
	for _, took := range of(w.seen.took, instance) {
		for _, one := range took.Samples {
			if one.at == at {
				s.end = s.begin + int64(one.value*1e9)
			}
		}
	}
	return s
}

// seenLast is the counter, over all its labels, at its last scrape.
func (w *Watch) seenLast(counter int, instance string) float64 {
	if counter >= len(w.seen.counters) {
		return 0
	}
	var at, sum float64
	for _, l := range of(w.seen.counters[counter], instance) {
		at = math.Max(at, l.last().at)
	}
	for _, l := range of(w.seen.counters[counter], instance) {
		if l.last().at == at {
			sum += l.last().value
		}
	}
	return sum
}

// of are the series of one target.
func of(m matrix, instance string) matrix {
	var found matrix
	for _, l := range m {
		if l.Labels["instance"] == instance {
			found = append(found, l)
		}
	}
	return found
}

// momentsOf are the times of the lines of the event, in order.
func momentsOf(f ledger.File, event ledger.Event) []int64 {
	var moments []int64
	for _, l := range f.Lines {
		if l.Event == event {
			moments = append(moments, l.Mono)
		}
	}
	return moments
}

func upTo(moments []int64, end int64) int {
	n := 0
	for _, m := range moments {
		if m <= end {
			n++
		}
	}
	return n
}

func span(low, high int) string {
	if low == high {
		return fmt.Sprint(low)
	}
	return fmt.Sprintf("%d to %d", low, high)
}

func inWords(seconds float64) string {
	return time.Duration(seconds * 1e9).Round(time.Millisecond).String()
}
