package task

import (
	"encoding/json"
	"testing"
)

func TestTheHashIsOfTheNameAndTheArgumentsAlone(t *testing.T) {
	t.Parallel()
	base := func() *Message {
		m := celeryMessage()
		m.Args = raws(`[1, {"a": "b c"}]`, `2`)
		m.Kwargs = map[string]json.RawMessage{"k": json.RawMessage(`[3, 4]`), "l": json.RawMessage(`5`)}
		return m
	}
	want := base().Hash()
	if len(want) != 16 {
		t.Errorf("hash %q", want)
	}
	same := map[string]func(m *Message){
		"a retry":       func(m *Message) { *m = *m.Again() },
		"other spacing": func(m *Message) { m.Args[0] = json.RawMessage(`[1,{"a":"b c"} ]`) },
		"another queue": func(m *Message) { m.Queue, m.Priority = "other", 5 },
	}
	for name, change := range same {
		m := base()
		if change(m); m.Hash() != want {
			t.Errorf("%s changed the hash", name)
		}
	}
	other := map[string]func(m *Message){
		"the name":              func(m *Message) { m.Name = "app.sub" },
		"an argument":           func(m *Message) { m.Args[1] = json.RawMessage(`3`) },
		"a space in a text":     func(m *Message) { m.Args[0] = json.RawMessage(`[1, {"a": "bc"}]`) },
		"the order":             func(m *Message) { m.Args[0], m.Args[1] = m.Args[1], m.Args[0] },
		"a named argument":      func(m *Message) { m.Kwargs["k"] = json.RawMessage(`[3]`) },
		"the name of a kwarg":   func(m *Message) { m.Kwargs["x"] = m.Kwargs["k"]; delete(m.Kwargs, "k") },
		"args become a kwarg":   func(m *Message) { m.Kwargs["z"] = m.Args[1]; m.Args = m.Args[:1] },
		"one argument less":     func(m *Message) { m.Args = m.Args[:1] },
		"an argument cut apart": func(m *Message) { m.Args = raws(`[1, {"a": "b c"}]`, `2`, `2`) },
	}
	for name, change := range other {
		m := base()
		if change(m); m.Hash() == want {
			t.Errorf("%s did not change the hash", name)
		}
	}
}
