package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"acklab"
	"acklab/experiments"
	"acklab/internal/report"
)

func newCompare() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "compare RUN RUN",
		Short: "Say what differs between two runs",
		Long: "Say what differs between two runs: verdicts, versions of servers, outcomes, counts that leave what the other run predicted or\n" +
			"counted, measures (as a ratio), cells that one of them alone has.\n\n" +
			"RUN is the folder of a run, \"latest\" (runs/latest) or \"reference\", the reference run that is kept with the source.\n" +
			"Exit status: 0 the verdicts are the same, 1 they are not, 64 wrong input. A claim of which one run alone speaks is named\n" +
			"and does not count.",
		Args: twoWords("compare needs two runs, each a folder, latest or reference: acklab compare latest reference"),
		RunE: func(cmd *cobra.Command, args []string) error {
			a, err := loadRun(args[0])
			if err != nil {
				return err
			}
			b, err := loadRun(args[1])
			if err != nil {
				return err
			}
			c := report.Compare(args[0], a, args[1], b)
			if asJSON {
				out := json.NewEncoder(os.Stdout)
				out.SetIndent("", "  ")
				if err := out.Encode(c); err != nil {
					return fmt.Errorf("print the comparison: %w", err)
				}
			} else {
				fmt.Print(c.Text())
			}
			if !c.Same {
				return &status{code: 1}
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "as JSON")
	return cmd
}

// loadRun reads a run by what a person calls it: a folder, latest, reference.
func loadRun(name string) (report.Run, error) {
	switch name {
	case "reference":
		return report.Parse(acklab.ReferenceReport, "the reference run")
	case "latest":
		return report.Load(filepath.Join("runs", "latest"))
	}
	return report.Load(name)
}

// newReference makes the reference run out of a run. It is for those who
// maintain the repository.
func newReference() *cobra.Command {
	return &cobra.Command{
		Use:    "reference RUN DIR",
		Short:  "Make a reference run out of a run: a small report.json and report.md",
		Hidden: true,
		Args:   twoWords("reference needs the folder of a run and where to write: acklab reference latest docs/reference-run"),
		RunE: func(_ *cobra.Command, args []string) error {
			run, err := loadRun(args[0])
			if err != nil {
				return err
			}
			return report.SaveReference(args[1], run)
		},
	}
}

// newReadme writes the tables of the README anew. It is for those who maintain
// the repository.
func newReadme() *cobra.Command {
	return &cobra.Command{
		Use:    "readme README DIR",
		Short:  "Write the tables of the README anew, from the reference run in DIR",
		Hidden: true,
		Args:   twoWords("readme needs the README and the folder of the reference run: acklab readme README.md docs/reference-run"),
		RunE: func(_ *cobra.Command, args []string) error {
			was, err := os.ReadFile(args[0])
			if err != nil {
				return fmt.Errorf("read the README: %w", err)
			}
			below, err := filepath.Rel(filepath.Dir(args[0]), args[1])
			if err != nil {
				return fmt.Errorf("link from %s to %s: %w", args[0], args[1], err)
			}
			now, err := readme(string(was), args[1], below)
			if err != nil {
				return err
			}
			if err := os.WriteFile(args[0], []byte(now), 0o644); err != nil {
				return fmt.Errorf("write the README: %w", err)
			}
			return nil
		},
	}
}

// readme is the README with its tables made from the reference run in dir,
// which lies below the README's folder at link.
func readme(text, dir, link string) (string, error) {
	run, err := report.Load(dir)
	if err != nil {
		return "", err
	}
	return report.Readme(text, run, experiments.Material, filepath.ToSlash(filepath.Join(link, "report.md")))
}
