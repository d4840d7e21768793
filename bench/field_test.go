package bench

import (
	"fmt"
	"io"
	"text/tabwriter"
)

// field is everybody who worked off tasks that do nothing, side by side; the
// first is the yardstick.
type field []standing

// standing is one of them; missing says why it was not run.
type standing struct {
	who     string
	laps    laps
	missing error
}

func (f field) print(to io.Writer) {
	if len(f) == 0 {
		return
	}
	fmt.Fprintf(to, "\nno-op tasks completed on the same Redis, in turns: popped, decoded, run, acknowledged\n\n")
	w := tabwriter.NewWriter(to, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "who\ttasks/s\tx of RPOP\tcpu\tround by round")
	for _, s := range f {
		if s.missing == nil {
			r := row{base: f[0].laps, ours: s.laps}
			fmt.Fprintf(w, "%s\t%.0f\t%.3f\t%s\t%s\n", s.who, s.laps.perSecond(), median(r.ratios()), s.laps.cpu(), r.rounds())
		}
	}
	w.Flush()
	for _, s := range f {
		if s.missing != nil {
			fmt.Fprintf(to, "%s: not run, because %v\n", s.who, s.missing)
		}
	}
}
