package notation

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"acklab/task"
)

// Read reads a whole workflow from JSON, at most MaxBytes of it.
func Read(in io.Reader) (*task.Signature, error) {
	text, err := io.ReadAll(io.LimitReader(in, MaxBytes+1))
	if err != nil {
		return nil, err
	}
	if len(text) > MaxBytes {
		return nil, fmt.Errorf("more than %d bytes", MaxBytes)
	}
	return (&reader{}).document("", text)
}

// MaxBytes is the longest text that Read takes.
const MaxBytes = 64 << 20

// document is the one JSON value of a text.
func (r *reader) document(place string, text []byte) (*task.Signature, error) {
	var raw json.RawMessage
	if err := json.Unmarshal(text, &raw); err != nil {
		at := len(text)
		if offset, ok := syntaxOffset(err); ok {
			at = offset
		}
		return nil, fmt.Errorf("%s: %s", within(place, position(text[:at])), jsonTrouble(err))
	}
	n, err := r.node(place, raw)
	if err != nil {
		return nil, err
	}
	if len(n) != 1 {
		return nil, fmt.Errorf("%s: %d of them, where one belongs", orWhole(place), len(n))
	}
	return n[0], nil
}

// node is a member: a word that may stand for several, or an object.
func (r *reader) node(place string, raw json.RawMessage) ([]*task.Signature, error) {
	switch kind(raw) {
	case '"':
		var word string
		if err := json.Unmarshal(raw, &word); err != nil {
			return nil, fmt.Errorf("%s: %w", orWhole(place), err)
		}
		return r.members(orWhole(place), word)
	case '{':
		n, err := r.object(place, raw)
		return []*task.Signature{n}, err
	}
	return nil, fmt.Errorf(`%s: want a task as text, as in "add [4, 4]", or an object with task, chain, group or chord`, orWhole(place))
}

// forms are the words by which an object says what it is.
var forms = []struct {
	word  string
	shape task.Shape
}{{"task", task.Single}, {"chain", task.ChainShape}, {"group", task.GroupShape}, {"chord", task.ChordShape}}

// object is {"chain": ...} and so on.
func (r *reader) object(place string, raw json.RawMessage) (*task.Signature, error) {
	fields, err := fieldsOf(raw)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", orWhole(place), err)
	}
	n := &task.Signature{}
	form := ""
	for _, f := range forms {
		if _, ok := fields[f.word]; !ok {
			continue
		}
		if form != "" {
			return nil, fmt.Errorf("%s: it cannot be both a %s and a %s", orWhole(place), form, f.word)
		}
		form, n.Shape = f.word, f.shape
	}
	if form == "" {
		return nil, fmt.Errorf("%s: an object has one of task, chain, group, chord; this one has %s", orWhole(place), names(fields))
	}
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		if err := r.field(n, name, place, fields[name]); err != nil {
			return nil, err
		}
	}
	if n.Shape == task.ChordShape && n.Body == nil {
		return nil, fmt.Errorf(`%s: a chord needs a "callback"`, orWhole(place))
	}
	if n.Shape == task.Single {
		if r.tasks++; r.tasks > task.MaxTasks {
			return nil, fmt.Errorf("%s: more than %d tasks in one workflow", orWhole(place), task.MaxTasks)
		}
	}
	return n, nil
}

// field is one entry of an object.
func (r *reader) field(n *task.Signature, name, place string, raw json.RawMessage) (err error) {
	at := within(place, name)
	switch {
	case name == "link":
		n.Link, err = r.list(at, raw)
	case name == "link_error":
		n.LinkError, err = r.list(at, raw)
	case n.Shape != task.Single && name == string(n.Shape):
		if kind(raw) != '[' {
			return fmt.Errorf("%s: want an array of members", at)
		}
		n.Tasks, err = r.list(at, raw)
	case n.Shape == task.ChordShape && name == "callback":
		var one []*task.Signature
		if one, err = r.node(at, raw); err == nil && len(one) != 1 {
			err = fmt.Errorf("%s: %d of them, where one belongs", at, len(one))
		} else if err == nil {
			n.Body = one[0]
		}
	case n.Shape == task.Single:
		return taskField(n, name, at, place, raw)
	default:
		return fmt.Errorf("%s: a %s has no %q", orWhole(place), n.Shape, name)
	}
	return err
}

// taskField is one entry of a task.
func taskField(n *task.Signature, name, at, place string, raw json.RawMessage) (err error) {
	switch name {
	case "task":
		if err = json.Unmarshal(raw, &n.Name); err == nil && n.Name == "" {
			err = errors.New("the name of a task is empty")
		}
	case "args":
		n.Args, err = task.ParseArgs(string(raw))
	case "kwargs":
		n.Kwargs, err = task.ParseKwargs(string(raw))
	case "immutable":
		err = json.Unmarshal(raw, &n.Immutable)
	case "queue":
		err = json.Unmarshal(raw, &n.Options.Queue)
	default:
		return fmt.Errorf("%s: a task has no %q; it has task, args, kwargs, immutable, queue, link and link_error", orWhole(place), name)
	}
	if err != nil {
		return fmt.Errorf("%s: %s", at, jsonTrouble(err))
	}
	return nil
}

// list is a member, or several in an array.
func (r *reader) list(place string, raw json.RawMessage) ([]*task.Signature, error) {
	if kind(raw) != '[' {
		return r.node(place, raw)
	}
	var all []*task.Signature
	for i, element := range argsOf(raw) {
		more, err := r.node(fmt.Sprintf("%s[%d]", place, i), element)
		if err != nil {
			return nil, err
		}
		all = append(all, more...)
	}
	return all, nil
}

// kind is the first character of a JSON value.
func kind(raw json.RawMessage) byte {
	if trimmed := bytes.TrimLeft(raw, " \t\r\n"); len(trimmed) > 0 {
		return trimmed[0]
	}
	return 0
}

// fieldsOf are the entries of an object. A name that comes twice is an error:
// encoding/json would silently take the last.
func fieldsOf(raw json.RawMessage) (map[string]json.RawMessage, error) {
	d := json.NewDecoder(bytes.NewReader(raw))
	if _, err := d.Token(); err != nil {
		return nil, err
	}
	fields := map[string]json.RawMessage{}
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return nil, err
		}
		name, _ := key.(string)
		if _, twice := fields[name]; twice {
			return nil, fmt.Errorf("the name %q comes twice", name)
		}
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			return nil, err
		}
		fields[name] = value
	}
	return fields, nil
}

func names(fields map[string]json.RawMessage) string {
	if len(fields) == 0 {
		return "none"
	}
	return strings.Join(slices.Sorted(maps.Keys(fields)), ", ")
}

// within is a place in another.
func within(place, inner string) string {
	if place == "" {
		return inner
	}
	return place + "." + inner
}

// orWhole names the outermost place.
func orWhole(place string) string {
	if place == "" {
		return "the workflow"
	}
	return place
}

// position is where the text before it ends: line and column, from 1.
func position(before []byte) string {
	line := 1 + bytes.Count(before, []byte{'\n'})
	column := len(before) - bytes.LastIndexByte(before, '\n')
	return fmt.Sprintf("line %d, column %d", line, max(column-1, 1))
}

// syntaxOffset is how many bytes were read before what cannot be read.
func syntaxOffset(err error) (int, bool) {
	var syntax *json.SyntaxError
	if !errors.As(err, &syntax) {
		return 0, false
	}
	return int(syntax.Offset), true
}

// jsonTrouble is an error of encoding/json as a person wants it.
func jsonTrouble(err error) string {
	var wrong *json.UnmarshalTypeError
	switch {
	case errors.As(err, &wrong):
		return fmt.Sprintf("want a %s, got a %s", wrong.Type, wrong.Value)
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF), err.Error() == "unexpected end of JSON input":
		return "the JSON ends too soon"
	}
	return err.Error()
}
