package main

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"acklab/task"
)

// defaultQueue is where a task goes that nothing says otherwise of.
const defaultQueue = "celery"

// routeFlags say to which queues tasks go by their names.
type routeFlags struct {
	routes []string
	file   string
}

// add adds the flags; own is what wins over all routes.
func (f *routeFlags) add(cmd *cobra.Command, own string) {
	cmd.Flags().StringArrayVar(&f.routes, "route", nil, "queue of tasks by name or glob, as 'payments.*=high' or 'payments.*=high,priority=9'; the first that fits decides, and "+own+" wins over all (repeatable)")
	cmd.Flags().StringVar(&f.file, "routes", "", "file of such routes, one a line; they come after those of --route")
}

// read is all routes in their order.
func (f *routeFlags) read() (task.Routes, error) {
	var all task.Routes
	for _, text := range f.routes {
		r, err := task.ParseRoute(text)
		if err != nil {
			return nil, fmt.Errorf("--route: %w", err)
		}
		all = append(all, r)
	}
	if f.file == "" {
		return all, nil
	}
	text, err := os.ReadFile(f.file)
	if err != nil {
		return nil, fmt.Errorf("--routes: %w", err)
	}
	more, err := task.ParseRoutes(string(text))
	if err != nil {
		return nil, fmt.Errorf("--routes %s: %w", f.file, err)
	}
	return append(all, more...), nil
}
