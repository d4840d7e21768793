package celery_test

import (
	"bytes"
	"encoding/json"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"acklab/task"
)

// hashes prints the hash of every name and body that stands on its input.
const hashes = `import json, sys; sys.path.insert(0, sys.argv[1]); import app
for line in sys.stdin:
    print(app.payload_hash(*json.loads(line)))`

func TestThePayloadsHashIsTheSameInPython(t *testing.T) {
	t.Parallel()
	raw := func(words ...string) (args []json.RawMessage) {
		for _, w := range words {
			args = append(args, json.RawMessage(w))
		}
		return args
	}
	messages := []*task.Message{
		message(t, "noop"),
		message(t, "add", 4, 4),
		message(t, "add", 1.5, -2e-9),
		message(t, "sleep", 0.1+0.2),
		message(t, "send_email", "grüße@例え.jp", "\u2028 <&> \"\\ \x7f 😀"),
		message(t, "x", nil, true, []any{}, map[string]any{"b": []int{1, 2}, "a": nil}),
		message(t, "x", strings.Repeat("long ", 20_000)),
		{Name: "x", Args: raw("1.0", "1e0", "10E+2", "123456789012345678901234567890", "-0", `"\u00e9"`, `"\ud83d\ude00"`)},
		{Name: "x", Args: raw(` [ 1 , "a b\" , c" ,{ "k" :	null }	] `, ` 7 `)},
		{Name: "näme", Kwargs: map[string]json.RawMessage{"z": raw("1")[0], "a": raw(` { } `)[0], "é": raw(`"x"`)[0], "日": raw("2")[0], "😀": raw("3")[0], "\uffff": raw("4")[0]}},
		{Name: "both", Args: raw("1"), Kwargs: map[string]json.RawMessage{"x": raw("[1, 2]")[0]}},
	}
	var pairs [][2]string
	for _, m := range messages {
		m.ID, m.TaskID = "m", "t"
		wire, err := m.Encode()
		if err != nil {
			t.Fatal(err)
		}
		pairs = append(pairs, [2]string{m.Name, string(wire.Body)})
	}
	bad := []string{"", "{}", "[", "[1]", "[[1]]", "[[],", "[[],{}", "[[],[],{}]", `{"task":"x","args":[],"kwargs":{}}`}
	for _, body := range bad {
		pairs = append(pairs, [2]string{"x", body})
	}
	got := pythonHashes(t, pairs)
	for i, m := range messages {
		if got[i] != m.Hash() {
			t.Errorf("Python says %s of %.80s, want %s", got[i], pairs[i][1], m.Hash())
		}
	}
	for i, body := range bad {
		if h := got[len(messages)+i]; h != "" && h != (&task.Message{Name: "x"}).Hash() {
			t.Errorf("body %q: %q, want nothing", body, h)
		}
	}
}

// pythonHashes asks app.py for the hash of every name and body.
func pythonHashes(t *testing.T, pairs [][2]string) []string {
	t.Helper()
	app, err := find(t).Prepare(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	var in bytes.Buffer
	for _, pair := range pairs {
		if err := json.NewEncoder(&in).Encode(pair); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.CommandContext(t.Context(), app.Python, "-B", "-c", hashes, filepath.Dir(app.Path))
	var said bytes.Buffer
	cmd.Stdin, cmd.Stderr = &in, &said
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("python: %v\n%s", err, said.String())
	}
	lines := strings.Split(string(out), "\n")
	if len(lines) != len(pairs)+1 {
		t.Fatalf("%d answers to %d questions:\n%s", len(lines)-1, len(pairs), out)
	}
	return lines
}
