package task

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// Route sends the tasks of a name to a queue, as an entry of Celery's
// task_routes does.
type Route struct {
	// Pattern is the name of a task, or a glob: * stands for any characters,
	// ? for one.
	Pattern string
	// Queue is where they go. Required.
	Queue string
	// Priority is theirs where the sender has chosen none: 0 to 9.
	Priority int
}

// Routes are read in their order: the first one whose pattern fits decides. The
// zero value routes nothing.
type Routes []Route

// prioritySetting is what may follow the queue of a route in its text.
const prioritySetting = ",priority="

// ParseRoute reads "PATTERN=QUEUE" or "PATTERN=QUEUE,priority=9", as in
// payments.*=high. The error is one line that says what to write instead.
func ParseRoute(text string) (Route, error) {
	pattern, target, ok := strings.Cut(text, "=")
	r := Route{Pattern: strings.TrimSpace(pattern), Queue: strings.TrimSpace(target)}
	wrong := func(why string) (Route, error) {
		return Route{}, fmt.Errorf("route %q: %s: write it as payments.*=high, or payments.*=high,priority=9", text, why)
	}
	if !ok {
		return wrong("it has no =")
	}
	if queue, priority, ok := strings.Cut(r.Queue, prioritySetting); ok {
		n, err := strconv.Atoi(priority)
		if err != nil {
			return wrong(fmt.Sprintf("priority %q is no number", priority))
		}
		r.Queue, r.Priority = queue, n
	}
	if err := r.Check(); err != nil {
		return wrong(err.Error())
	}
	return r, nil
}

// ParseRoutes reads a file of routes, one a line as ParseRoute wants it. Empty
// lines, and those that begin with #, are passed over. The error names the line.
func ParseRoutes(text string) (Routes, error) {
	var all Routes
	n := 0
	for line := range strings.Lines(text) {
		n++
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		r, err := ParseRoute(line)
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", n, err)
		}
		all = append(all, r)
	}
	return all, nil
}

// Check returns an error that says what is wrong with the route.
func (r Route) Check() error {
	switch {
	case r.Pattern == "":
		return errors.New("no name of a task, and no pattern")
	case strings.ContainsAny(r.Pattern, "[]"):
		return errors.New("a pattern knows * and ?, and no [ ]")
	case r.Queue == "":
		return errors.New("no queue")
	case r.Priority < 0 || r.Priority > MaxPriority:
		return fmt.Errorf("priority %d is outside 0 to %d", r.Priority, MaxPriority)
	}
	if err := checkWord("pattern", r.Pattern); err != nil {
		return err
	}
	return checkWord("queue", r.Queue)
}

// Match finds the route for a task of that name; false: there is none.
func (rs Routes) Match(name string) (Route, bool) {
	for _, r := range rs {
		if fits(r.Pattern, name) {
			return r, true
		}
	}
	return Route{}, false
}

// Apply gives o the queue and the priority of the route for the task, each only
// where o has none: what the sender says itself wins, as in Celery, a priority of 0
// too if it is given (Options.PriorityGiven).
func (rs Routes) Apply(name string, o Options) Options {
	r, ok := rs.Match(name)
	if !ok {
		return o
	}
	if o.Queue == "" {
		o.Queue = r.Queue
	}
	if o.Priority == 0 && !o.PriorityGiven {
		o.Priority = r.Priority
	}
	return o
}

// fits tells whether the whole name is what the pattern says. It looks again
// from the last * only, so a pattern of many takes no longer than their lengths
// multiplied.
func fits(pattern, name string) bool {
	p, n := []rune(pattern), []rune(name)
	star, from := -1, 0 // the last *, and where what it stands for may end
	i, j := 0, 0
	for j < len(n) {
		switch {
		case i < len(p) && p[i] == '*':
			star, from = i, j
			i++
		case i < len(p) && (p[i] == '?' || p[i] == n[j]):
			i, j = i+1, j+1
		case star >= 0:
			from++
			i, j = star+1, from
		default:
			return false
		}
	}
	for i < len(p) && p[i] == '*' {
		i++
	}
	return i == len(p)
}
