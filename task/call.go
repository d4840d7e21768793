package task

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
)

// Call is one run of a handler: the message and its arguments. Its methods
// may be called from several goroutines. All their errors are
// *ArgumentError.
type Call struct {
	Message *Message
}

// ArgumentError says that a message's arguments do not fit its handler.
// Trying the same message again does not help.
type ArgumentError struct {
	Task     string // the name of the task
	Argument string // the position from 1, or the quoted name; empty: all of them
	Problem  string // e.g. "want int, got string"
}

// Error reads like: task "add": argument 1: want int, got string.
func (e *ArgumentError) Error() string {
	if e.Argument == "" {
		return fmt.Sprintf("task %q: %s", e.Task, e.Problem)
	}
	return fmt.Sprintf("task %q: argument %s: %s", e.Task, e.Argument, e.Problem)
}

// Bad makes the error for an argument whose value a handler does not take:
// argument is what the handler calls it.
func (c *Call) Bad(argument, problem string) error {
	return &ArgumentError{Task: c.Message.Name, Argument: fmt.Sprintf("%q", argument), Problem: problem}
}

// Arg decodes the positional argument i, counted from 0, into a pointer. A
// missing argument is an error. Errors count from 1, as people do.
func (c *Call) Arg(i int, into any) error {
	if i < 0 || i >= len(c.Message.Args) {
		return &ArgumentError{c.Message.Name, fmt.Sprint(i + 1), "missing"}
	}
	return c.decode(fmt.Sprint(i+1), c.Message.Args[i], into)
}

// Kwarg decodes the argument of that name into a pointer, and reports whether
// the message has it.
func (c *Call) Kwarg(name string, into any) (bool, error) {
	raw, ok := c.Message.Kwargs[name]
	if !ok {
		return false, nil
	}
	return true, c.decode(fmt.Sprintf("%q", name), raw, into)
}

// Param is one parameter of a handler, for Bind.
type Param struct {
	name     string
	into     any
	optional bool
}

// Named is a parameter that must be given, by position or by name.
func Named(name string, into any) Param { return Param{name, into, false} }

// Optional is a parameter that may be left out; *into then keeps the value
// that it has.
func Optional(name string, into any) Param { return Param{name, into, true} }

// Bind decodes all arguments, as Python binds those of a function. Each
// element of params is a Param, or a pointer: a parameter without a name that
// must be given by position. Too few, too many, unknown or doubly given
// arguments are errors.
func (c *Call) Bind(params ...any) error {
	m := c.Message
	if len(m.Args) > len(params) {
		return &ArgumentError{Task: m.Name, Problem: fmt.Sprintf("takes at most %s, got %d", plural(len(params)), len(m.Args))}
	}
	known := make(map[string]bool, len(params))
	for i, p := range params {
		param, ok := p.(Param)
		if !ok {
			param.into = p
		}
		known[param.name] = param.name != ""
		if err := c.bindOne(i, param); err != nil {
			return err
		}
	}
	for _, name := range sortedKeys(m.Kwargs) {
		if !known[name] {
			return &ArgumentError{m.Name, fmt.Sprintf("%q", name), "unexpected"}
		}
	}
	return nil
}

// bindOne decodes parameter i.
func (c *Call) bindOne(i int, p Param) error {
	m := c.Message
	label := fmt.Sprint(i + 1)
	if p.name != "" {
		label = fmt.Sprintf("%q", p.name)
	}
	raw, named := m.Kwargs[p.name]
	named = named && p.name != ""
	switch {
	case i < len(m.Args) && named:
		return &ArgumentError{m.Name, label, "given by position and by name"}
	case i < len(m.Args):
		return c.decode(fmt.Sprint(i+1), m.Args[i], p.into)
	case named:
		return c.decode(label, raw, p.into)
	case p.optional:
		return nil
	}
	return &ArgumentError{m.Name, label, "missing"}
}

func plural(n int) string {
	if n == 1 {
		return "1 argument"
	}
	return fmt.Sprintf("%d arguments", n)
}

// decode is json.Unmarshal with errors for the sender of the message. JSON's
// null fits only what can be nil.
func (c *Call) decode(label string, raw json.RawMessage, into any) error {
	target := reflect.TypeOf(into)
	if target == nil || target.Kind() != reflect.Pointer || reflect.ValueOf(into).IsNil() {
		return &ArgumentError{c.Message.Name, label, fmt.Sprintf("the handler decodes it into a %T, which is no pointer", into)}
	}
	if problem := misfit(raw, target.Elem()); problem != "" {
		return &ArgumentError{c.Message.Name, label, problem}
	}
	err := json.Unmarshal(raw, into)
	if err == nil {
		return nil
	}
	var mismatch *json.UnmarshalTypeError
	problem := strings.TrimPrefix(err.Error(), "json: ")
	if errors.As(err, &mismatch) {
		problem = fmt.Sprintf("want %s, got %s", mismatch.Type, mismatch.Value)
		if mismatch.Field != "" {
			problem = mismatch.Field + ": " + problem
		}
	}
	return &ArgumentError{c.Message.Name, label, problem}
}

// misfit finds what json.Unmarshal takes silently: null for a plain value,
// and a string for a json.Number.
func misfit(raw json.RawMessage, target reflect.Type) string {
	raw = bytes.TrimSpace(raw)
	switch {
	case string(raw) == "null":
		switch target.Kind() {
		case reflect.Pointer, reflect.Interface, reflect.Map, reflect.Slice:
			return ""
		}
		return fmt.Sprintf("want %s, got null", typeName(target))
	case target == reflect.TypeFor[json.Number]() && len(raw) > 0 && raw[0] == '"':
		return "want number, got string"
	}
	return ""
}

func typeName(t reflect.Type) string {
	if t == reflect.TypeFor[json.Number]() {
		return "number"
	}
	return t.String()
}
