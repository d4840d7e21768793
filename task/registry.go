package task

import (
	"context"
	"fmt"
	"sync"
)

// Handler runs one task. What it returns is stored as the result, so it must
// be something that encoding/json can write. It obeys ctx, which ends at the
// hard time limit or when the worker must stop.
type Handler func(ctx context.Context, c *Call) (any, error)

// Registry holds the handlers by the names of their tasks. It is safe for
// concurrent use.
type Registry struct {
	mu    sync.RWMutex
	tasks map[string]entry
}

// entry is what is registered under one name.
type entry struct {
	handler Handler
	retry   RetryPolicy
}

// Option changes how a task is registered.
type Option func(*entry)

// WithRetry gives the task a policy for its failures; without one it has
// DefaultRetry.
func WithRetry(p RetryPolicy) Option { return func(e *entry) { e.retry = p } }

// NewRegistry makes an empty registry.
func NewRegistry() *Registry { return &Registry{tasks: map[string]entry{}} }

// Register adds a handler. It is meant for the start of a program and panics
// on what only a mistake in the program can cause: a name that is empty, not
// fit for a message or taken, a nil handler, or a retry policy that cannot be
// kept.
func (r *Registry) Register(name string, h Handler, opts ...Option) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if name == "" || h == nil {
		panic(fmt.Sprintf("task: Register(%q): needs a name and a handler", name))
	}
	if err := checkWord("name", name); err != nil {
		panic(fmt.Sprintf("task: Register: %v", err))
	}
	if _, taken := r.tasks[name]; taken {
		panic(fmt.Sprintf("task: Register(%q): already registered", name))
	}
	e := entry{handler: h, retry: DefaultRetry()}
	for _, opt := range opts {
		opt(&e)
	}
	if err := e.retry.Check(); err != nil {
		panic(fmt.Sprintf("task: Register(%q): %v", name, err))
	}
	r.tasks[name] = e
}

// Lookup returns the handler of that name, or an *UnknownTaskError.
func (r *Registry) Lookup(name string) (Handler, error) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	if e, ok := r.tasks[name]; ok {
		return e.handler, nil
	}
	return nil, &UnknownTaskError{Name: name}
}

// Retry is the policy of the task of that name; the zero policy, which retries
// nothing, when it is unknown.
func (r *Registry) Retry(name string) RetryPolicy {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.tasks[name].retry
}

// Names lists the registered names, sorted.
func (r *Registry) Names() []string {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return sortedKeys(r.tasks)
}

// UnknownTaskError: no handler is registered under the name. Such a message
// cannot be run here; trying it again does not help.
type UnknownTaskError struct{ Name string }

// Error names the task.
func (e *UnknownTaskError) Error() string { return fmt.Sprintf("unknown task %q", e.Name) }
