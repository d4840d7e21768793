package doctor

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"
)

// Machine is what this machine offers the laboratory.
type Machine struct {
	// Tools are the programs, in the order of importance.
	Tools []Tool `json:"tools"`
	// Findings are about the machine itself, the worst first.
	Findings []Finding `json:"findings"`
}

// Examine looks for tools and at the machine. It starts each tool once to ask
// for its version, and no server. ctx bounds the asking.
func Examine(ctx context.Context) *Machine {
	m := &Machine{Tools: findTools(ctx), Findings: []Finding{}}
	m.Findings = append(m.Findings, temporaryFolder(os.TempDir())...)
	m.Findings = append(m.Findings, loopbackPorts()...)
	m.Findings = append(m.Findings, openFiles(ctx)...)
	m.Findings = append(m.Findings, cores()...)
	m.Findings = append(m.Findings, clock()...)
	worstFirst(m.Findings)
	return m
}

// Missing are the names of the tools that are needed and not there.
func (m *Machine) Missing() []string {
	var names []string
	for _, t := range m.Tools {
		if t.Needed && t.Missing != "" {
			names = append(names, t.Name)
		}
	}
	return names
}

// WriteText writes the machine for people. built maps a claim to the
// experiment that puts it to the test.
func (m *Machine) WriteText(w io.Writer, built map[string]string) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "TOOL\tVERSION\tWHERE\tFOR")
	for _, t := range m.Tools {
		state := cmp.Or(t.Version, "unknown")
		if t.Missing != "" {
			state = "missing"
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\n", t.Name, state, cmp.Or(t.Path, "-"), t.For)
	}
	if err := table.Flush(); err != nil {
		return err
	}
	for _, t := range m.Tools {
		if t.Missing != "" {
			need := "optional"
			if t.Needed {
				need = "needed"
			}
			fmt.Fprintf(w, "\nmissing  %s (%s): %s\n         get it with: %s\n", t.Name, need, t.Missing, t.Install)
		}
	}
	fmt.Fprintln(w)
	if err := writeFindings(w, m.Findings, built); err != nil {
		return err
	}
	verdict := "everything that is needed is there"
	if missing := m.Missing(); len(missing) > 0 {
		verdict = "needed and missing: " + strings.Join(missing, ", ") + " (make lab installs all of them)"
	}
	_, err := fmt.Fprintln(w, "\n"+verdict)
	return err
}

// WriteJSON writes the machine as indented JSON.
func (m *Machine) WriteJSON(w io.Writer) error { return writeJSON(w, m) }
