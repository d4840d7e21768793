package main

import (
	"os"

	"github.com/spf13/cobra"

	"acklab/internal/minder"
)

func newMinder() *cobra.Command {
	return &cobra.Command{
		Use:    "minder",
		Short:  "Parent of every process of a run; ends all of them when the run ends in whatever way",
		Hidden: true,
		Args:   noWords,
		RunE:   func(*cobra.Command, []string) error { return minder.Main(os.Stdin, os.Stdout) },
	}
}
