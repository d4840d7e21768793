package experiments

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"text/tabwriter"
	"time"

	"golang.org/x/sync/errgroup"

	"acklab/internal/check"
	"acklab/internal/ledger"
	"acklab/internal/plant"
)

// selfTest is the suite of the self-test: one cell of each experiment, small.
const selfTest Suite = "self-test"

// impatient is the patience of the self-test: most plants make a trial wait
// for something that never comes.
var impatient = patience{steps: 15 * time.Second, settle: 10 * time.Second}

// SelftestOptions say how to carry out the self-test.
type SelftestOptions struct {
	Self     string // path of this program
	Dir      string // a folder for what it writes
	Progress func(done, total int)
	// Experiments and Plants restrict it; empty: all.
	Experiments, Plants []string
}

// Matrix is the result of a self-test: experiments x plants.
type Matrix struct {
	Experiments []string
	Plants      []string
	cells       map[[2]string]Square
}

// Square is one field of the matrix.
type Square struct {
	// Seen: the experiment did not come out as predicted.
	Seen bool
	// Because says how it was seen, or why it cannot be.
	Because string
	// Excused: it is known that it cannot be seen here.
	Excused bool
	// Fired is how often the plant did something.
	Fired int
}

// At is the square of one experiment and one plant.
func (m Matrix) At(experiment, plant string) Square { return m.cells[[2]string{experiment, plant}] }

// Plants are all planted faults, those of brokers and those of the runner.
func Plants() []string { return slices.Concat(plant.Names, runnerPlants) }

// Selftest carries out every experiment with every plant.
func Selftest(ctx context.Context, o SelftestOptions) (Matrix, error) {
	m := Matrix{Plants: o.Plants, cells: map[[2]string]Square{}}
	if len(m.Plants) == 0 {
		m.Plants = Plants()
	}
	for _, p := range m.Plants {
		if !slices.Contains(Plants(), p) {
			return m, fmt.Errorf("unknown planted fault %q: use one of %s", p, strings.Join(Plants(), ", "))
		}
	}
	var chosen []*Experiment
	for _, e := range Catalogue {
		if len(o.Experiments) == 0 || slices.Contains(o.Experiments, e.Name) {
			m.Experiments = append(m.Experiments, e.Name)
			chosen = append(chosen, e)
		}
	}
	var mu sync.Mutex
	done, total := 0, len(chosen)*len(m.Plants)
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(8) // most plants make a trial wait for what never comes
	for _, p := range m.Plants {
		group.Go(func() error {
			return plantAll(ctx, o, p, chosen, func(e *Experiment, s Square) {
				mu.Lock()
				defer mu.Unlock()
				m.cells[[2]string{e.Name, p}] = s
				done++
				if o.Progress != nil {
					o.Progress(done, total)
				}
			})
		})
	}
	return m, group.Wait()
}

// plantAll tries one plant on every experiment, with servers of its own.
func plantAll(ctx context.Context, o SelftestOptions, name string, chosen []*Experiment, tell func(*Experiment, Square)) error {
	dir := filepath.Join(o.Dir, name)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	r, err := newRunner(ctx, Options{Self: o.Self, Dir: dir})
	if err != nil {
		return err
	}
	defer r.close()
	r.plant, r.patience = name, impatient
	for _, e := range chosen {
		if why := cmp.Or(blind(e.Name, name), noRestart(e, name), noResults(e, name), noScheduler(e, name), noWorkflow(e, name), noOrder(e, name), noRoute(e, name)); why != "" {
			tell(e, Square{Excused: true, Because: why})
			continue
		}
		var square Square
		for number := 1; number <= plantTrials && square.Fired == 0; number++ {
			if square, err = r.tryPlant(ctx, e, name, number); err != nil {
				return fmt.Errorf("planted fault %s in %s: %w", name, e.Name, err)
			}
		}
		tell(e, square)
	}
	return nil
}

// plantTrials is how many trials a plant has to meet what it harms: in one that
// it let go by it was not put to the test.
const plantTrials = 3

// tryPlant carries out one trial of the experiment's cell that this plant can
// harm, and judges it as a run would.
func (r *Runner) tryPlant(ctx context.Context, e *Experiment, name string, number int) (Square, error) {
	cell, err := target(e, name)
	if err != nil {
		return Square{}, err
	}
	if name == plantAnyOutcome {
		return lintPlant(cell), nil
	}
	r.fired.Store(0)
	job := trialJob{experiment: e.Name, cell: cell, steps: cell.Steps, number: number, seed: int64(number)}
	result, err := r.execute(ctx, job)
	if err != nil {
		return Square{}, err
	}
	outcome, reason := check.Outcome(cell.Predicted, []check.Result{result})
	fired, err := r.countFired(job, name)
	return Square{Seen: outcome == "surprise" || outcome == "unsure", Because: outcome + ": " + reason, Fired: fired}, err
}

// countFired adds what the members' ledgers say to what the runner did itself.
// A member whose ledger was damaged by a plant cannot be counted, and need not.
func (r *Runner) countFired(job trialJob, name string) (int, error) {
	fired := int(r.fired.Load())
	_, files, err := ledger.LoadTrial(trialDir(r.dir, job.id()))
	for _, f := range files {
		for _, l := range f.Lines {
			if l.Event == ledger.PlantFired && l.Fault == name {
				fired++
			}
		}
	}
	return fired, err
}

// lintPlant plants a prediction that cannot fail; the lint must refuse it.
func lintPlant(c *Cell) Square {
	bounds := check.Bounds{"lost": {0, c.Load}}
	err := check.CheckBounds(bounds, map[string]string{"lost": "anything may happen"}, c.Load)
	if err == nil {
		return Square{Because: "the lint let it pass", Fired: 1}
	}
	return Square{Seen: true, Because: "refused: " + err.Error(), Fired: 1}
}

// Holes are the squares that neither see nor are excused, or whose plant never
// fired.
func (m Matrix) Holes() []string {
	var holes []string
	for _, e := range m.Experiments {
		for _, p := range m.Plants {
			switch s := m.At(e, p); {
			case s.Excused:
			case s.Fired == 0:
				holes = append(holes, fmt.Sprintf("%s: %s never fired (%s)", e, p, s.Because))
			case !s.Seen:
				holes = append(holes, fmt.Sprintf("%s: %s fired %d times and was not seen (%s)", e, p, s.Fired, s.Because))
			}
		}
	}
	for _, p := range m.Plants {
		if !slices.ContainsFunc(m.Experiments, func(e string) bool { return m.At(e, p).Seen }) {
			holes = append(holes, p+": no experiment sees it")
		}
	}
	return holes
}

// Text is the matrix for people, and below it how each was seen.
func (m Matrix) Text() string {
	var b strings.Builder
	table := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "PLANT\t"+strings.Join(m.Experiments, "\t"))
	for _, p := range m.Plants {
		row := []string{p}
		for _, e := range m.Experiments {
			row = append(row, m.At(e, p).word())
		}
		fmt.Fprintln(table, strings.Join(row, "\t"))
	}
	table.Flush()
	b.WriteString("\n")
	for _, p := range m.Plants {
		for _, e := range m.Experiments {
			s := m.At(e, p)
			fmt.Fprintf(&b, "%s in %s: %s, because %s\n", p, e, s.word(), s.Because)
		}
	}
	return b.String()
}

func (s Square) word() string {
	switch {
	case s.Excused:
		return "cannot see"
	case s.Fired == 0:
		return "NEVER FIRED"
	case s.Seen:
		return "seen"
	}
	return "NOT SEEN"
}
