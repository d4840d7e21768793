package demo

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"math/big"
	"strings"
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
	return sumOf(c, "x, y", x, y)
}

// sumOf is the sum of two numbers as Python has it; what names them in errors.
func sumOf(c *task.Call, what string, x, y json.Number) (json.Number, error) {
	if len(x) > maxDigits || len(y) > maxDigits {
		return "", c.Bad(what, fmt.Sprintf("at most %d digits", maxDigits))
	}
	a, isInt := new(big.Int).SetString(string(x), 10)
	b, alsoInt := new(big.Int).SetString(string(y), 10)
	if isInt && alsoInt {
		return json.Number(a.Add(a, b).String()), nil
	}
	f, errX := x.Float64()
	g, errY := y.Float64()
	sum := f + g
	if errX != nil || errY != nil || math.IsInf(sum, 0) {
		return "", c.Bad(what, fmt.Sprintf("%s + %s is too large for a float", x, y))
	}
	text, err := json.Marshal(sum)
	return json.Number(text), err
}

// Xsum is xsum(numbers): the sum of a list, what a chord of Celery's course calls
// with the results of its members. Numbers are as with add.
func Xsum(ctx context.Context, c *task.Call) (any, error) {
	var numbers []json.RawMessage
	if err := c.Bind(task.Named("numbers", &numbers)); err != nil {
		return nil, err
	}
	task.Halfway(ctx)
	sum := json.Number("0")
	for _, n := range numbers {
		if !strings.ContainsRune("-0123456789", rune(n[0])) {
			return nil, c.Bad("numbers", fmt.Sprintf("%.40s is not a number", n))
		}
		var err error
		if sum, err = sumOf(c, "numbers", sum, json.Number(n)); err != nil {
			return nil, err
		}
	}
	return sum, nil
}

// Echo is echo(value): it returns what it was given. In a workflow it shows what
// came from the task before, or, as an errback, whose failure it was.
func Echo(ctx context.Context, c *task.Call) (any, error) {
	var value json.RawMessage
	if err := c.Bind(task.Named("value", &value)); err != nil {
		return nil, err
	}
	task.Halfway(ctx)
	return value, nil
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
