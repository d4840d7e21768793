package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"acklab/experiments"
)

func newList() *cobra.Command {
	var asJSON, asMarkdown, asSettings bool
	cmd := &cobra.Command{
		Use:   "list",
		Short: "Show the catalogue: experiments, their claims, and what is not built yet",
		Args:  noWords,
		RunE: func(*cobra.Command, []string) error {
			if asMarkdown {
				text, err := experiments.Reference()
				fmt.Print(text)
				return err
			}
			if asSettings {
				text, err := experiments.SettingsPage()
				fmt.Print(text)
				return err
			}
			listing, err := experiments.List()
			if err != nil {
				return err
			}
			if asJSON {
				out := json.NewEncoder(os.Stdout)
				out.SetIndent("", "  ")
				return out.Encode(listing)
			}
			return printListing(os.Stdout, listing)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "as JSON")
	cmd.Flags().BoolVar(&asMarkdown, "markdown", false, "as docs/experiments.md: every cell with its prediction")
	cmd.Flags().BoolVar(&asSettings, "settings", false, "as docs/settings.md: what to set so that nothing is lost")
	cmd.MarkFlagsMutuallyExclusive("json", "markdown", "settings")
	return cmd
}

func printListing(w io.Writer, l experiments.Listing) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "EXPERIMENT\tCLAIMS\tSUITES\tCELLS\tABOUT\tQUESTION")
	for _, e := range l.Experiments {
		fmt.Fprintf(table, "%s\t%s\t%s\t%d\t%s\t%s\n", e.Name, strings.Join(e.Claims, " "), strings.Join(e.Suites, " "), e.Cells, minutes(e.Seconds), e.Question)
	}
	if err := table.Flush(); err != nil {
		return err
	}
	fmt.Fprintf(w, "\nnot built yet: %s\n", strings.Join(l.NotBuilt, " "))
	return nil
}

func minutes(seconds float64) string {
	if seconds < 60 {
		return fmt.Sprintf("%.0f s", seconds)
	}
	return fmt.Sprintf("%.1f min", seconds/60)
}
