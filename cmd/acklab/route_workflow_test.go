package main

import (
	"strings"
	"testing"

	"acklab/internal/notation"
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
		if err := load.route(w); err != nil {
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
