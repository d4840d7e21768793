// Package notation reads workflows as people write them: on a command line, one
// word a member, or in a file as JSON.
//
//	add [4, 4]             a task with its arguments, a JSON array
//	sleep {"seconds": 1}   with named ones, a JSON object; both may be given
//	add! [4, 4]            immutable: it does not get the result of the one before
//	100 * noop             a hundred of them, as a member of a chain, group or chord
//
// In JSON such a word is a string, and everything else an object of one of the
// forms
//
//	{"task": "add", "args": [4, 4], "kwargs": {}, "immutable": false, "queue": "celery"}
//	{"chain": [member, ...]}
//	{"group": [member, ...]}
//	{"chord": [member, ...], "callback": member}
//
// of which each may have "link" and "link_error": a member, or several in an
// array. A member is a word or an object again; in a word on a command line an
// object may stand, too.
//
// Errors are one line that begins with the place of what is wrong, as in
// "chain[1].group[0], character 5: ...", counted from 0 as in JSON paths; the
// characters of a word are counted from 1, as people do.
package notation

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"acklab/task"
)

// Members reads words that stand for the members of a chain, a group or a
// chord; shape is for the places of errors.
func Members(shape task.Shape, words []string) ([]*task.Signature, error) {
	r := &reader{}
	var members []*task.Signature
	for i, word := range words {
		more, err := r.members(fmt.Sprintf("%s[%d]", shape, i), word)
		if err != nil {
			return nil, err
		}
		members = append(members, more...)
	}
	return members, nil
}

// One reads one word that stands for one member, at a place that errors name.
func One(place, word string) (*task.Signature, error) {
	more, err := (&reader{}).members(place, word)
	if err != nil {
		return nil, err
	}
	if len(more) != 1 {
		return nil, fmt.Errorf("%s: %d of them, where one belongs", place, len(more))
	}
	return more[0], nil
}

// reader counts what it has read.
type reader struct{ tasks int }

// members are what one word stands for.
func (r *reader) members(place, word string) ([]*task.Signature, error) {
	if trimmed := strings.TrimSpace(word); strings.HasPrefix(trimmed, "{") {
		n, err := r.document(place, []byte(word))
		return []*task.Signature{n}, err
	}
	w := &scanner{place: place, text: word}
	times := w.times()
	n := w.task()
	if w.err != nil {
		return nil, w.err
	}
	if r.tasks += times; r.tasks > task.MaxTasks {
		return nil, fmt.Errorf("%s: more than %d tasks in one workflow", place, task.MaxTasks)
	}
	all := make([]*task.Signature, times)
	for i := range all {
		all[i] = n
	}
	return all, nil
}

// scanner goes through one word; the first error stays.
type scanner struct {
	place, text string
	at          int // bytes
	err         error
}

func (w *scanner) fail(at int, format string, args ...any) {
	if w.err == nil {
		w.err = fmt.Errorf("%s, character %d: %s", w.place, 1+utf8.RuneCountInString(w.text[:at]), fmt.Sprintf(format, args...))
	}
}

func (w *scanner) space() {
	w.at += len(w.text[w.at:]) - len(strings.TrimLeftFunc(w.text[w.at:], unicode.IsSpace))
}

// times is how often the task is meant: "100 *", or once.
func (w *scanner) times() int {
	w.space()
	before, _, ok := strings.Cut(w.text[w.at:], "*")
	digits := strings.TrimSpace(before)
	if !ok || digits == "" || strings.ContainsFunc(digits, func(c rune) bool { return c < '0' || c > '9' }) {
		return 1
	}
	n, err := strconv.Atoi(digits)
	if err != nil || n < 1 || n > task.MaxTasks {
		w.fail(w.at, "%s of them: use 1 to %d", digits, task.MaxTasks)
		return 1
	}
	w.at += len(before) + 1
	return n
}

// task is a name, a mark, and arguments.
func (w *scanner) task() *task.Signature {
	w.space()
	n := &task.Signature{}
	begin := w.at
	for w.at < len(w.text) && !strings.ContainsRune(" \t\r\n![{", rune(w.text[w.at])) {
		w.at++
	}
	n.Name = w.text[begin:w.at]
	if n.Name == "" {
		w.fail(begin, `want the name of a task, as in "add [4, 4]"`)
		return n
	}
	if strings.HasPrefix(w.text[w.at:], "!") {
		n.Immutable = true
		w.at++
	}
	if w.space(); strings.HasPrefix(w.text[w.at:], "[") {
		raw := w.json()
		n.Args = argsOf(raw)
	}
	if w.space(); strings.HasPrefix(w.text[w.at:], "{") {
		at := w.at
		var err error
		if n.Kwargs, err = task.ParseKwargs(string(w.json())); err != nil {
			w.fail(at, "%v", err)
		}
	}
	if w.space(); w.at < len(w.text) {
		w.fail(w.at, `unexpected %q: after the name come its arguments as a JSON array, then named ones as an object`, firstRune(w.text[w.at:]))
	}
	return n
}

// json is one JSON value.
func (w *scanner) json() json.RawMessage {
	d := json.NewDecoder(strings.NewReader(w.text[w.at:]))
	var raw json.RawMessage
	if err := d.Decode(&raw); err != nil {
		at := len(w.text)
		if offset, ok := syntaxOffset(err); ok {
			at = w.at + offset - 1
		}
		w.fail(at, "%s", jsonTrouble(err))
		w.at = len(w.text)
		return nil
	}
	w.at += int(d.InputOffset())
	return raw
}

// argsOf are the elements of an array that was read as JSON.
func argsOf(raw json.RawMessage) []json.RawMessage {
	var args []json.RawMessage
	if json.Unmarshal(raw, &args) != nil {
		return nil
	}
	return args
}

func firstRune(s string) string {
	r, _ := utf8.DecodeRuneInString(s)
	return string(r)
}
