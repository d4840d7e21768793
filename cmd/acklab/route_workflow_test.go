package main

import (
	"fmt"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"acklab/internal/notation"
	"acklab/producer"
	"acklab/task"
)

// The tasks of a workflow are routed by name as those that stand alone are.
func TestRoutesHoldInAWorkflow(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, queue, want string
		routes            []string
	}{
		{"by name and glob", "", "add= send_email=mails noop=low", []string{"send_*=mails", "noop=low"}},
		{"an explicit queue wins", "mine", "add= send_email= noop=", []string{"send_*=mails", "noop=low"}},
	} {
		steps, err := notation.Members(task.ChainShape, []string{"add [4, 4]", `send_email! ["x"]`, "noop!"})
		if err != nil {
			t.Fatal(err)
		}
		w := task.Chain()
		w.Tasks = steps
		load := loadFlags{queue: c.queue, routes: routeFlags{routes: c.routes}}
		if err := load.route(&producer.Load{Workflow: w}); err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, s := range notation.Tasks(w) {
			got = append(got, s.Name+"="+s.Options.Queue)
		}
		if strings.Join(got, " ") != c.want {
			t.Errorf("%s: %v, want %s", c.name, got, c.want)
		}
	}
}

// loadOf is the load that the words of a command line ask for.
func loadOf(t *testing.T, words ...string) producer.Load {
	t.Helper()
	var own loadFlags
	var flow workflowFlags
	cmd := &cobra.Command{}
	own.add(cmd)
	flow.add(cmd)
	if err := cmd.ParseFlags(words); err != nil {
		t.Fatal(err)
	}
	load, err := own.with(&flow, cmd.Flags().Args(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := load.Check(); err != nil {
		t.Fatalf("%q: %v", words, err)
	}
	return load
}

func TestAPriorityThatIsGivenWinsOverARouteAlsoIfItIs0(t *testing.T) {
	t.Parallel()
	for given, want := range map[string]int{"": 7, "--priority=0": 0, "--priority=3": 3, "--priority=0,9": 0} {
		words := []string{"--task=noop", "--route=noop=low,priority=7"}
		if given != "" {
			words = append(words, given)
		}
		if got := loadOf(t, words...).Options; got.Priority != want || got.Queue != "low" {
			t.Errorf("%q: priority %d in %q; want %d in low", given, got.Priority, got.Queue, want)
		}
	}
}

func TestAStepThatNoRouteFitsGoesToTheDefaultQueue(t *testing.T) {
	t.Parallel()
	load := loadOf(t, "--chain", "--route=*d=high,priority=7", "--route=noop=low,priority=2", "add [4, 4]", "echo!")
	var got []string
	for _, s := range notation.Tasks(load.Workflow) {
		got = append(got, fmt.Sprintf("%q %d", s.Options.Queue, s.Options.Priority))
	}
	if strings.Join(got, ", ") != `"high" 7, "" 0` || load.Options.Queue != defaultQueue || load.Options.Priority != 0 {
		t.Errorf("the steps go to %q, the others to %q with %d", got, load.Options.Queue, load.Options.Priority)
	}
}
