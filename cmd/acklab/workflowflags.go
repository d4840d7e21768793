package main

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"acklab/internal/connect"
	"acklab/internal/notation"
	"acklab/producer"
	"acklab/task"
)

// workflowFlags say what follows what.
type workflowFlags struct {
	chain, group  bool
	chord, file   string
	links, errors []string
}

func (f *workflowFlags) add(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&f.chain, "chain", false, "the words are tasks that run one after the other, each given the result of the one before: 'add [4, 4]' 'add [10]' 'noop!'")
	cmd.Flags().BoolVar(&f.group, "group", false, "the words are tasks that run side by side: 'add [1, 1]' '3 * sleep [0.1]'")
	cmd.Flags().StringVar(&f.chord, "chord", "", "the words are tasks that run side by side, and this one is called with the list of their results")
	cmd.Flags().StringVar(&f.file, "workflow", "", `a workflow as JSON in this file, - for standard input: {"chain": ["add [4, 4]", {"group": ["add [1]", "add [2]"]}]}`)
	cmd.Flags().StringArrayVar(&f.links, "link", nil, "a task that is called with the result; may be given several times")
	cmd.Flags().StringArrayVar(&f.errors, "link-error", nil, "a task that is called with the id of a task that has failed for good; may be given several times")
}

// workflowHelp is for the commands that take one.
const workflowHelp = `A task of a workflow is one word: its name, its arguments as a JSON array, named ones as a JSON object.
A ! after the name: it is not given the result of the one before. A number and a * before it: so many of them.

  acklab send --chain 'add [4, 4]' 'add [10]' 'sleep! [0.1]'
  acklab send --group 'add [1, 1]' '3 * sleep [0.1]'
  acklab send --chord xsum 'add [1, 1]' 'add [2, 2]' --wait
  acklab send --workflow plan.json        nested ones, as JSON`

// given tells whether the words are a workflow.
func (f *workflowFlags) given() bool {
	return f.chain || f.group || f.chord != "" || f.file != ""
}

// check counts the forms: at most one.
func (f *workflowFlags) check(words []string) error {
	forms := 0
	for _, given := range []bool{f.chain, f.group, f.chord != "", f.file != ""} {
		if given {
			forms++
		}
	}
	switch {
	case forms > 1:
		return errors.New("--chain, --group, --chord and --workflow: use one of them; --workflow takes nested ones as JSON")
	case f.file != "" && len(words) > 0:
		return fmt.Errorf("--workflow takes all from its file, and not %q", connect.Redacted(words[0]))
	case f.file == "" && f.given() && len(words) == 0:
		return errors.New("a workflow needs its tasks, each one word: acklab send --chain 'add [4, 4]' 'add [10]'")
	}
	return nil
}

// read is the workflow that the flags and the words ask for; alone is the task
// that stands alone when they ask for none. nil: there is only that, and nothing
// is linked to it.
func (f *workflowFlags) read(words []string, in io.Reader, alone *task.Signature) (s *task.Signature, err error) {
	switch {
	case f.file != "":
		s, err = f.open(in)
	case f.chain:
		s = task.Chain()
		s.Tasks, err = notation.Members(task.ChainShape, words)
	case f.group:
		s = task.Group()
		s.Tasks, err = notation.Members(task.GroupShape, words)
	case f.chord != "":
		s = task.Chord(nil, nil)
		if s.Body, err = notation.One("--chord", f.chord); err == nil {
			s.Tasks, err = notation.Members(task.ChordShape, words)
		}
	case len(f.links)+len(f.errors) == 0:
		return nil, nil
	default:
		s = alone
	}
	if err != nil {
		return nil, err
	}
	if err := linked("--link", f.links, &s.Link); err != nil {
		return nil, err
	}
	return s, linked("--link-error", f.errors, &s.LinkError)
}

// linked reads what is linked to the whole.
func linked(flag string, words []string, to *[]*task.Signature) error {
	for _, word := range words {
		s, err := notation.One(flag, word)
		if err != nil {
			return err
		}
		*to = append(*to, s)
	}
	return nil
}

// open reads the file.
func (f *workflowFlags) open(in io.Reader) (*task.Signature, error) {
	if f.file != "-" {
		file, err := os.Open(f.file)
		if err != nil {
			return nil, fmt.Errorf("--workflow: %w", err)
		}
		defer file.Close()
		in = file
	}
	s, err := notation.Read(in)
	if err != nil {
		return nil, fmt.Errorf("--workflow %s: %w", f.file, err)
	}
	return s, nil
}

// into puts the workflow into the load, if the flags ask for one.
func (f *workflowFlags) into(load *producer.Load, words []string, in io.Reader) (err error) {
	if err := f.check(words); err != nil {
		return err
	}
	load.Workflow, err = f.read(words, in, &task.Signature{Name: load.Name, Args: load.Args, Kwargs: load.Kwargs})
	return err
}

// takesWorkflow is for commands whose words are a workflow's tasks or nothing.
func (f *workflowFlags) takesWorkflow(cmd *cobra.Command, args []string) error {
	if f.given() {
		return f.check(args)
	}
	return noWords(cmd, args)
}
