package task

import (
	"encoding/json"
	"fmt"
	"strconv"
	"unicode/utf8"
)

// deepest is how far arrays and objects may nest. Python's own parser gives
// up at about the same depth.
const deepest = 1000

// scanner walks over JSON text and checks it, without building values that
// nobody asked for. A message is read for every delivery, and encoding/json
// would walk over each nested part twice. The text must be valid UTF-8.
type scanner struct {
	data  []byte
	pos   int
	depth int
	huge  bool // any met a number that no float64 holds, and gave nil for it
}

// syntaxError says at which byte the text stops being JSON, and why.
type syntaxError struct {
	pos  int
	what string
}

func (e *syntaxError) Error() string { return fmt.Sprintf("at byte %d: %s", e.pos+1, e.what) }

func (s *scanner) fail(what string) error { return &syntaxError{s.pos, what} }

// unexpected describes what stands at the current position.
func (s *scanner) unexpected(want string) error {
	if s.pos >= len(s.data) {
		return s.fail("the text ends, want " + want)
	}
	r, _ := utf8.DecodeRune(s.data[s.pos:])
	return s.fail("want " + want + ", found " + strconv.QuoteRune(r))
}

// peek skips white space and returns the next byte, or 0 at the end.
func (s *scanner) peek() byte {
	if s.pos < len(s.data) && s.data[s.pos] > ' ' {
		return s.data[s.pos]
	}
	return s.peekFurther()
}

func (s *scanner) peekFurther() byte {
	for s.pos < len(s.data) {
		switch c := s.data[s.pos]; c {
		case ' ', '\t', '\n', '\r':
			s.pos++
		default:
			return c
		}
	}
	return 0
}

// end checks that only white space is left.
func (s *scanner) end() error {
	if s.peek(); s.pos < len(s.data) {
		return s.unexpected("the end")
	}
	return nil
}

// raw passes one value and returns its text.
func (s *scanner) raw() (json.RawMessage, error) {
	s.peek()
	start := s.pos
	if err := s.skip(); err != nil {
		return nil, err
	}
	return s.data[start:s.pos:s.pos], nil
}

// skip passes one value.
func (s *scanner) skip() error {
	switch c := s.peek(); {
	case c == '"':
		_, err := s.quoted()
		return err
	case c == '{':
		return s.object(func([]byte) error { return s.skip() })
	case c == '[':
		return s.array(func() error { return s.skip() })
	case c == '-' || '0' <= c && c <= '9':
		_, err := s.number()
		return err
	default:
		_, err := s.word()
		return err
	}
}

// word passes null, true or false.
func (s *scanner) word() (any, error) {
	switch rest := s.data[s.pos:]; {
	case len(rest) >= 4 && string(rest[:4]) == "null":
		s.pos += 4
		return nil, nil
	case len(rest) >= 4 && string(rest[:4]) == "true":
		s.pos += 4
		return true, nil
	case len(rest) >= 5 && string(rest[:5]) == "false":
		s.pos += 5
		return false, nil
	}
	return nil, s.unexpected("a value")
}

// quoted passes a string and returns what stands between its quotes, escapes
// and all.
func (s *scanner) quoted() ([]byte, error) {
	if s.peek() != '"' {
		return nil, s.unexpected("a string")
	}
	s.pos++
	start := s.pos
	for s.plain(); s.pos < len(s.data); s.plain() {
		switch s.data[s.pos] {
		case '"':
			s.pos++
			return s.data[start : s.pos-1], nil
		case '\\':
			if err := s.escape(); err != nil {
				return nil, err
			}
		default:
			return nil, s.fail("control character in a string")
		}
	}
	return nil, s.fail("the text ends inside a string")
}

// plain passes what stands for itself in a string.
func (s *scanner) plain() {
	for i, c := range s.data[s.pos:] {
		if c == '"' || c == '\\' || c < ' ' {
			s.pos += i
			return
		}
	}
	s.pos = len(s.data)
}

// escape passes a backslash and what belongs to it.
func (s *scanner) escape() error {
	rest := s.data[s.pos+1:]
	if len(rest) == 0 {
		return s.fail("the text ends inside a string")
	}
	switch rest[0] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		s.pos += 2
		return nil
	case 'u':
		if len(rest) >= 5 && isHex(rest[1]) && isHex(rest[2]) && isHex(rest[3]) && isHex(rest[4]) {
			s.pos += 6
			return nil
		}
	}
	return s.fail("unknown escape in a string")
}

func isHex(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F'
}

// number passes a number and returns its text.
func (s *scanner) number() ([]byte, error) {
	start := s.pos
	if s.at('-') {
		s.pos++
	}
	switch {
	case s.at('0'):
		s.pos++
	case !s.digits():
		return nil, s.unexpected("a digit")
	}
	if s.at('.') {
		s.pos++
		if !s.digits() {
			return nil, s.unexpected("a digit")
		}
	}
	if s.at('e') || s.at('E') {
		s.pos++
		if s.at('+') || s.at('-') {
			s.pos++
		}
		if !s.digits() {
			return nil, s.unexpected("a digit")
		}
	}
	return s.data[start:s.pos], nil
}

func (s *scanner) at(c byte) bool { return s.pos < len(s.data) && s.data[s.pos] == c }

// digits passes digits and reports whether there was one.
func (s *scanner) digits() bool {
	start := s.pos
	for s.pos < len(s.data) && '0' <= s.data[s.pos] && s.data[s.pos] <= '9' {
		s.pos++
	}
	return s.pos > start
}

// array passes an array; item is called at each element and must pass it.
func (s *scanner) array(item func() error) error {
	return s.list('[', ']', "an array", item)
}

// object passes an object; member is called with each key, quotes removed and
// escapes kept, and must pass the value.
func (s *scanner) object(member func(key []byte) error) error {
	return s.list('{', '}', "an object", func() error {
		key, err := s.quoted()
		if err != nil {
			return err
		}
		if s.peek() != ':' {
			return s.unexpected("':'")
		}
		s.pos++
		return member(key)
	})
}

// list passes what stands between two brackets, with commas between.
func (s *scanner) list(open, closing byte, what string, item func() error) error {
	if s.peek() != open {
		return s.unexpected(what)
	}
	if s.depth++; s.depth > deepest {
		return s.fail(fmt.Sprintf("nested more than %d deep", deepest))
	}
	s.pos++
	for first := true; s.peek() != closing; first = false {
		if !first {
			if !s.at(',') {
				return s.unexpected("',' or '" + string(closing) + "'")
			}
			s.pos++
		}
		if err := item(); err != nil {
			return err
		}
	}
	s.pos++
	s.depth--
	return nil
}

// text turns what stands between quotes into a string.
func text(quoted []byte) string {
	if w, ok := usual(quoted); ok {
		return w
	}
	for _, c := range quoted {
		if c == '\\' {
			var out string
			// It was checked by quoted, so this cannot fail.
			_ = json.Unmarshal(append(append([]byte{'"'}, quoted...), '"'), &out)
			return out
		}
	}
	return string(quoted)
}

// any builds one value of the kinds that canonical describes.
func (s *scanner) any() (any, error) {
	switch c := s.peek(); {
	case c == '"':
		q, err := s.quoted()
		return text(q), err
	case c == '{':
		out := map[string]any{}
		return out, s.object(func(key []byte) error {
			k := text(key)
			v, err := s.any()
			out[k] = v
			return err
		})
	case c == '[':
		out := make([]any, 0, 2) // as many as a time limit has
		err := s.array(func() error {
			v, err := s.any()
			out = append(out, v)
			return err
		})
		return out, err
	case c == '-' || '0' <= c && c <= '9':
		n, err := s.number()
		if err != nil {
			return nil, err
		}
		v, ok := number(string(n))
		if !ok {
			s.huge = true
			return nil, nil
		}
		return v, nil
	default:
		return s.word()
	}
}
