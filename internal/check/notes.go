package check

import "fmt"

// notes gathers findings: of each kind the first in full and a number, so that
// ten thousand lines with one fault make one sentence.
type notes struct {
	kinds []string
	first map[string]string
	count map[string]int
}

// add notes a finding that stands for itself.
func (n *notes) add(format string, args ...any) { n.like(fmt.Sprintf(format, args...), "") }

// like notes a finding of a kind; detail says which one it is.
func (n *notes) like(kind, detail string) {
	if n.first == nil {
		n.first, n.count = map[string]string{}, map[string]int{}
	}
	if n.count[kind] == 0 {
		n.kinds = append(n.kinds, kind)
		n.first[kind] = detail
	}
	n.count[kind]++
}

// sentences are the findings, in the order in which their kinds were found.
func (n *notes) sentences() []string {
	var all []string
	for _, kind := range n.kinds {
		s := kind
		if d := n.first[kind]; d != "" {
			s += ": " + d
		}
		if more := n.count[kind] - 1; more > 0 && n.first[kind] != "" {
			s += fmt.Sprintf(" (and %d more)", more)
		}
		all = append(all, s)
	}
	return all
}
