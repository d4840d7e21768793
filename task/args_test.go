package task

import (
	"encoding/json"
	"strings"
	"testing"
)

func TestArgumentsAreParsed(t *testing.T) {
	t.Parallel()
	args, err := ParseArgs(` [4, "four", [1, 2], {"a": null}] `)
	if err != nil {
		t.Fatal(err)
	}
	mustEqual(t, args, raws(`4`, `"four"`, `[1, 2]`, `{"a": null}`))
	kwargs, err := ParseKwargs(`{"ms": 20, "\u00e4": "x"}`)
	if err != nil {
		t.Fatal(err)
	}
	mustEqual(t, kwargs, map[string]json.RawMessage{"ms": json.RawMessage("20"), "ä": json.RawMessage(`"x"`)})
}

func TestNoTextIsNoArguments(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"", " ", "[]"} {
		if args, err := ParseArgs(text); len(args) != 0 || err != nil {
			t.Errorf("%q: %s, %v", text, args, err)
		}
	}
	for _, text := range []string{"", "\n", "{}"} {
		if kwargs, err := ParseKwargs(text); len(kwargs) != 0 || err != nil {
			t.Errorf("%q: %s, %v", text, kwargs, err)
		}
	}
}

func TestWrongArgumentsAreOneLineWithAPosition(t *testing.T) {
	t.Parallel()
	args := func(text string) error { _, err := ParseArgs(text); return err }
	kwargs := func(text string) error { _, err := ParseKwargs(text); return err }
	tests := []struct {
		parse      func(string) error
		text, want string
	}{
		{args, `4, 4`, `arguments: character 1: want a JSON array such as [4, 4], found '4'`},
		{args, `{"a": 1}`, `arguments: character 1: want a JSON array such as [4, 4], found '{'`},
		{args, `[4, four]`, `arguments: character 5: want a value, found 'f'`},
		{args, `["ä", four]`, `arguments: character 7: want a value, found 'f'`},
		{args, `[4, 4`, `arguments: character 6: the text ends, want ',' or ']'`},
		{args, `[4, `, `arguments: character 5: the text ends, want a value`},
		{args, `[4, 4]]`, `arguments: character 7: want the end, found ']'`},
		{args, `[4 4]`, `arguments: character 4: want ',' or ']', found '4'`},
		{args, `["a`, `arguments: character 4: the text ends inside a string`},
		{args, "[\"a\nb\"]", `arguments: character 4: control character in a string`},
		{args, `['a']`, `arguments: character 2: want a value, found '\''`},
		{args, "[\xff]", `arguments: not UTF-8`},
		{args, "\x00", `arguments: character 1: want a JSON array such as [4, 4], found '\x00'`},
		{kwargs, `[1]`, `named arguments: character 1: want a JSON object such as {"ms": 20}, found '['`},
		{kwargs, `{ms: 20}`, `named arguments: character 2: want a string, found 'm'`},
		{kwargs, `{"ms" 20}`, `named arguments: character 7: want ':', found '2'`},
		{kwargs, `{"ms": 20, "ms": 21}`, `named arguments: character 17: the name "ms" comes twice`},
	}
	for _, tt := range tests {
		if err := tt.parse(tt.text); err == nil || err.Error() != tt.want || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s:\n got %v\nwant %s", tt.text, err, tt.want)
		}
	}
}
