package bench

import (
	"fmt"
	"io"
	"strings"
	"testing"
	"text/tabwriter"
)

// bound is a figure that is to stay below a limit, whatever others do.
type bound struct {
	what   string
	figure float64 // of all rounds together
	limit  float64 // 0: none
	rounds []float64
}

// bounds are what is printed of them.
type bounds []bound

// addBound keeps the figure and reports it under the unit.
func (t *table) addBound(b *testing.B, unit string, one bound) {
	t.bounds = append(t.bounds, one)
	b.ReportMetric(one.figure, unit)
	b.ReportMetric(0, "ns/op")
}

func (all bounds) print(to io.Writer) {
	if len(all) == 0 {
		return
	}
	fmt.Fprintf(to, "\nfigures that have a limit, all rounds together\n\n")
	w := tabwriter.NewWriter(to, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "what\tfigure\twanted\tround by round")
	for _, one := range all {
		fmt.Fprintf(w, "%s\t%.2f\t%s\t%s\n", one.what, one.figure, one.wanted(), one.byRound())
	}
	w.Flush()
}

func (one bound) wanted() string {
	switch {
	case one.limit == 0:
		return ""
	case one.figure >= one.limit:
		return fmt.Sprintf("< %v missed", one.limit)
	}
	return fmt.Sprintf("< %v", one.limit)
}

func (one bound) byRound() string {
	var all []string
	for _, figure := range one.rounds {
		all = append(all, fmt.Sprintf("%.2f", figure))
	}
	return strings.Join(all, " ")
}
