package task

import (
	"cmp"
	"encoding/json"
	"errors"
	"strings"
	"unicode/utf8"
)

// The content type and encoding of every message that this program writes.
const (
	contentType     = "application/json"
	contentEncoding = "utf-8"
)

// emptyEmbed is the third element of a body without callbacks.
const emptyEmbed = `{"callbacks":null,"errbacks":null,"chain":null,"chord":null}`

// appendBody writes [args, kwargs, embed]. The parts must have been checked.
func (m *Message) appendBody(dst []byte) []byte {
	dst = append(dst, '[', '[')
	for i, raw := range m.Args {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(dst, raw...)
	}
	dst = append(dst, ']', ',', '{')
	var few [8]string
	for i, name := range appendSorted(few[:0], m.Kwargs) {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(appendString(dst, name), ':')
		dst = append(dst, m.Kwargs[name]...)
	}
	dst = append(dst, '}', ',')
	if m.Embed == nil {
		dst = append(dst, emptyEmbed...)
	} else {
		dst = append(dst, m.Embed...)
	}
	return append(dst, ']')
}

// checkContent finds a body that this program does not read, by what the
// message says about it.
func (d *decoder) checkContent(ctype, encoding string) {
	switch strings.ToLower(ctype) {
	case contentType:
	case "application/x-python-serialize":
		d.fail("content type %q: pickle is never read", ctype)
	default:
		d.fail("unknown content type %q, want %q", ctype, contentType)
	}
	switch strings.ToLower(encoding) {
	case "", contentEncoding, "utf8", "us-ascii", "ascii":
	default:
		d.fail("unknown content encoding %q, want %q", encoding, contentEncoding)
	}
	if d.compression != "" {
		d.fail("the body is compressed with %q, which is not read", d.compression)
	}
}

// body takes [args, kwargs, embed] into the message. The message keeps parts
// of data.
func (d *decoder) body(data []byte) {
	if !utf8.Valid(data) {
		d.fail("the body is not UTF-8")
		return
	}
	s := scanner{data: data}
	switch s.peek() {
	case '[':
	case '{':
		d.protocol1(data)
		return
	default:
		err := s.skip()
		if err == nil {
			err = errors.New("not an array")
		}
		d.fail("the body is not [args, kwargs, embed]: %w", err)
		return
	}
	n, shape := 0, ""
	err := s.array(func() (err error) {
		switch n++; {
		case n == 1 && s.peek() == '[':
			return d.args(&s)
		case n == 2 && s.peek() == '{':
			return d.kwargs(&s)
		case n == 3 && s.peek() == '{':
			return d.embed(&s)
		case n == 3 && s.peek() == 'n':
			return s.skip()
		case n == 1:
			shape = "the body's args are not an array"
		case n == 2:
			shape = cmp.Or(shape, "the body's kwargs are not an object")
		case n == 3:
			shape = cmp.Or(shape, "the body's embed is not an object")
		}
		return s.skip()
	})
	if err == nil {
		err = s.end()
	}
	if err != nil {
		d.fail("the body is not JSON: %w", err)
	}
	if shape != "" {
		d.fail("%s", shape)
	}
	if n != 3 {
		d.fail("the body is an array of %d, want [args, kwargs, embed]", n)
	}
}

func (d *decoder) args(s *scanner) error {
	return s.array(func() error {
		raw, err := s.raw()
		d.m.Args = append(d.m.Args, raw)
		return err
	})
}

func (d *decoder) kwargs(s *scanner) error {
	return s.object(func(key []byte) error {
		raw, err := s.raw()
		if d.m.Kwargs == nil {
			d.m.Kwargs = map[string]json.RawMessage{}
		}
		d.m.Kwargs[text(key)] = raw
		return err
	})
}

// embed keeps the third element unless it says nothing.
func (d *decoder) embed(s *scanner) error {
	s.peek()
	start, says := s.pos, false
	err := s.object(func(key []byte) error {
		switch string(key) {
		case "callbacks", "errbacks", "chain", "chord":
			says = says || s.peek() != 'n'
		default:
			says = true
		}
		return s.skip()
	})
	if says {
		d.m.Embed = s.data[start:s.pos:s.pos]
	}
	return err
}

// protocol1 names a message of Celery's older protocol, whose body is an
// object that holds everything.
func (d *decoder) protocol1(data []byte) {
	s := scanner{data: data}
	v, err := s.any()
	if err == nil {
		err = s.end()
	}
	if err != nil {
		d.fail("the body is not JSON: %w", err)
		return
	}
	body := v.(map[string]any)
	name, _ := body["task"].(string)
	id, _ := body["id"].(string)
	if name == "" || id == "" {
		d.fail("the body is an object, want [args, kwargs, embed]")
		return
	}
	if d.m.Name == "" {
		d.m.Name = name
	}
	if d.m.TaskID == "" {
		d.m.TaskID = id
	}
	d.fail("a message of protocol 1 (task %q, id %q), only protocol 2 is read", name, id)
}
