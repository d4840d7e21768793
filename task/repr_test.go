package task

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestArgumentsAreShownAsPythonShowsThem(t *testing.T) {
	t.Parallel()
	// What Python 3.11 prints for json.loads of the left side.
	tests := map[string]string{
		`2`: `2`, `-1.5`: `-1.5`, `null`: `None`, `true`: `True`, `false`: `False`,
		`"a"`: `'a'`, `"it's"`: `"it's"`, `"say \"x\""`: `'say "x"'`, `"both ' and \""`: `'both \' and "'`,
		`"tab\tnl\ncr\r\\"`: `'tab\tnl\ncr\r\\'`, `"\u0000\u001f\u007f"`: `'\x00\x1f\x7f'`,
		`"\u0085\u00a0\u00ad\u00e4"`: `'\x85\xa0\xadä'`, `"\u2028\u200b\ufeff"`: `'\u2028\u200b\ufeff'`,
		`"😀"`: `'😀'`, `"\udb40\udc01"`: `'\U000e0001'`,
		`[]`: `[]`, `[1,[2]]`: `[1, [2]]`, `{}`: `{}`, `{"a":1,"b":[null]}`: `{'a': 1, 'b': [None]}`,
	}
	for in, want := range tests {
		if got := string(appendRepr(nil, json.RawMessage(in), 0)); got != want {
			t.Errorf("%s: got %s, want %s", in, got, want)
		}
	}
	for want, args := range map[string][]json.RawMessage{"()": nil, "(1,)": raws("1"), "(1, 'a')": raws("1", `"a"`)} {
		if got := string(appendArgsRepr(nil, args)); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
	kwargs := map[string]json.RawMessage{"b": json.RawMessage("2"), "a": json.RawMessage("null")}
	if got := string(appendKwargsRepr([]byte("x"), kwargs)); got != "x{'a': None, 'b': 2}" {
		t.Errorf("got %s", got)
	}
}

func TestALongArgumentIsShownShortened(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("ä", 5_000_000)
	tests := map[string][]json.RawMessage{
		"one long text":      raws(`"` + long + `"`),
		"one long number":    raws(strings.Repeat("9", 3000)),
		"escapes":            raws(`"` + strings.Repeat(`\u00e4`, 10_000) + `"`),
		"many arguments":     raws(strings.Split(strings.Repeat("1,", 2000)+"1", ",")...),
		"a long list":        raws("[" + strings.Repeat("[1],", 2000) + "1]"),
		"just one too long":  raws(`"` + strings.Repeat("a", reprLimit-4) + `"`),
		"a deep list":        raws(strings.Repeat("[", 900) + strings.Repeat("]", 900)),
		"long name, shifted": raws(`"x` + long + `"`),
	}
	for name, args := range tests {
		got := string(appendArgsRepr(nil, args))
		if len(got) > reprLimit || len(got) < reprLimit-10 || !strings.HasSuffix(got, "...") || !utf8.ValidString(got) {
			t.Errorf("%s: %d bytes, ends with %q", name, len(got), got[max(0, len(got)-10):])
		}
	}
	exact := raws(`"` + strings.Repeat("a", reprLimit-5) + `"`)
	if got := string(appendArgsRepr(nil, exact)); len(got) != reprLimit || !strings.HasSuffix(got, "a',)") {
		t.Errorf("a text that just fits: %d bytes, ends with %q", len(got), got[len(got)-5:])
	}
	kwargs := map[string]json.RawMessage{long[:4000]: json.RawMessage("1"), "z": json.RawMessage("2")}
	if got := string(appendKwargsRepr(nil, kwargs)); len(got) > reprLimit || !strings.HasSuffix(got, "...") {
		t.Errorf("kwargs: %d bytes", len(got))
	}
}
