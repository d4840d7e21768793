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
	mu       sync.RWMutex
	handlers map[string]Handler
}

// NewRegistry makes an empty registry.
func NewRegistry() *Registry { return &Registry{handlers: map[string]Handler{}} }

// Register adds a handler. It is meant for the start of a program and panics
// on what only a mistake in the program can cause: a name that is empty, not
// fit for a message or taken, or a nil handler.
func (r *Registry) Register(name string, h Handler) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if name == "" || h == nil {
		panic(fmt.Sprintf("task: Register(%q): needs a name and a handler", name))
	}
	if err := checkWord("name", name); err != nil {
		panic(fmt.Sprintf("task: Register: %v", err))
	}
	if _, taken := r.handlers[name]; taken {
		panic(fmt.Sprintf("task: Register(%q): already registered", name))
	}
	r.handlers[name] = h
}

// Lookup returns the handler of that name, or an *UnknownTaskError.
func (r *Registry) Lookup(name string) (Handler, error) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	if h, ok := r.handlers[name]; ok {
		return h, nil
	}
	return nil, &UnknownTaskError{Name: name}
}

// Names lists the registered names, sorted.
func (r *Registry) Names() []string {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return sortedKeys(r.handlers)
}

// UnknownTaskError: no handler is registered under the name. Such a message
// cannot be run here; trying it again does not help.
type UnknownTaskError struct{ Name string }

// Error names the task.
func (e *UnknownTaskError) Error() string { return fmt.Sprintf("unknown task %q", e.Name) }
