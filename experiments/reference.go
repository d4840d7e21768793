package experiments

import (
	"fmt"
	"strings"
)

// Reference is docs/experiments.md: the catalogue in words, made from the
// catalogue itself.
func Reference() (string, error) {
	plan, err := NewPlan(Choice{What: []string{string(Full)}})
	if err != nil {
		return "", err
	}
	var b strings.Builder
	b.WriteString("# The experiments\n\nMade from the catalogue by `acklab list --markdown`; do not edit.\n")
	for _, e := range plan.Experiments {
		fmt.Fprintf(&b, "\n## %s\n\n%s\n\n", e.Name, e.Question)
		claims := "Claims " + strings.Join(e.Claims, ", ")
		if len(e.Claims) == 0 {
			claims = "It puts no claim to the test"
		}
		fmt.Fprintf(&b, "%s. Varied: %s. Suites: %s.\n\n", claims, e.Varies, strings.Join(e.suiteNames(), ", "))
		b.WriteString("What could make the verdict wrong, and how it is met:\n\n")
		for _, t := range e.Threats {
			fmt.Fprintf(&b, "- %s\n", t)
		}
		b.WriteString("\n| system | setting | trials | predicted | because |\n|---|---|---|---|---|\n")
		for _, c := range e.cells {
			if why := c.NotRun; why != "" && !c.Missing {
				fmt.Fprintf(&b, "| %s | %s | | not run: %s | |\n", c.System.Name, c.Setting, why)
				continue
			}
			fmt.Fprintf(&b, "| %s | %s | %d | %s | %s |\n", c.System.Name, c.Setting, c.Trials, BoundsText(c.Predicted), c.Because)
		}
		for _, c := range e.cells {
			if len(c.Steps) > 0 && c.System.Kind != NoServer {
				fmt.Fprintf(&b, "\nSteps, for %s with %s:\n\n", c.System.Name, c.Setting)
				for i, s := range c.Steps {
					fmt.Fprintf(&b, "%d. %s\n", i+1, s.Name)
				}
				break
			}
		}
	}
	return b.String(), nil
}
