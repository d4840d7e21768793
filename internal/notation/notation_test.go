package notation

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"acklab/task"
)

// outline writes a node in one line.
func outline(n *task.Signature) string {
	if n == nil {
		return "nothing"
	}
	text := string(n.Shape)
	if n.Shape == task.Single {
		text = n.Name
		if n.Immutable {
			text += "!"
		}
		var args []string
		for _, a := range n.Args {
			args = append(args, string(a))
		}
		if args != nil {
			text += "(" + strings.Join(args, " ") + ")"
		}
		for k, v := range n.Kwargs {
			text += fmt.Sprintf(" %s=%s", k, v)
		}
		if n.Options.Queue != "" {
			text += " @" + n.Options.Queue
		}
	}
	list := func(name string, of []*task.Signature) {
		if len(of) == 0 {
			return
		}
		var all []string
		for _, m := range of {
			all = append(all, outline(m))
		}
		text += name + "{" + strings.Join(all, ", ") + "}"
	}
	list("", n.Tasks)
	if n.Body != nil {
		list(" callback", []*task.Signature{n.Body})
	}
	list(" link", n.Link)
	list(" link_error", n.LinkError)
	return text
}

func TestWordsAreReadAsTheyAreTyped(t *testing.T) {
	t.Parallel()
	for word, want := range map[string]string{
		"noop":                            "noop",
		" add [4, 4] ":                    "add(4 4)",
		"add[4,4]":                        "add(4 4)",
		"add! [4, [5, 6]]":                "add!(4 [5, 6])",
		"add![4]":                         "add!(4)",
		`sleep {"seconds": 1}`:            "sleep seconds=1",
		`send_email ["a@b.c"] {"ms": 1}`:  `send_email("a@b.c") ms=1`,
		`{"task": "add", "args": [1]}`:    "add(1)",
		`{"chain": ["noop", "add! [1]"]}`: "chain{noop, add!(1)}",
		`my.tasks.add [1]`:                "my.tasks.add(1)",
		`send_email ["100 * [x] {y}"]`:    `send_email("100 * [x] {y}")`,
	} {
		n, err := One("chain[0]", word)
		if err != nil || outline(n) != want {
			t.Errorf("%q reads as %s, %v; want %s", word, outline(n), err, want)
		}
	}
}

func TestANumberAndAStarStandForSeveral(t *testing.T) {
	t.Parallel()
	for _, word := range []string{"3 * add [1]", "3*add [1]", " 3  *  add [1]"} {
		all, err := Members(task.GroupShape, []string{word, "noop"})
		if n := task.Group(all...); err != nil || outline(n) != "group{add(1), add(1), add(1), noop}" {
			t.Errorf("%q: %s, %v", word, outline(task.Group(all...)), err)
		}
	}
	n, err := Read(strings.NewReader(`{"chord": ["2 * add [1, 2]", {"task": "noop"}], "callback": "total"}`))
	if err != nil || outline(n) != "chord{add(1 2), add(1 2), noop} callback{total}" {
		t.Errorf("%s, %v", outline(n), err)
	}
}

func TestJSONIsReadNestedAndWithLinks(t *testing.T) {
	t.Parallel()
	n, err := Read(strings.NewReader(`{"chain": [
		"add [1, 1]",
		{"group": ["add [10]", {"task": "add", "args": [100], "queue": "fast", "link": "noop!"}]},
		{"chord": ["add [1]"], "callback": {"chain": ["total", "noop!"]}}
	], "link": ["noop", "noop!"], "link_error": "panic! [\"x\"]"}`))
	want := `chain{add(1 1), group{add(10), add(100) @fast link{noop!}}, chord{add(1)} callback{chain{total, noop!}}} link{noop, noop!} link_error{panic!("x")}`
	if err != nil || outline(n) != want {
		t.Errorf("got  %s, %v\nwant %s", outline(n), err, want)
	}
}

func TestWhatIsWrongIsOneLineWithItsPlace(t *testing.T) {
	t.Parallel()
	for word, want := range map[string]string{
		"":                         `chain[0], character 1: want the name of a task, as in "add [4, 4]"`,
		"   ":                      `chain[0], character 4: want the name`,
		"! [1]":                    `chain[0], character 1: want the name`,
		"[4, 4]":                   `chain[0], character 1: want the name`,
		"add [4, 4":                `chain[0], character 10: the JSON ends too soon`,
		"add [4, x]":               `chain[0], character 9: invalid character 'x'`,
		"äöü [4, x]":               `chain[0], character 9: invalid character 'x'`,
		"add 4 4":                  `chain[0], character 5: unexpected "4"`,
		"add [4] [4]":              `chain[0], character 9: unexpected "["`,
		"add !":                    `chain[0], character 5: unexpected "!"`,
		`add {"x": 1, "x": 2}`:     `chain[0], character 5: named arguments: character 14: the name "x" comes twice`,
		"0 * add":                  `chain[0], character 1: 0 of them: use 1 to 100000`,
		"100001 * add":             `chain[0], character 1: 100001 of them: use 1 to 100000`,
		"99999999999999999999*add": `chain[0], character 1: 99999999999999999999 of them`,
		"2 * add":                  `chain[0]: 2 of them, where one belongs`,
		`{"chain": [}`:             `chain[0].line 1, column 12: invalid character '}'`,
	} {
		_, err := One("chain[0]", word)
		if err == nil || !strings.HasPrefix(err.Error(), want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%q:\n got %v\nwant %s", word, err, want)
		}
	}
	for text, want := range map[string]string{
		``:                                      `line 1, column 1: the JSON ends too soon`,
		"{\n \"chain\": [1,]}":                  `line 2, column 14: invalid character ']'`,
		`{"chain": ["add"]} x`:                  `line 1, column 20: invalid character 'x' after top-level value`,
		`[]`:                                    `the workflow: want a task as text`,
		`4`:                                     `the workflow: want a task as text`,
		`{}`:                                    `the workflow: an object has one of task, chain, group, chord; this one has none`,
		`{"chian": []}`:                         `the workflow: an object has one of task, chain, group, chord; this one has chian`,
		`{"chain": [], "group": []}`:            `the workflow: it cannot be both a chain and a group`,
		`{"chain": [], "chain": []}`:            `the workflow: the name "chain" comes twice`,
		`{"chain": "add"}`:                      `chain: want an array of members`,
		`{"chain": ["add", 5]}`:                 `chain[1]: want a task as text`,
		`{"chain": ["add", "add [x]"]}`:         `chain[1], character 6: invalid character 'x'`,
		`{"chain": [{"group": ["add", null]}]}`: `chain[0].group[1]: want a task as text`,
		`{"chord": ["add"]}`:                    `the workflow: a chord needs a "callback"`,
		`{"chord": ["add"], "callback": "2 * add"}`:                    `callback: 2 of them, where one belongs`,
		`{"chain": ["add"], "callback": "add"}`:                        `the workflow: a chain has no "callback"`,
		`{"task": "add", "arg": [4]}`:                                  `the workflow: a task has no "arg"; it has task, args, kwargs, immutable, queue, link and link_error`,
		`{"task": ""}`:                                                 `task: the name of a task is empty`,
		`{"task": 5}`:                                                  `task: want a string, got a number`,
		`{"task": "add", "args": 4}`:                                   `args: arguments: character 1: `,
		`{"task": "add", "immutable": "yes"}`:                          `immutable: want a bool, got a string`,
		`{"group": [{"task": "add", "link_error": ["add", "add ]"]}]}`: `group[0].link_error[1], character 5: unexpected "]"`,
		`{"group": ["100000 * add", {"task": "add"}]}`:                 `group[1]: more than 100000 tasks in one workflow`,
		`"2 * add"`: `the workflow: 2 of them, where one belongs`,
	} {
		_, err := Read(strings.NewReader(text))
		if err == nil || !strings.HasPrefix(err.Error(), want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s:\n got %v\nwant %s", text, err, want)
		}
	}
}

func TestMembersNameTheMemberThatIsWrong(t *testing.T) {
	t.Parallel()
	_, err := Members(task.ChordShape, []string{"add [1]", "add [2"})
	if err == nil || err.Error() != "chord[1], character 7: the JSON ends too soon" {
		t.Error(err)
	}
}

func FuzzNoTextMakesAPanic(f *testing.F) {
	for _, seed := range []string{"add [4, 4]", "3 * add! [1] {\"x\": 2}", `{"chain": ["add", {"group": [{"task": "x"}]}]}`, `{"chord": [], "callback": "a"}`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		one, err := One("here", text)
		if err == nil && one.Shape == task.Single && one.Name == "" {
			t.Errorf("%q is a task without a name", text)
		}
		if err == nil && slices.ContainsFunc(one.Args, func(a json.RawMessage) bool { return !json.Valid(a) }) {
			t.Errorf("%q has arguments that are not JSON", text)
		}
		Read(strings.NewReader(text))
	})
}

func TestPlacesStandInTheOrderOfThePlan(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		`"noop"`:                     "task",
		`{"task": "a", "link": "b"}`: "task, link[0]",
		`{"chain": ["a", {"task": "b", "link": "c"}], "link": ["d", "e!"], "link_error": "f"}`:                                                                        "chain[0], chain[1], chain[1].link[0], link[0], link[1]",
		`{"chain": ["a", {"group": ["2 * b", {"chain": ["c", "d"]}]}, "e"]}`:                                                                                          "chain[0], chain[1].group[0], chain[1].group[1], chain[1].group[2].chain[0], chain[1].group[2].chain[1], chain[2]",
		`{"chord": ["a", {"chord": ["b"], "callback": "c"}], "callback": {"chain": ["d", "e"]}, "link": "f"}`:                                                         "chord[0], chord[1].chord[0], chord[1].callback, callback.chain[0], callback.chain[1], link[0]",
		`{"chain": ["a", {"chord": ["b"], "callback": {"task": "c", "link": "g"}}, {"chord": ["d", "d"], "callback": "e"}, {"group": ["h", "i"]}, "f"], "link": "j"}`: "chain[0], chain[1].chord[0], chain[1].callback, chain[1].callback.link[0], chain[2].chord[0], chain[2].chord[1], chain[2].callback, chain[3].group[0], chain[3].group[1], chain[4], link[0]",
		`{"chain": [{"chord": ["a"], "callback": "b", "link": "x"}, "c"]}`:                                                                                            "chain[0].chord[0], chain[0].callback, chain[0].link[0], chain[1]",
		`{"group": ["a", {"group": ["b", "c"]}]}`:                                                                                                                     "group[0], group[1].group[0], group[1].group[1]",
	} {
		n, err := Read(strings.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		plan, err := n.Plan(task.Options{Queue: "q"})
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		places, err := Places(n, plan)
		if got := strings.Join(places, ", "); err != nil || got != want {
			t.Errorf("%s: %v\n got %s\nwant %s", text, err, got, want)
		}
	}
}

func TestThePlanOfAnotherWorkflowIsNoticed(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		`"other"`:                 `task is other, and the plan has noop there`,
		`{"group": ["2 * noop"]}`: `the place group[1] is in no plan of 1 tasks`,
		`{"group": []}`:           `the plan owes 1 tasks, and the workflow has places for 0`,
	} {
		n, err := Read(strings.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		plan, err := (&task.Signature{Name: "noop"}).Plan(task.Options{Queue: "q"})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := Places(n, plan); err == nil || err.Error() != want {
			t.Errorf("%s: %v; want %s", text, err, want)
		}
	}
}

func TestTasksAreAllTasksErrbacksToo(t *testing.T) {
	t.Parallel()
	n, err := Read(strings.NewReader(`{"chain": ["a", {"task": "b", "link_error": "c!"}], "link": "d", "link_error": ["e"]}`))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for place, s := range Tasks(n) {
		got = append(got, place+" "+s.Name)
	}
	want := []string{"chain[0] a", "chain[1] b", "chain[1].link_error[0] c", "link[0] d", "link_error[0] e"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q", got)
	}
	for range Tasks(n) {
		break
	}
}
