package result

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"acklab/task"
)

// Result is one state of a task, and what came of it.
type Result struct {
	// TaskID is the task's; every other field but State may be zero.
	TaskID string
	// State is one of package task's. What is read may be another word: a Celery
	// task can make up states (update_state), which are unfinished.
	State task.State
	// Value is what the handler returned, or, of an unfinished state, what it has
	// to say about itself. JSON null is read as nil.
	Value json.RawMessage
	// Error is why the task failed: with FAILURE and REVOKED always, with RETRY
	// where it is known, never with another state.
	Error *Failure
	// Retries is how many tries came before this one.
	Retries int
	// Done is when the task finished, to the microsecond, which is what Python
	// holds. A finished state has it: with a moment that each call makes anew,
	// a repeated Store could not be told from a duplicate run.
	Done time.Time
	// Name is the task's, Worker who ran it, Queue where it came from.
	Name, Worker, Queue string
	// ParentID is the task that published this one, GroupID the group that it
	// belongs to.
	ParentID, GroupID string
	// Children are the ids of the tasks that this one published. Of Celery's
	// results of groups among them, the group's id.
	Children []string
}

// Failure is an error as Celery stores it: a Python exception.
type Failure struct {
	// Type is the class, as in "ValueError". What another program than Celery
	// has stored may have none.
	Type string
	// Module is where the class is from, as in "builtins"; empty: unknown, and
	// Python makes up a class of that name.
	Module string
	// Args are the exception's arguments, each JSON; usually one string.
	Args []json.RawMessage
	// Traceback is the text of the stack.
	Traceback string
}

// NewFailure is a failure of a class with one text.
func NewFailure(class, text string) *Failure {
	return &Failure{Type: class, Args: []json.RawMessage{quote(text)}}
}

// Text is the argument, or all of them, comma-separated; strings without quotes.
func (f *Failure) Text() string {
	var words []string
	for _, arg := range f.Args {
		var s string
		if json.Unmarshal(arg, &s) != nil {
			s = string(arg)
		}
		words = append(words, s)
	}
	return strings.Join(words, ", ")
}

// Error is as the last line of a Python traceback: "ValueError: boom".
func (f *Failure) Error() string {
	text := f.Text()
	switch {
	case f.Type == "":
		return text
	case text == "":
		return f.Type
	}
	return f.Type + ": " + text
}

// The longest task id in bytes, and the largest number of retries, that are
// taken.
const (
	maxID      = 512
	maxRetries = 1 << 30
)

// Validate says why the result cannot be stored, with an error that wraps
// ErrInvalid, or nothing.
func (r Result) Validate() error {
	if err := CheckID(r.TaskID); err != nil {
		return err
	}
	failed := r.State.Failed()
	switch {
	case !r.State.Known():
		return r.invalid("unknown state %q", string(r.State))
	case r.Retries < 0 || r.Retries > maxRetries:
		return r.invalid("%d retries", r.Retries)
	case r.State.Finished() && (r.Done.UTC().Year() < 1 || r.Done.UTC().Year() > 9999 || r.Done.IsZero()):
		return r.invalid("%s without the moment when it was done", r.State)
	case failed && r.Error == nil:
		return r.invalid("%s without an error", r.State)
	case r.Error != nil && !failed && r.State != task.Retry:
		return r.invalid("%s with an error", r.State)
	case r.Error != nil && r.Value != nil:
		return r.invalid("both a value and an error")
	case r.Error != nil && r.Error.Type == "":
		return r.invalid("an error without a type")
	}
	values := [][]byte{r.Value}
	size := 0
	if r.Error != nil {
		size = len(r.Error.Traceback)
		for _, arg := range r.Error.Args {
			if arg == nil {
				return r.invalid("an argument of the error is not JSON")
			}
			values = append(values, arg)
		}
	}
	for _, v := range values {
		if size += len(v); size > MaxSize {
			return r.invalid("more than %d bytes", MaxSize)
		}
		if v != nil && (!json.Valid(v) || !utf8.Valid(v)) {
			return r.invalid("the value is not JSON in UTF-8")
		}
	}
	return nil
}

func (r Result) invalid(format string, args ...any) error {
	return fmt.Errorf("%w of task %s: %s", ErrInvalid, r.TaskID, fmt.Sprintf(format, args...))
}

// CheckID says why no store takes the id of a task, with an error that wraps
// ErrInvalid, or nothing: an id is UTF-8 without control characters, of 1 to 512
// bytes.
func CheckID(id string) error {
	control := func(c rune) bool { return c < ' ' || c == 0x7f }
	if id == "" || len(id) > maxID || !utf8.ValidString(id) || strings.ContainsFunc(id, control) {
		return fmt.Errorf("%w: task id %.60q is not 1 to %d bytes of text", ErrInvalid, id, maxID)
	}
	return nil
}
