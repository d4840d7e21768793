package task

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
)

func call(name string, args string, kwargs string) *Call {
	a, err := ParseArgs(args)
	k, err2 := ParseKwargs(kwargs)
	if err = errors.Join(err, err2); err != nil {
		panic(err)
	}
	return &Call{Message: &Message{Name: name, Args: a, Kwargs: k}}
}

func nothing(context.Context, *Call) (any, error) { return nil, nil }

func TestAHandlerIsFoundByItsName(t *testing.T) {
	t.Parallel()
	r := NewRegistry()
	r.Register("b", nothing)
	r.Register("a", func(context.Context, *Call) (any, error) { return "a ran", nil })
	h, err := r.Lookup("a")
	if err != nil {
		t.Fatal(err)
	}
	if got, err := h(t.Context(), call("a", "", "")); got != "a ran" || err != nil {
		t.Errorf("got %v, %v", got, err)
	}
	if names := r.Names(); !slices.Equal(names, []string{"a", "b"}) {
		t.Errorf("names %q", names)
	}
}

func TestAnUnknownTaskIsAnErrorThatNamesIt(t *testing.T) {
	t.Parallel()
	_, err := NewRegistry().Lookup("adn")
	var unknown *UnknownTaskError
	if !errors.As(err, &unknown) || unknown.Name != "adn" || err.Error() != `unknown task "adn"` {
		t.Errorf("got %v", err)
	}
}

func TestRegisterPanicsOnMistakesOfTheProgram(t *testing.T) {
	t.Parallel()
	tests := map[string]func(r *Registry){
		"needs a name":       func(r *Registry) { r.Register("", nothing) },
		"and a handler":      func(r *Registry) { r.Register("x", nil) },
		"already registered": func(r *Registry) { r.Register("x", nothing); r.Register("x", nothing) },
		"max retries -1":     func(r *Registry) { r.Register("x", nothing, WithRetry(RetryPolicy{Max: -1})) },
		"control character":  func(r *Registry) { r.Register("x\n", nothing) },
	}
	for want, register := range tests {
		t.Run(want, func(t *testing.T) {
			t.Parallel()
			defer func() {
				if got, _ := recover().(string); !strings.Contains(got, want) {
					t.Errorf("panic %q, want %q", got, want)
				}
			}()
			register(NewRegistry())
		})
	}
}

func TestArgumentsAreDecoded(t *testing.T) {
	t.Parallel()
	c := call("add", `[4, "four", [1, 2], null]`, `{"ms": 20}`)
	var n int
	var s string
	var list []int
	var maybe *int
	if err := errors.Join(c.Arg(0, &n), c.Arg(1, &s), c.Arg(2, &list), c.Arg(3, &maybe)); err != nil {
		t.Fatal(err)
	}
	if n != 4 || s != "four" || !slices.Equal(list, []int{1, 2}) || maybe != nil {
		t.Errorf("got %d %q %v %v", n, s, list, maybe)
	}
	if ok, err := c.Kwarg("ms", &n); !ok || err != nil || n != 20 {
		t.Errorf("ms: %v, %v, %d", ok, err, n)
	}
	if ok, err := c.Kwarg("other", &n); ok || err != nil || n != 20 {
		t.Errorf("other: %v, %v, %d", ok, err, n)
	}
}

func TestArgumentErrorsSayWhatWasWanted(t *testing.T) {
	t.Parallel()
	var n int
	var u8 uint8
	var s string
	var num json.Number
	var point struct{ X int }
	tests := []struct {
		args, kwargs string
		bind         []any
		want         string
	}{
		{`["4"]`, ``, []any{&n}, `task "add": argument 1: want int, got string`},
		{`[1, "4"]`, ``, []any{&n, &n}, `task "add": argument 2: want int, got string`},
		{`[1.5]`, ``, []any{&n}, `task "add": argument 1: want int, got number 1.5`},
		{`[300]`, ``, []any{&u8}, `task "add": argument 1: want uint8, got number 300`},
		{`[null]`, ``, []any{&n}, `task "add": argument 1: want int, got null`},
		{`[null]`, ``, []any{&num}, `task "add": argument 1: want number, got null`},
		{`["12"]`, ``, []any{&num}, `task "add": argument 1: want number, got string`},
		{`[[1]]`, ``, []any{&s}, `task "add": argument 1: want string, got array`},
		{`[{"X": "a"}]`, ``, []any{&point}, `task "add": argument 1: X: want int, got string`},
		{`[]`, ``, []any{&n}, `task "add": argument 1: missing`},
		{`[1]`, ``, []any{&n, &n}, `task "add": argument 2: missing`},
		{`[1, 2]`, ``, []any{&n}, `task "add": takes at most 1 argument, got 2`},
		{`[1, 2, 3]`, ``, []any{&n, &n}, `task "add": takes at most 2 arguments, got 3`},
		{`[1]`, ``, nil, `task "add": takes at most 0 arguments, got 1`},
		{`[1]`, `{"x": 1}`, []any{&n}, `task "add": argument "x": unexpected`},
		{`[1]`, `{"": 1}`, []any{&n}, `task "add": argument "": unexpected`},
		{``, `{"": 1}`, []any{&n}, `task "add": argument 1: missing`},
		{`[]`, ``, []any{Named("to", &s)}, `task "add": argument "to": missing`},
		{``, `{"to": 1}`, []any{Named("to", &s)}, `task "add": argument "to": want string, got number`},
		{`["a"]`, `{"to": "b"}`, []any{Named("to", &s)}, `task "add": argument "to": given by position and by name`},
		{`["a"]`, `{"too": "b"}`, []any{Named("to", &s)}, `task "add": argument "too": unexpected`},
		{`["a", "b"]`, ``, []any{Named("to", &s), Optional("ms", &n)}, `task "add": argument 2: want int, got string`},
		{`[1]`, ``, []any{n}, `task "add": argument 1: the handler decodes it into a int, which is no pointer`},
		{`[1]`, ``, []any{nil}, `task "add": argument 1: the handler decodes it into a <nil>, which is no pointer`},
		{`[1]`, ``, []any{(*int)(nil)}, `task "add": argument 1: the handler decodes it into a *int, which is no pointer`},
	}
	for _, tt := range tests {
		err := call("add", tt.args, tt.kwargs).Bind(tt.bind...)
		var bad *ArgumentError
		if !errors.As(err, &bad) || err.Error() != tt.want {
			t.Errorf("%s %s:\n got %v\nwant %s", tt.args, tt.kwargs, err, tt.want)
		}
	}
	if err := call("add", `[1]`, "").Arg(-1, &n); err == nil || err.Error() != `task "add": argument 0: missing` {
		t.Errorf("argument -1: %v", err)
	}
}

func TestBindTakesArgumentsByPositionOrByName(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ args, kwargs string }{
		{`["ada", 5]`, ``}, {`["ada"]`, `{"ms": 5}`}, {``, `{"to": "ada", "ms": 5}`},
	} {
		var to string
		ms := 20
		if err := call("send", tt.args, tt.kwargs).Bind(Named("to", &to), Optional("ms", &ms)); err != nil || to != "ada" || ms != 5 {
			t.Errorf("%s %s: %v, to %q, ms %d", tt.args, tt.kwargs, err, to, ms)
		}
	}
	var to string
	ms := 20
	if err := call("send", `["ada"]`, ``).Bind(&to, Optional("ms", &ms)); err != nil || to != "ada" || ms != 20 {
		t.Errorf("default: %v, to %q, ms %d", err, to, ms)
	}
}
