// Command testsummary turns the stream of go test -json, read from standard
// input, into a log for people: one line for each package that passed, the
// whole output of every test that did not, and at the end the skipped tests
// with their reasons, the slowest tests and the totals. It exits with 1 when
// something failed, never finished, or when no package was tested at all.
package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
)

func main() {
	summary := newSummary(os.Stdout)
	err := summary.read(os.Stdin)
	if !summary.finish() {
		err = errors.Join(err, errors.New("the tests failed"))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "testsummary:", err)
		os.Exit(1)
	}
}

// read takes the stream up to its end. A line that is no event is printed as
// it is: it is something that a test or the go command said past the stream.
func (s *summary) read(stream io.Reader) error {
	lines := bufio.NewReader(stream)
	for {
		line, err := lines.ReadString('\n')
		if line != "" {
			var e event
			if json.Unmarshal([]byte(line), &e) != nil || e.Action == "" {
				fmt.Fprint(s.out, line)
			} else {
				s.add(e)
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read go test -json: %w", err)
		}
	}
}
