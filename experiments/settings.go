package experiments

import (
	"errors"
	"fmt"
	"strings"

	"acklab/internal/check"
)

// Advice is one thing to set so that no confirmed task is lost, with the cells
// that speak for it. The advice itself is in settings_advice.go.
type Advice struct {
	// Where it is set, what, and why, in the words of whoever sets it.
	Where, Set, Because string
	// With are cells that have it and are predicted to lose nothing; at least
	// one. Without are cells that lack it and are predicted to lose; none where
	// it is no matter of loss, or where no cell goes without it.
	With, Without []CellRef
}

// Price is what following the advice costs, with a cell that shows it.
type Price struct {
	Costs string
	// Count is the count that is above zero in Cell, while nothing is lost.
	Count string
	Cell  CellRef
}

// Section is the advice for one system.
type Section struct {
	Title  string
	Advice []Advice
	Prices []Price
}

// CellRef names the one cell of an experiment and a system whose setting has
// all of Setting; it may have more.
type CellRef struct {
	Experiment, System string
	Setting            Setting
}

// SettingsPage is docs/settings.md: what to set so that nothing is lost. An
// error names every reference to a cell that is not there, not run, or that
// predicts something else than the advice says.
func SettingsPage() (string, error) { return settingsPage(Settings) }

func settingsPage(sections []Section) (string, error) {
	plan, err := NewPlan(Choice{What: []string{string(Full)}})
	if err != nil {
		return "", err
	}
	p := settingsPrinter{plan: plan}
	p.text.WriteString(settingsIntroduction)
	for _, s := range sections {
		p.section(s)
	}
	return p.text.String(), errors.Join(p.errs...)
}

const settingsIntroduction = `# What to set so that nothing is lost

Made from the catalogue by ` + "`acklab list --settings`" + `; do not edit.

Each line names the cells of [the experiments](experiments.md) that speak for it: with the setting they are predicted to lose none of the tasks that the broker had confirmed, without it they are predicted to lose some. A run compares these predictions with what it counts, on your machine and your versions (` + "`bin/acklab run NAME`" + `, exit status 1 for a surprise). What has no cell yet has no line here; that it is missing says nothing about it.
`

// settingsPrinter writes the page and collects what is wrong with it.
type settingsPrinter struct {
	plan Plan
	text strings.Builder
	errs []error
}

func (p *settingsPrinter) section(s Section) {
	fmt.Fprintf(&p.text, "\n## %s\n\n| where | set | because | with it | without it |\n|---|---|---|---|---|\n", s.Title)
	for _, a := range s.Advice {
		with, without := p.cells(a, a.With, losesNothing), p.cells(a, a.Without, losesSome)
		if len(a.With) == 0 {
			p.wrong(a.Set, errors.New("no cell speaks for it"))
		}
		fmt.Fprintf(&p.text, "| %s | %s | %s | %s | %s |\n", a.Where, a.Set, a.Because, with, without)
	}
	if len(s.Prices) == 0 {
		return
	}
	p.text.WriteString("\nThe price:\n\n")
	for _, price := range s.Prices {
		p.price(price)
	}
}

func (p *settingsPrinter) price(price Price) {
	c, err := p.cell(price.Cell)
	if err != nil {
		p.wrong(price.Costs, err)
		return
	}
	if err := losesNothing(c); err != nil {
		p.wrong(price.Costs, fmt.Errorf("%s: %w", price.Cell, err))
	}
	if c.Predicted[price.Count][1] == 0 {
		p.wrong(price.Costs, fmt.Errorf("%s is predicted to have no %s", price.Cell, price.Count))
	}
	fmt.Fprintf(&p.text, "- %s (%s: %s)\n", price.Costs, linked(price.Cell, c), BoundsText(check.Bounds{price.Count: c.Predicted[price.Count]}))
}

// cells are links to the cells and what they lose, each judged by right.
func (p *settingsPrinter) cells(a Advice, refs []CellRef, right func(*Cell) error) string {
	var said []string
	for _, ref := range refs {
		c, err := p.cell(ref)
		if err == nil {
			err = right(c)
			said = append(said, linked(ref, c)+": "+lossText(c))
		}
		if err != nil {
			p.wrong(a.Set, fmt.Errorf("%s: %w", ref, err))
		}
	}
	if len(said) == 0 {
		return "-"
	}
	return strings.Join(said, "<br>")
}

func (p *settingsPrinter) wrong(what string, err error) {
	p.errs = append(p.errs, fmt.Errorf("settings, %q: %w", what, err))
}

// cell finds the one cell that the reference means.
func (p *settingsPrinter) cell(ref CellRef) (*Cell, error) {
	var found []*Cell
	for e, c := range p.plan.each() {
		if e.Name == ref.Experiment && c.System.Name == ref.System && c.Setting.has(ref.Setting) {
			found = append(found, c)
		}
	}
	switch {
	case len(found) == 0:
		return nil, errors.New("there is no such cell")
	case len(found) > 1:
		return nil, fmt.Errorf("%d cells are like this: name more of the setting", len(found))
	case found[0].NotRun != "" && !found[0].Missing:
		return nil, fmt.Errorf("the cell is not run: %s", found[0].NotRun)
	}
	return found[0], nil
}

// has tells whether s says all that part says.
func (s Setting) has(part Setting) bool {
	for k, v := range part {
		if s[k] != v {
			return false
		}
	}
	return true
}

func (r CellRef) String() string {
	return strings.TrimSpace(fmt.Sprintf("%s, %s %s", r.Experiment, r.System, r.Setting))
}

// losesNothing: what is not mentioned is predicted to be zero.
func losesNothing(c *Cell) error {
	if lost := c.Predicted["lost"]; lost != [2]int{} {
		return fmt.Errorf("it is predicted to lose %s", lossText(c))
	}
	return nil
}

func losesSome(c *Cell) error {
	if c.Predicted["lost"][1] == 0 {
		return errors.New("it is predicted to lose nothing")
	}
	return nil
}

// lossText is how many of the cell's tasks are predicted to be lost; a bound
// may lie above what there is to lose.
func lossText(c *Cell) string {
	lost := c.Predicted["lost"]
	lost[1] = min(lost[1], c.Load)
	switch {
	case lost == [2]int{}:
		return fmt.Sprintf("0 of %d", c.Load)
	case lost[0] == lost[1]:
		return fmt.Sprintf("%d of %d", lost[0], c.Load)
	default:
		return fmt.Sprintf("%d to %d of %d", lost[0], lost[1], c.Load)
	}
}

// linked is the cell with a link to its experiment in docs/experiments.md,
// with its system where it is not that of the section.
func linked(ref CellRef, c *Cell) string {
	setting := c.Setting.String()
	if c.System.Kind == NoServer || c.System.Celery {
		setting = c.System.Name + " " + setting
	}
	return fmt.Sprintf("[%s](experiments.md#%s) %s", ref.Experiment, ref.Experiment, setting)
}
