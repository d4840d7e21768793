package task

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
)

// sig is one task that is named by its id, which is given.
func sig(id string, args ...any) *Signature {
	s, err := NewSignature("t."+id, Options{}, args...)
	if err != nil {
		panic(err)
	}
	s.TaskID = id
	return s
}

func plan(t *testing.T, s *Signature, opts Options) *Plan {
	t.Helper()
	opts.Queue = "q"
	p, err := s.Plan(opts)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// carryOut runs a planned workflow without a broker: each task returns its id
// and its arguments, and the tasks whose ids are in failing fail. It returns what
// each was given, in the order of the runs, and what was called off.
func carryOut(t *testing.T, p *Plan, failing ...string) (ran []string, off map[string]bool) {
	t.Helper()
	off = map[string]bool{}
	values := map[string]map[int]json.RawMessage{}
	must := func(p *Plan, err error) *Plan {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	queue := p.First
	var broken func(c *Member)
	broken = func(c *Member) {
		plan := must(c.CalledOff())
		for _, s := range plan.Owed {
			off[s.Task] = true
		}
		for _, m := range plan.First {
			links, _ := m.Links()
			queue = append(queue, must(m.Failing(links)).First...)
		}
		for _, end := range plan.Ends {
			broken(end)
		}
	}
	for len(queue) > 0 {
		m := queue[0]
		queue = queue[1:]
		ran = append(ran, fmt.Sprintf("%s%s", m.TaskID, m.Args))
		links, err := m.Links()
		if err != nil {
			t.Fatal(err)
		}
		c, err := m.Member(links)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(strings.Join(failing, " "), m.TaskID) {
			queue = append(queue, must(m.Failing(links)).First...)
			rest := must(m.CalledOff(links))
			for _, s := range rest.Owed {
				off[s.Task] = true
			}
			for _, end := range rest.Ends {
				broken(end)
			}
			if c != nil {
				broken(c)
			}
			continue
		}
		value := json.RawMessage(`"` + m.TaskID + `"`)
		queue = append(queue, must(m.Successors(links, value)).First...)
		if c == nil {
			continue
		}
		if values[c.Group] == nil {
			values[c.Group] = map[int]json.RawMessage{}
		}
		values[c.Group][c.Index] = value
		if len(values[c.Group]) == c.Size {
			var list []json.RawMessage
			for i := range c.Size {
				list = append(list, values[c.Group][i])
			}
			queue = append(queue, must(c.Callback(list)).First...)
		}
	}
	return ran, off
}

func TestWorkflowsRunInTheirOrder(t *testing.T) {
	t.Parallel()
	immutable := sig("i", 7)
	immutable.Immutable = true
	linked := sig("a")
	linked.Link = []*Signature{sig("l", 1)}
	for name, c := range map[string]struct {
		s       *Signature
		want    string
		results string
	}{
		"chain":                   {Chain(sig("a", 1), immutable, sig("c", 2)), `a[1] i[7] c["i" 2]`, "c"},
		"chain in a chain":        {Chain(sig("a"), Chain(sig("b"), sig("c")), sig("d")), `a[] b["a"] c["b"] d["c"]`, "d"},
		"link":                    {Chain(linked, sig("b")), `a[] l["a" 1] b["a"]`, "b"},
		"group":                   {Group(sig("a"), Group(sig("b"), sig("c")), Chain(sig("d"), sig("e"))), `a[] b[] c[] d[] e["d"]`, "a b c e"},
		"chain into a group":      {Chain(sig("a"), Group(sig("b", 1), sig("c"))), `a[] b["a" 1] c["a"]`, "b c"},
		"group in a chain":        {Chain(sig("a"), Group(sig("b"), sig("c")), sig("d"), sig("e")), `a[] b["a"] c["a"] d[["b","c"]] e["d"]`, "e"},
		"chord":                   {Chord([]*Signature{sig("a"), Chain(sig("b"), sig("c"))}, sig("d", 1)), `a[] b[] c["b"] d[["a","c"] 1]`, "d"},
		"chord without any":       {Chord(nil, sig("d", 1)), `d[[] 1]`, "d"},
		"chord in a chord":        {Chord([]*Signature{Chord([]*Signature{sig("a"), sig("b")}, sig("c")), sig("d")}, sig("e")), `a[] b[] d[] c[["a","b"]] e[["c","d"]]`, "e"},
		"two groups in order":     {Chain(Group(sig("a"), sig("b")), Group(sig("c"), sig("d")), sig("e")), `a[] b[] c[["a","b"]] d[["a","b"]] e[["c","d"]]`, "e"},
		"a group as the callback": {Chain(Group(sig("a"), sig("b")), Group(sig("c"), sig("d", 1))), `a[] b[] c[["a","b"]] d[["a","b"] 1]`, "c d"},
		"chord of a chain that ends in a group": {Chord([]*Signature{sig("a"), Chain(sig("b"), Group(sig("c"), sig("d"))), sig("e")}, sig("f")),
			`a[] b[] e[] c["b"] d["b"] f[["a","c","d","e"]]`, "f"},
	} {
		p := plan(t, c.s, Options{})
		ran, _ := carryOut(t, p)
		if got := strings.Join(ran, " "); got != c.want {
			t.Errorf("%s:\nran  %s\nwant %s", name, got, c.want)
		}
		if got := strings.Join(p.Results, " "); got != c.results {
			t.Errorf("%s: results of %s, want %s", name, got, c.results)
		}
		owed := map[string]bool{}
		for _, step := range p.Owed {
			owed[step.Task] = true
		}
		if len(owed) != len(ran) || len(p.Owed) != len(ran) {
			t.Errorf("%s: %d owed, %d ran", name, len(p.Owed), len(ran))
		}
	}
}

func TestAllIdsOfAPlanAreChosenBeforeAnythingIsPublished(t *testing.T) {
	t.Parallel()
	a, _ := NewSignature("a", Options{})
	b, _ := NewSignature("b", Options{})
	p := plan(t, Chain(a, Group(b, b), a), Options{})
	seen := map[string]bool{}
	for _, step := range p.Owed {
		seen[step.Task] = true
	}
	if len(seen) != 4 || len(p.First) != 1 || p.Root != p.First[0].TaskID {
		t.Fatalf("%+v", p)
	}
	ran, _ := carryOut(t, p)
	for _, one := range ran {
		if id, _, _ := strings.Cut(one, "["); !seen[id] {
			t.Errorf("%s was not planned", id)
		}
	}
	if a.TaskID != "" || len(b.LinkError) > 0 {
		t.Error("Plan has changed the signature")
	}
}

func TestTheCallbackOfAChordAndWhatFollowsItAreOnce(t *testing.T) {
	t.Parallel()
	p := plan(t, Chain(Group(sig("a"), sig("b")), sig("c"), sig("d")), Options{})
	links, _ := p.First[0].Links()
	c, _ := p.First[0].Member(links)
	callback, err := c.Callback(raws("1", "2"))
	if err != nil || p.First[0].Once || !callback.First[0].Once {
		t.Fatalf("%+v, %v", callback, err)
	}
	links, _ = callback.First[0].Links()
	after, err := callback.First[0].Successors(links, nil)
	if err != nil || !after.First[0].Once {
		t.Errorf("%+v, %v", after, err)
	}
	if all := plan(t, Chain(sig("a"), sig("b")), Options{Once: true}); !all.First[0].Once {
		t.Error("Once of the plan is not in its tasks")
	}
}

func TestAFailureCallsOffWhatFollows(t *testing.T) {
	t.Parallel()
	errback := sig("x")
	body := sig("d")
	body.LinkError = []*Signature{errback}
	s := Chord([]*Signature{sig("a"), Chain(sig("b"), sig("c"))}, Chain(body, sig("e")))
	for failing, want := range map[string]string{"a": `a[] b[] x["d"] c["b"]`, "b": `a[] b[] x["d"]`, "c": `a[] b[] c["b"] x["d"]`} {
		ran, off := carryOut(t, plan(t, s, Options{}), failing)
		if got := strings.Join(ran, " "); got != want || !off["d"] || !off["e"] || off["a"] || (failing == "b") != off["c"] {
			t.Errorf("%s fails: ran %s, want %s; called off %v", failing, got, want, off)
		}
	}
	outer := Chord([]*Signature{Chord([]*Signature{sig("a"), sig("b")}, sig("c")), sig("d")}, sig("e"))
	if _, off := carryOut(t, plan(t, outer, Options{}), "a"); !off["c"] || !off["e"] || len(off) != 2 {
		t.Errorf("called off: %v", off)
	}
	chain := Chain(sig("a"), sig("b"), sig("c"))
	chain.LinkError = []*Signature{{Name: "x"}}
	ran, off := carryOut(t, plan(t, chain, Options{}), "b")
	if len(ran) != 3 || !strings.HasSuffix(ran[2], `["b"]`) || !off["c"] || len(off) != 1 {
		t.Errorf("ran %v, called off %v", ran, off)
	}
}

func TestWhatCannotBePlanned(t *testing.T) {
	t.Parallel()
	deep := sig("a")
	for range MaxDepth {
		deep = Chord([]*Signature{sig("b")}, deep)
	}
	long := make([]*Signature, MaxSteps+1)
	for i := range long {
		long[i] = &Signature{Name: "a"}
	}
	wide := make([]*Signature, MaxTasks+1)
	for i := range wide {
		wide[i] = long[0]
	}
	embed := sig("a")
	embed.Options.Embed = json.RawMessage("{}")
	linked := sig("a")
	linked.Link = []*Signature{nil}
	group := Group(sig("a"))
	group.Link = []*Signature{sig("b")}
	late := sig("a")
	late.Options.Expires, late.Options.ETA = time.Unix(1, 0), time.Unix(2, 0)
	for want, s := range map[string]*Signature{
		"more than 50 signatures within each other": deep,
		"a chain of 1001 steps":                     Chain(long...),
		"more than 100000 tasks":                    Group(wide...),
		"a chain without steps":                     Chain(),
		"a group without members":                   Chain(sig("a"), Group()),
		"a chord without a body":                    Chord(nil, nil),
		"a task is nil":                             linked,
		"a step of a chain is nil":                  Chain(nil),
		"a member of a group is nil":                Group(nil),
		"has an embed of its own":                   embed,
		"use a chord":                               group,
		"no task name":                              Group(&Signature{}),
		"before its eta":                            Group(late),
		"unknown shape":                             {Shape: "map"},
	} {
		if _, err := s.Plan(Options{Queue: "q"}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want %q, got %v", want, err)
		}
	}
	if _, err := sig("a").Plan(Options{}); err == nil || !strings.Contains(err.Error(), "no queue") {
		t.Errorf("without a queue: %v", err)
	}
}

func TestLinksAsDeepAsAPlanMayBeAreRead(t *testing.T) {
	t.Parallel()
	deep := sig("last")
	for i := range MaxDepth - 3 {
		deep = Chord([]*Signature{sig(fmt.Sprint(i), []any{[]any{"[{"}})}, deep)
	}
	p := plan(t, Chain(sig("a"), deep), Options{})
	if _, err := p.First[0].Links(); err != nil {
		t.Error(err)
	}
}

func TestLinksThatCannotBeRead(t *testing.T) {
	t.Parallel()
	for embed, want := range map[string]string{
		`{"chain": ` + strings.Repeat("[", 500) + strings.Repeat("]", 500) + "}": "chain: 500 levels",
		`{"chord": ` + strings.Repeat("[", 500) + strings.Repeat("]", 500) + "}": "chord: 500 levels",
		`{"chord": [{"task": "a"}]}`:                                      "chord",
		`{"chain": 3}`:                                                    "chain",
		`{"chain": [null]}`:                                               "number 1 is null",
		`{"callbacks": [{"args": []}]}`:                                   "no task name",
		`{"chord": {"task": "a", "options": {"task_id": 3}}}`:             "task_id",
		`{"chain": [{"task": "a", "subtask_type": "chunks"}]}`:            "chunks",
		`{"chain": [{"task": "a", "options": {"expires": -1}}]}`:          "expires",
		`{"chain": [{"subtask_type": "chord", "kwargs": {"header": 3}}]}`: "header",
	} {
		m := &Message{Options: Options{Embed: json.RawMessage(embed)}}
		if _, err := m.Links(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: want %q, got %v", embed, want, err)
		}
	}
}

func TestWhatCanBeReadOfLinksIsKept(t *testing.T) {
	t.Parallel()
	parts := map[string]string{
		"callbacks": `[{"task": "c"}]`, "errbacks": `[{"task": "e"}]`, "chain": `[{"task": "s"}]`, "chord": `{"task": "b", "acklab_chord_size": 2}`,
	}
	for broken := range parts {
		var fields []string
		for key, value := range parts {
			if key == broken {
				value = `{"task": "x", "options": {"expires": -1}}`
			}
			fields = append(fields, fmt.Sprintf("%q: %s", key, value))
		}
		m := &Message{TaskID: "t", Options: Options{GroupID: "g", Extra: map[string]any{groupIndex: int64(1)}, Embed: json.RawMessage("{" + strings.Join(fields, ",") + "}")}}
		l, err := m.Links()
		if !errors.Is(err, ErrMalformed) || !strings.Contains(err.Error(), broken) || strings.Contains(err.Error(), "\n") {
			t.Errorf("without %s: %v", broken, err)
		}
		for key, has := range map[string]bool{"callbacks": len(l.Callbacks) == 1, "errbacks": len(l.Errbacks) == 1, "chain": len(l.Chain) == 1, "chord": l.Chord != nil} {
			if has != (key != broken) {
				t.Errorf("without %s it has the %s: %v", broken, key, has)
			}
		}
		if c, err := m.Member(l); err != nil || (c != nil) != (broken != "chord") {
			t.Errorf("without %s it is the member %+v: %v", broken, c, err)
		}
	}
}

func TestAMemberWithoutAPlaceCanCallItsChordOff(t *testing.T) {
	t.Parallel()
	for what, o := range map[string]Options{
		"no group": {Extra: map[string]any{groupIndex: int64(1)}}, "no place": {GroupID: "g"},
		"a place beyond": {GroupID: "g", Extra: map[string]any{groupIndex: int64(2)}}, "no number": {GroupID: "g", Extra: map[string]any{groupIndex: "1"}},
	} {
		o.Queue, o.Embed = "q", json.RawMessage(`{"chord": {"task": "b", "options": {"task_id": "back"}, "acklab_chord_size": 2}}`)
		m := &Message{TaskID: "t", Options: o}
		l, err := m.Links()
		if err != nil {
			t.Fatal(err)
		}
		c, err := m.Member(l)
		if !errors.Is(err, ErrMalformed) || c == nil || c.Size != 0 {
			t.Errorf("%s: member %+v, %v", what, c, err)
			continue
		}
		if off, err := c.CalledOff(); err != nil || len(off.Owed) != 1 || off.Owed[0].Task != "back" {
			t.Errorf("%s: called off %+v, %v", what, off, err)
		}
	}
}
