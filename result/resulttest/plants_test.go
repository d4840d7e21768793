package resulttest_test

import (
	"context"
	"encoding/json"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"acklab/result"
	"acklab/task"
)

// plant is one fault in an otherwise right store: hooks that stand between the
// suite and a memoryresult. A nil hook changes nothing.
type plant struct {
	name   string
	caught []string // tests that must fail

	options func(*result.Options)
	store   func(next result.Store, ctx context.Context, r result.Result) error
	get     func(next result.Store, ctx context.Context, id string) (result.Result, error)
	wait    func(next result.Store, ctx context.Context, id string) (result.Result, error)
	forget  func(next result.Store, ctx context.Context, id string) error
	close   func(next result.Store, ctx context.Context) error
	join    func(next result.Store, ctx context.Context, p result.Part) (result.Joined, error)
	values  func(next result.Store, ctx context.Context, chord string, size int) ([]json.RawMessage, error)

	forgets    bool // the server loses what was stored when it is killed
	neverAgain bool // a client that has seen the server dead sees it dead for ever
	deaf       bool // a call to a frozen server does not look at its context
	givesUp    bool // Wait returns when the server is away
}

// every reports true at each nth call.
func every(n int64) func() bool {
	var calls atomic.Int64
	return func() bool { return calls.Add(1)%n == 0 }
}

// value changes what is read.
func value(change func(*result.Result)) func(result.Store, context.Context, string) (result.Result, error) {
	return func(next result.Store, ctx context.Context, id string) (result.Result, error) {
		r, err := next.Get(ctx, id)
		if err == nil {
			change(&r)
		}
		return r, err
	}
}

// over forgets what is there before it stores, when it is told so.
func over(when func(old, new result.Result) bool) func(result.Store, context.Context, result.Result) error {
	return func(next result.Store, ctx context.Context, r result.Result) error {
		if old, err := next.Get(ctx, r.TaskID); err == nil && r.Validate() == nil && when(old, r) {
			_ = next.Forget(ctx, r.TaskID)
		}
		return next.Store(ctx, r)
	}
}

// joined changes what a member is told.
func joined(change func(result.Part, *result.Joined)) func(result.Store, context.Context, result.Part) (result.Joined, error) {
	return func(next result.Store, ctx context.Context, p result.Part) (result.Joined, error) {
		j, err := next.Join(ctx, p)
		if err == nil {
			change(p, &j)
		}
		return j, err
	}
}

// recount is a chord that counts a member as often as it joins.
func recount() func(result.Store, context.Context, result.Part) (result.Joined, error) {
	var mu sync.Mutex
	joins := map[string]int{}
	return joined(func(p result.Part, j *result.Joined) {
		mu.Lock()
		defer mu.Unlock()
		joins[p.Chord]++
		j.Members = joins[p.Chord]
		j.Last = j.Members == p.Size
	})
}

// remembered gives the values of a chord that it has given before, whatever has
// become of it.
func remembered() func(result.Store, context.Context, string, int) ([]json.RawMessage, error) {
	var given sync.Map
	return func(next result.Store, ctx context.Context, chord string, size int) ([]json.RawMessage, error) {
		values, err := next.Values(ctx, chord, size)
		if err == nil {
			given.Store(chord, values)
		} else if old, known := given.Load(chord); known {
			return old.([]json.RawMessage), nil
		}
		return values, err
	}
}

func plants() []plant {
	seventh, fifth := every(7), every(5)
	return []plant{
		{name: "overwrites whatever is there", caught: []string{"a finished state is never replaced by an unfinished one", "the first success stays",
			"an older try never replaces a newer one", "late retries of duplicate runs never undo a result"},
			store: over(func(result.Result, result.Result) bool { return true })},
		{name: "lets a late RETRY undo a result", caught: []string{"a finished state is never replaced by an unfinished one", "late retries of duplicate runs never undo a result"},
			store: over(func(old, new result.Result) bool { return old.State.Finished() && new.State == task.Retry })},
		{name: "lets a second success replace the first", caught: []string{"the first success stays", "late retries of duplicate runs never undo a result"},
			store: over(func(old, new result.Result) bool { return old.State == task.Success && new.State == task.Success })},
		{name: "lets the last failure stay", caught: []string{"the first of failure and revocation stays"},
			store: over(func(old, new result.Result) bool { return old.State.Failed() && new.State.Failed() })},
		{name: "lets an older try replace a newer one", caught: []string{"an older try never replaces a newer one"},
			store: over(func(old, new result.Result) bool { return !old.State.Finished() && new.Retries < old.Retries })},
		{name: "lets STARTED replace RETRY of the same try", caught: []string{"within a try an earlier state never replaces a later one"},
			store: over(func(old, new result.Result) bool { return old.State == task.Retry && old.Retries == new.Retries })},
		{name: "keeps a failure against a success", caught: []string{"success replaces failure and revocation"},
			store: func(next result.Store, ctx context.Context, r result.Result) error {
				if old, err := next.Get(ctx, r.TaskID); err == nil && old.State.Failed() && r.State == task.Success {
					return result.ErrFinished
				}
				return next.Store(ctx, r)
			}},
		{name: "takes a repeated store for a duplicate run", caught: []string{"the same can be stored again"},
			store: func(next result.Store, ctx context.Context, r result.Result) error {
				if old, err := next.Get(ctx, r.TaskID); err == nil && old.State.Finished() && r.Validate() == nil {
					if r.State != task.Success || old.State == task.Success {
						return result.ErrFinished
					}
				}
				return next.Store(ctx, r)
			}},
		{name: "says nothing when it keeps the old one", caught: []string{"a finished state is never replaced by an unfinished one", "the first success stays"},
			store: func(next result.Store, ctx context.Context, r result.Result) error {
				err := next.Store(ctx, r)
				if errors.Is(err, result.ErrFinished) {
					return nil
				}
				return err
			}},
		{name: "drops after it has answered", caught: []string{"stores at the same moment are all kept", "closing a client under load leaves no false word"},
			store: func(next result.Store, ctx context.Context, r result.Result) error {
				if seventh() && r.Validate() == nil && ctx.Err() == nil {
					return nil
				}
				return next.Store(ctx, r)
			}},
		{name: "answers before it has stored", caught: []string{"every state is read as it was stored"},
			store: func(next result.Store, ctx context.Context, r result.Result) error {
				if err := r.Validate(); err != nil {
					return err
				}
				time.AfterFunc(10*time.Millisecond, func() { _ = next.Store(context.WithoutCancel(ctx), r) })
				return nil
			}},
		{name: "stores after its context has ended", caught: []string{"a call whose context has ended does nothing"},
			store: func(next result.Store, ctx context.Context, r result.Result) error {
				return next.Store(context.WithoutCancel(ctx), r)
			}},
		{name: "stores what is invalid as a failure", caught: []string{"what cannot be stored is refused as invalid and not stored"},
			store: func(next result.Store, ctx context.Context, r result.Result) error {
				if err := next.Store(ctx, r); !errors.Is(err, result.ErrInvalid) {
					return err
				}
				return nil
			}},
		{name: "does not know an unknown task", caught: []string{"an unknown task reads PENDING"},
			get: func(next result.Store, ctx context.Context, id string) (result.Result, error) {
				r, err := next.Get(ctx, id)
				if err == nil && r.State == task.Pending {
					err = errors.New("not found")
				}
				return r, err
			}},
		{name: "cuts large values", caught: []string{"a value of one megabyte is read byte for byte"},
			get: value(func(r *result.Result) { r.Value = r.Value[:min(len(r.Value), 1<<16)] })},
		{name: "loses the traceback", caught: []string{"a failure is read with its type, arguments and traceback"},
			get: value(func(r *result.Result) {
				if r.Error != nil {
					r.Error.Traceback = ""
				}
			})},
		{name: "writes numbers in its own way", caught: []string{"text in any script is read as it was"},
			get: value(func(r *result.Result) {
				var v any
				if json.Unmarshal(r.Value, &v) == nil {
					r.Value, _ = json.Marshal(v)
				}
			})},
		{name: "loses the parent", caught: []string{"what is stored is read as it was"}, get: value(func(r *result.Result) { r.ParentID = "" })},
		{name: "reads another program's text as PENDING", caught: []string{"what another program wrote in its place is malformed"},
			get: func(next result.Store, ctx context.Context, id string) (result.Result, error) {
				r, err := next.Get(ctx, id)
				if errors.Is(err, result.ErrMalformed) {
					return result.Result{TaskID: id, State: task.Pending}, nil
				}
				return r, err
			}},
		{name: "never forgets", caught: []string{"a task that is forgotten is PENDING and can be stored again"},
			forget: func(result.Store, context.Context, string) error { return nil }},
		{name: "never expires", caught: []string{"a result expires", "what has expired is in nobody's way"},
			options: func(o *result.Options) { o.Expires = -1 }},
		{name: "expires at once", caught: []string{"a result expires"},
			options: func(o *result.Options) {
				if o.Expires > 0 {
					o.Expires = time.Millisecond
				}
			}},
		{name: "waits for any state", caught: []string{"wait passes over states that are not finished"},
			wait: func(next result.Store, ctx context.Context, id string) (result.Result, error) {
				for {
					if r, err := next.Get(ctx, id); err != nil || r.State != task.Pending {
						return r, err
					}
					time.Sleep(time.Millisecond)
				}
			}},
		{name: "waits for a notification only", caught: []string{"wait returns what was stored before"},
			wait: func(next result.Store, ctx context.Context, id string) (result.Result, error) {
				for seen := false; ; time.Sleep(time.Millisecond) {
					r, err := next.Get(ctx, id)
					if err != nil || r.State.Finished() && seen {
						return r, err
					}
					seen = seen || !r.State.Finished()
				}
			}},
		{name: "waits and misses every fifth", caught: []string{"wait and store at the same moment miss each other never"},
			wait: func(next result.Store, ctx context.Context, id string) (result.Result, error) {
				if fifth() {
					<-ctx.Done()
					return result.Result{}, ctx.Err()
				}
				return next.Wait(ctx, id)
			}},
		{name: "waits for ever", caught: []string{"wait ends with its context"},
			wait: func(next result.Store, ctx context.Context, id string) (result.Result, error) {
				return next.Wait(context.WithoutCancel(ctx), id)
			}},
		{name: "answers after it was closed", caught: []string{"a closed client refuses every call, and closes again", "close ends those who wait"},
			close: func(result.Store, context.Context) error { return nil }},
		{name: "closes once only", caught: []string{"a closed client refuses every call, and closes again"},
			close: func(next result.Store, ctx context.Context) error {
				if _, err := next.Get(ctx, "x"); errors.Is(err, result.ErrClosed) {
					return errors.New("closed twice")
				}
				return next.Close(ctx)
			}},
		{name: "promises what it does not keep", caught: []string{"what was stored survives a kill of the server", "stores are repeated over kills of the server, and each is there"},
			forgets: true},
		{name: "does not connect again", caught: []string{"a store that is down is unavailable, and works again by itself"}, neverAgain: true},
		{name: "hangs on a frozen server", caught: []string{"calls to a frozen server obey their deadline"}, deaf: true},
		{name: "counts a member twice", caught: []string{"a member joins once, and is told the same each time"}, join: recount()},
		{name: "tells every member of a complete chord that it was the last", caught: []string{"a member joins once, and is told the same each time"},
			join: joined(func(p result.Part, j *result.Joined) { j.Last = j.Members == p.Size })},
		{name: "reads the count and then writes", caught: []string{"of members that join at the same moment one is the last"},
			join: func(next result.Store, ctx context.Context, p result.Part) (result.Joined, error) {
				j, err := next.Join(ctx, p)
				time.Sleep(time.Millisecond)
				again, _ := next.Join(ctx, p)
				j.Last = again.Members == p.Size
				return j, err
			}},
		{name: "tells every failed member that it was the first", caught: []string{"one failed member is the first that failed"},
			join: joined(func(p result.Part, j *result.Joined) { j.FirstFailed = p.Failed })},
		{name: "takes a failed member for a success", caught: []string{"one failed member is the first that failed"},
			join: func(next result.Store, ctx context.Context, p result.Part) (result.Joined, error) {
				p.Failed = false
				return next.Join(ctx, p)
			}},
		{name: "joins what is invalid", caught: []string{"a part that makes no sense is invalid and not joined"},
			join: func(next result.Store, ctx context.Context, p result.Part) (result.Joined, error) {
				j, err := next.Join(ctx, p)
				if errors.Is(err, result.ErrInvalid) {
					err = nil
				}
				return j, err
			}},
		{name: "gives the values in the order of the joins", caught: []string{"a chord is complete with its last member, in whatever order"},
			values: func(next result.Store, ctx context.Context, chord string, size int) ([]json.RawMessage, error) {
				values, err := next.Values(ctx, chord, size)
				if len(values) == 3 {
					values[0], values[1], values[2] = values[2], values[0], values[1]
				}
				return values, err
			}},
		{name: "keeps chords for ever", caught: []string{"what has joined lives with the chord and then expires"}, values: remembered()},
		{name: "fills up the values of a chord that is not complete", caught: []string{"values of a chord that is not complete are refused"},
			values: func(next result.Store, ctx context.Context, chord string, size int) ([]json.RawMessage, error) {
				values, err := next.Values(ctx, chord, size)
				if errors.Is(err, result.ErrMalformed) {
					return make([]json.RawMessage, size), nil
				}
				return values, err
			}},
		{name: "gives up waiting when the server is away", caught: []string{"wait goes on over a kill of the server"}, givesUp: true},
	}
}
