package main

import (
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"acklab/experiments"
	"acklab/internal/ledger"
	"acklab/internal/report"
)

func newExplain() *cobra.Command {
	return &cobra.Command{
		Use:   "explain RUN TASK-ID",
		Short: "Tell one task's life, from the ledgers of a run",
		Args:  twoWords("explain needs the folder of a run and a task id: acklab explain runs/latest 3f2a"),
		RunE: func(_ *cobra.Command, args []string) error {
			trial, id, err := report.FindTask(args[0], args[1])
			if err != nil {
				return err
			}
			manifest, files, err := ledger.LoadTrial(trial)
			if err != nil {
				return err
			}
			return report.Explain(os.Stdout, manifest, files, id)
		},
	}
}

func newRecheck() *cobra.Command {
	return &cobra.Command{
		Use:   "recheck RUN",
		Short: "Judge the ledgers of a run again, with today's checker",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return errors.New("recheck needs the folder of a run: acklab recheck runs/latest")
			}
			return nil
		},
		RunE: func(_ *cobra.Command, args []string) error {
			run, err := experiments.Recheck(args[0])
			if err != nil {
				return err
			}
			fmt.Println(report.AnswerTable(run))
			return outcomeStatus(run)
		},
	}
}

// twoWords asks for exactly two arguments.
func twoWords(otherwise string) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		if len(args) != 2 {
			return errors.New(otherwise)
		}
		return nil
	}
}
