package demo

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"math/big"
	"time"

	"acklab/task"
)

// maxDigits bounds the numbers that add works on.
const maxDigits = 1000

// Noop is noop(): it does nothing and returns null.
func Noop(ctx context.Context, c *task.Call) (any, error) {
	if err := c.Bind(); err != nil {
		return nil, err
	}
	task.Halfway(ctx)
	return nil, nil
}

// Add is add(x, y), the first task of every Celery course. Two integers give
// an integer, of any size, as in Python; else the sum is a float.
func Add(ctx context.Context, c *task.Call) (any, error) {
	var x, y json.Number
	if err := c.Bind(task.Named("x", &x), task.Named("y", &y)); err != nil {
		return nil, err
	}
	task.Halfway(ctx)
	if len(x) > maxDigits || len(y) > maxDigits {
		return nil, c.Bad("x, y", fmt.Sprintf("at most %d digits", maxDigits))
	}
	a, isInt := new(big.Int).SetString(string(x), 10)
	b, alsoInt := new(big.Int).SetString(string(y), 10)
	if isInt && alsoInt {
		return json.Number(a.Add(a, b).String()), nil
	}
	f, errX := x.Float64()
	g, errY := y.Float64()
	if sum := f + g; errX == nil && errY == nil && !math.IsInf(sum, 0) {
		return sum, nil
	}
	return nil, c.Bad("x, y", fmt.Sprintf("%s + %s is too large for a float", x, y))
}

// longest is the longest time that a demo task can be told to take.
const longest = 24 * time.Hour

// Sleep is sleep(seconds): it takes that long and returns the seconds.
func Sleep(ctx context.Context, c *task.Call) (any, error) {
	var seconds float64
	if err := c.Bind(task.Named("seconds", &seconds)); err != nil {
		return nil, err
	}
	if seconds < 0 || seconds > longest.Seconds() {
		return nil, c.Bad("seconds", fmt.Sprintf("%v is outside 0 to %v", seconds, longest.Seconds()))
	}
	return seconds, task.Work(ctx, time.Duration(seconds*float64(time.Second)))
}
