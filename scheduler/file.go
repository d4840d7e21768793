package scheduler

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"slices"
	"sync"

	"go.yaml.in/yaml/v4"
)

// maxFile bounds a file of schedules, in bytes.
const maxFile = 16 << 20

// File is a Source: a YAML file of the form
//
//	schedules:
//	  - name: report
//	    task: send_email
//	    args: ["daily report"]
//	    cron: 0 0 * * *
//	    zone: Europe/Berlin
//
// with the fields of Schedule.
type File struct {
	Path string
	Log  *slog.Logger // for what Watch cannot do; nil: discarded

	sight sight
	mu    sync.Mutex    // guards what follows
	last  *content      // what was read last; nil: nothing was
	again chan struct{} // tells a watch that there is more to read
}

// content is what came of reading a file.
type content struct {
	schedules []Schedule
	err       error
}

// Load reads the file. One that somebody may be writing is not read: what was
// read last is returned once more, and a watch tells when the file was left alone.
// Only the first time it is read as it is. Errors have the form beat.yaml:3:5:
// what is wrong, with line and column from 1.
func (f *File) Load(context.Context) ([]Schedule, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	before, still := f.sight.look(f.Path)
	if still || f.last == nil {
		var c content
		c.schedules, c.err = f.read()
		after, _ := f.sight.look(f.Path)
		still = still && after == before
		if still || f.last == nil {
			f.last = &c
		}
	}
	if !still {
		notify(f.unread())
	}
	return slices.Clone(f.last.schedules), f.last.err
}

// unread has a value when there is more to read than Load has. Its caller holds mu.
func (f *File) unread() chan struct{} {
	if f.again == nil {
		f.again = make(chan struct{}, 1)
	}
	return f.again
}

func (f *File) read() ([]Schedule, error) {
	file, err := os.Open(f.Path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	data, err := io.ReadAll(io.LimitReader(file, maxFile+1))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", f.Path, err)
	}
	if len(data) > maxFile {
		return nil, fmt.Errorf("%s has more than %d bytes", f.Path, maxFile)
	}
	list, err := parseYAML(data)
	if err != nil {
		return nil, fmt.Errorf("%s:%w", f.Path, err)
	}
	return list, nil
}

// placed is an error at a place of a file.
type placed struct {
	line, column int
	err          error
}

func (p *placed) Error() string {
	if p.line == 0 {
		return " " + p.err.Error()
	}
	return fmt.Sprintf("%d:%d: %v", p.line, p.column, p.err)
}

func (p *placed) Unwrap() error { return p.err }

func at(n *yaml.Node, format string, args ...any) error {
	return &placed{n.Line, n.Column, fmt.Errorf(format, args...)}
}

func parseYAML(data []byte) ([]Schedule, error) {
	var doc yaml.Node
	err := yaml.Load(data, &doc)
	if len(bytes.TrimSpace(data)) == 0 || err == nil && len(doc.Content) == 0 {
		return nil, &placed{1, 1, errors.New("it is empty, want schedules: and a list; schedules: [] is none")}
	}
	if err != nil {
		return nil, syntaxError(err)
	}
	root := resolve(doc.Content[0])
	if root.Kind != yaml.MappingNode || len(root.Content) != 2 || root.Content[0].Value != "schedules" {
		return nil, at(root, "want schedules: and a list, and nothing else on the highest level")
	}
	items := resolve(root.Content[1])
	if items.Kind != yaml.SequenceNode {
		return nil, at(items, "schedules: want a list, each item with a dash")
	}
	var list []Schedule
	lines := map[string]int{}
	for _, item := range items.Content {
		s, name, err := parseItem(resolve(item))
		if err != nil {
			return nil, err
		}
		if line, twice := lines[s.Name]; twice {
			return nil, at(name, "the name %q comes twice, first in line %d", s.Name, line)
		}
		lines[s.Name] = name.Line
		list = append(list, s)
	}
	return list, nil
}

// parseItem reads one schedule. The node is that of its name.
func parseItem(item *yaml.Node) (Schedule, *yaml.Node, error) {
	s := NewSchedule()
	if item.Kind != yaml.MappingNode {
		return s, nil, at(item, "want a schedule: name, task, and every, cron or at")
	}
	keys := map[string]*yaml.Node{}
	for i := 0; i+1 < len(item.Content); i += 2 {
		key := item.Content[i]
		if keys[key.Value] != nil {
			return s, nil, at(key, "%s comes twice in one schedule", key.Value)
		}
		keys[key.Value] = key
		raw, err := toJSON(item.Content[i+1])
		if err == nil {
			err = s.Set(key.Value, raw)
		}
		if err != nil {
			return s, nil, at(key, "%w", err)
		}
	}
	if err := s.Check(); err != nil {
		place := item
		var wrong *FieldError
		if errors.As(err, &wrong) && keys[wrong.Field] != nil {
			place = keys[wrong.Field]
		}
		if s.Name != "" {
			err = fmt.Errorf("schedule %q: %w", s.Name, err)
		}
		return s, nil, at(place, "%w", err)
	}
	return s, keys["name"], nil
}

func resolve(n *yaml.Node) *yaml.Node {
	if n.Kind == yaml.AliasNode {
		return n.Alias
	}
	return n
}

// toJSON is a value of the file as JSON.
func toJSON(n *yaml.Node) (json.RawMessage, error) {
	asWritten(n)
	var v any
	if err := n.Decode(&v); err != nil {
		return nil, err
	}
	raw, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("has no form in JSON, which messages are written in: %w", err)
	}
	return raw, nil
}

// asWritten makes texts of what YAML takes for a moment: it would read one without
// a zone as UTC, and so hide that the zone is missing. What an alias stands for
// comes earlier in the file.
func asWritten(n *yaml.Node) {
	if n.Kind == yaml.ScalarNode && n.ShortTag() == "!!timestamp" {
		n.Tag = "!!str"
	}
	for _, part := range n.Content {
		asWritten(part)
	}
}

// syntaxError is what is wrong with the YAML itself, at its place.
func syntaxError(err error) error {
	var load *yaml.LoadError
	if errors.As(err, &load) && load.Mark.Line > 0 {
		return &placed{load.Mark.Line, max(load.Mark.Column, 1), errors.New(load.Message)}
	}
	return &placed{err: err}
}
