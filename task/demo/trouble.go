package demo

import (
	"context"
	"fmt"
	"os"

	"acklab/task"
)

// FailNTimes is fail_n_times(n, kind="flaky"): its first n tries fail, the next
// one returns the number of tries. It counts by the message's Retries, so it
// needs no memory and a redelivered try fails or succeeds as it did before.
// The failures are of the kinds flaky and transient, or, when kind is "fatal",
// of that kind alone.
func FailNTimes(ctx context.Context, c *task.Call) (any, error) {
	var n int
	kind := KindFlaky
	if err := c.Bind(task.Named("n", &n), task.Optional("kind", &kind)); err != nil {
		return nil, err
	}
	if n < 0 {
		return nil, c.Bad("n", fmt.Sprintf("%d is negative", n))
	}
	kinds, known := map[string][]string{KindFlaky: {KindFlaky, task.KindTransient}, KindFatal: {KindFatal}}[kind]
	if !known {
		return nil, c.Bad("kind", fmt.Sprintf("%q is neither %q nor %q", kind, KindFlaky, KindFatal))
	}
	task.Halfway(ctx)
	if tries := c.Message.Retries + 1; tries > n {
		return tries, nil
	}
	return nil, task.WithKind(fmt.Errorf("try %d of %d that fail", c.Message.Retries+1, n), kinds...)
}

// Panic is panic(text): the handler panics with the text. A worker must
// survive that.
func Panic(ctx context.Context, c *task.Call) (any, error) {
	var text string
	if err := c.Bind(task.Named("text", &text)); err != nil {
		return nil, err
	}
	task.Halfway(ctx)
	panic(text)
}

// maxMegabytes bounds allocate: 64 GiB is enough to be killed for.
const maxMegabytes = 64 << 10

// Allocate is allocate(megabytes): it takes that many MiB of memory, touches
// each page so that the kernel must give it, and returns the bytes. Memory
// is taken one MiB at a time, with a look at ctx between, and freed when the
// task ends.
func Allocate(ctx context.Context, c *task.Call) (any, error) {
	var megabytes int
	if err := c.Bind(task.Named("megabytes", &megabytes)); err != nil {
		return nil, err
	}
	if megabytes < 0 || megabytes > maxMegabytes {
		return nil, c.Bad("megabytes", fmt.Sprintf("%d is outside 0 to %d", megabytes, maxMegabytes))
	}
	held := make([][]byte, 0, megabytes)
	for i := range megabytes {
		if ctx.Err() != nil {
			return nil, fmt.Errorf("allocate %d of %d MiB: %w", i, megabytes, context.Cause(ctx))
		}
		if i == megabytes/2 {
			task.Halfway(ctx)
		}
		held = append(held, touched(1<<20))
	}
	if megabytes == 0 {
		task.Halfway(ctx)
	}
	total := 0
	for _, block := range held {
		total += len(block)
	}
	return total, nil
}

// touched makes a block with a byte written in each page.
func touched(size int) []byte {
	block := make([]byte, size)
	for i := 0; i < size; i += os.Getpagesize() {
		block[i] = 1
	}
	return block
}
