package main

import (
	"context"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"acklab/experiments"
)

func newSelftest() *cobra.Command {
	var only, plants string
	cmd := &cobra.Command{
		Use:   "selftest",
		Short: "Plant faults in the laboratory itself and show that each experiment sees them",
		Long: "Carry out each experiment with each planted fault in place: a publish dropped after its confirm, an acknowledgement\n" +
			"for a neighbour's delivery, a torn ledger, a fault that never happened... Each must be seen, or it is said why it\n" +
			"cannot be. Exit status 1: the laboratory has a hole.",
		Args: noWords,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return selftest(cmd.Context(), splitList(only), splitList(plants))
		},
	}
	cmd.Flags().StringVar(&only, "experiments", "", "only these experiments, by name")
	cmd.Flags().StringVar(&plants, "plants", "", "only these plants, by name")
	return cmd
}

func selftest(parent context.Context, only, plants []string) error {
	ctx, _, end := stopSignals(parent)
	defer end()
	self, err := os.Executable()
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "acklab-selftest-")
	if err != nil {
		return fmt.Errorf("make a folder for the self-test: %w", err)
	}
	defer os.RemoveAll(dir)
	bar := newCounter(os.Stderr, "planted faults tried:", 0)
	defer bar.end()
	matrix, err := experiments.Selftest(ctx, experiments.SelftestOptions{Self: self, Dir: dir, Experiments: only, Plants: plants, Progress: bar.setOf})
	bar.end()
	if err != nil {
		if ctx.Err() != nil {
			return &status{code: exitInterrupted, err: fmt.Errorf("interrupted")}
		}
		return err
	}
	fmt.Print(matrix.Text())
	if holes := matrix.Holes(); len(holes) > 0 {
		return &status{code: 1, err: fmt.Errorf("the laboratory has %d holes: %s", len(holes), holes[0])}
	}
	return nil
}
