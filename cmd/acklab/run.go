package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"acklab/experiments"
	"acklab/internal/metrics"
	"acklab/internal/report"
)

type runFlags struct {
	systems     string
	seed        int64
	trials      int
	parallel    int
	out         string
	dryRun      bool
	metricsAddr string
}

func newRun() *cobra.Command {
	var f runFlags
	cmd := &cobra.Command{
		Use:   "run [NAME|CLAIM|GROUP|SUITE]...",
		Short: "Carry out experiments and say what holds",
		Long: "Carry out experiments: by name, claim (B2), group of claims (B) or suite (smoke, quick, flagship, full).\n" +
			"Without a word: quick. Every server and process is started for the run and gone after it.",
		RunE: func(cmd *cobra.Command, args []string) error { return runRun(cmd.Context(), &f, args) },
	}
	cmd.Flags().StringVar(&f.systems, "systems", "", "only these systems: "+strings.Join(experiments.SystemNames(), ","))
	cmd.Flags().Int64Var(&f.seed, "seed", 1, "where the seeds of the trials begin")
	cmd.Flags().IntVar(&f.trials, "trials", 0, "trials of each cell; 0: as each experiment says")
	cmd.Flags().IntVar(&f.parallel, "parallel", 0, "trials side by side where nothing is timed; 0: two a core, at least 4")
	cmd.Flags().StringVar(&f.out, "out", "runs", "folder that the run's folder is made in")
	cmd.Flags().StringVar(&f.metricsAddr, metrics.Flag[2:], "127.0.0.1:0", "address of /metrics of the run; port 0 picks a free one, empty: none")
	cmd.Flags().BoolVar(&f.dryRun, "dry-run", false, "print what would be done, and do nothing")
	return cmd
}

func runRun(parent context.Context, f *runFlags, what []string) error {
	if f.parallel < 0 {
		return fmt.Errorf("--parallel %d: use 1 or more", f.parallel)
	}
	plan, err := experiments.NewPlan(experiments.Choice{What: what, Systems: splitList(f.systems), Trials: f.trials})
	if err != nil {
		return err
	}
	if f.dryRun {
		printPlan(os.Stdout, plan)
		return nil
	}
	unlock, err := lockRuns(f.out)
	if err != nil {
		return err
	}
	defer unlock()
	ctx, _, end := stopSignals(parent)
	defer end()
	self, err := os.Executable()
	if err != nil {
		return err
	}
	registry := prometheus.NewRegistry()
	gauges := metrics.New(registry)
	shownAt := ""
	if f.metricsAddr != "" {
		server, err := metrics.Serve(ctx, f.metricsAddr, registry)
		if err != nil {
			return err
		}
		defer server.Close()
		shownAt = server.Addr()
	}
	if why := plan.Unobserved(); why != "" {
		fmt.Fprintln(os.Stderr, why)
	}
	dir, err := makeRunDir(f.out, what)
	if err != nil {
		return err
	}
	run, err := experiments.Run(ctx, plan, experiments.Options{
		Self: self, Dir: dir, Seed: f.seed, Parallel: f.parallel, Progress: newRunProgress(os.Stderr), Metrics: gauges, MetricsAddr: shownAt,
	})
	if err != nil {
		if ctx.Err() != nil {
			return &status{code: exitInterrupted, err: fmt.Errorf("interrupted; what was written is in %s", dir)}
		}
		return &status{code: 2, err: fmt.Errorf("the run could not go on: %w; what was written is in %s", err, dir)}
	}
	fmt.Println(report.AnswerTable(run))
	fmt.Printf("report: %s\n", filepath.Join(dir, "index.html"))
	return outcomeStatus(run)
}

// outcomeStatus is the exit status of a run.
func outcomeStatus(run report.Run) error {
	if code := experiments.ExitStatus(run); code != 0 {
		return &status{code: code}
	}
	return nil
}

// lockRuns refuses a second run that would write below the same folder, and
// disturb the measurements of the first.
func lockRuns(out string) (unlock func(), err error) {
	if err := os.MkdirAll(out, 0o755); err != nil {
		return nil, fmt.Errorf("make the folder for runs: %w; choose another with --out", err)
	}
	file, err := os.OpenFile(filepath.Join(out, ".lock"), os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, fmt.Errorf("lock the folder for runs: %w; choose another with --out", err)
	}
	if err := unix.Flock(int(file.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		file.Close()
		if errors.Is(err, unix.EWOULDBLOCK) {
			return nil, fmt.Errorf("another run is writing to %s and would be disturbed: wait for it, or stop it", out)
		}
		return nil, fmt.Errorf("lock the folder %s: %w", out, err)
	}
	return func() { file.Close() }, nil
}

// makeRunDir makes the run's folder and points latest to it.
func makeRunDir(out string, what []string) (string, error) {
	if len(what) == 0 {
		what = []string{string(experiments.Quick)}
	}
	name := time.Now().Format("20060102-150405") + "-" + strings.Join(what, "-")
	name = name[:min(len(name), 80)]
	dir := filepath.Join(out, name)
	for n := 2; ; n++ {
		err := os.Mkdir(dir, 0o755)
		if err == nil {
			break
		}
		if !errors.Is(err, os.ErrExist) {
			return "", fmt.Errorf("make the run's folder: %w; choose another place with --out", err)
		}
		dir = filepath.Join(out, fmt.Sprintf("%s-%d", name, n))
	}
	latest := filepath.Join(out, "latest")
	os.Remove(latest)
	if err := os.Symlink(filepath.Base(dir), latest); err != nil {
		return "", fmt.Errorf("point runs/latest to the run: %w", err)
	}
	return dir, nil
}

func printPlan(w io.Writer, plan experiments.Plan) {
	for _, e := range plan.Experiments {
		fmt.Fprintf(w, "%s (%s): %s\n", e.Name, strings.Join(e.Claims, ", "), e.Question)
		for _, c := range e.Cells() {
			if c.NotRun != "" {
				fmt.Fprintf(w, "  %-16s %s  not run: %s\n", c.System.Name, c.Setting, c.NotRun)
				continue
			}
			fmt.Fprintf(w, "  %-16s %s  %d trials, predicted %s\n", c.System.Name, c.Setting, c.Trials, experiments.BoundsText(c.Predicted))
		}
		if cells := e.Cells(); len(cells) > 0 {
			printSteps(w, cells)
		}
	}
	fmt.Fprintf(w, "about %s\n", time.Duration(plan.Seconds(2)*float64(time.Second)).Round(time.Second))
}

// printSteps shows the procedure of the first cell that is run.
func printSteps(w io.Writer, cells []*experiments.Cell) {
	i := slices.IndexFunc(cells, func(c *experiments.Cell) bool { return c.NotRun == "" && len(c.Steps) > 0 })
	if i < 0 {
		return
	}
	fmt.Fprintf(w, "  steps, for %s %s:\n", cells[i].System.Name, cells[i].Setting)
	for n, s := range cells[i].Steps {
		fmt.Fprintf(w, "    %d. %s\n", n+1, s.Name)
	}
}
