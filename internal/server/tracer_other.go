//go:build !linux

package server

import (
	"context"
	"errors"
)

// tracer is the strace of a process, which only Linux has.
type tracer struct{}

func tracerOf(int) (*tracer, error) { return nil, errors.New("strace is for Linux") }

func (*tracer) wait(context.Context) error { return nil }
func (*tracer) close()                     {}
