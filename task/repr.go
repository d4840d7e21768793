package task

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// reprLimit bounds argsrepr and kwargsrepr in bytes. Celery's default is
// 1024 (celery/app/amqp.py, argsrepr_maxsize).
const reprLimit = 1024

// appendArgsRepr writes args as Python shows a tuple, for people who watch a
// queue: (2, 'a', None).
func appendArgsRepr(dst []byte, args []json.RawMessage) []byte {
	start := len(dst)
	dst = append(dst, '(')
	for i, raw := range args {
		if i > 0 {
			dst = append(dst, ", "...)
		}
		dst = appendRepr(dst, raw, start)
		if len(dst)-start > reprLimit {
			return cutRepr(dst, start)
		}
	}
	if len(args) == 1 {
		dst = append(dst, ',')
	}
	return cutRepr(append(dst, ')'), start)
}

// appendKwargsRepr writes kwargs as Python shows a dict, sorted by name.
func appendKwargsRepr(dst []byte, kwargs map[string]json.RawMessage) []byte {
	if len(kwargs) == 0 {
		return append(dst, "{}"...)
	}
	var few [8]string
	start := len(dst)
	dst = append(dst, '{')
	for i, name := range appendSorted(few[:0], kwargs) {
		if i > 0 {
			dst = append(dst, ", "...)
		}
		dst = appendPyString(dst, name)
		dst = append(dst, ": "...)
		dst = appendRepr(dst, kwargs[name], start)
		if len(dst)-start > reprLimit {
			return cutRepr(dst, start)
		}
	}
	return cutRepr(append(dst, '}'), start)
}

func sortedKeys[V any](m map[string]V) []string {
	if len(m) == 0 {
		return nil
	}
	return appendSorted(make([]string, 0, len(m)), m)
}

// appendSorted appends the keys of m, in order, to none.
func appendSorted[V any](none []string, m map[string]V) []string {
	for key := range m {
		none = append(none, key)
	}
	slices.Sort(none)
	return none
}

// cutRepr shortens what was written since start to the limit, with three
// dots where it was cut.
func cutRepr(dst []byte, start int) []byte {
	if len(dst)-start <= reprLimit {
		return dst
	}
	end := start + reprLimit - len("...")
	for !utf8.RuneStart(dst[end]) {
		end--
	}
	return append(dst[:end], "..."...)
}

// appendRepr writes one JSON value, which must be valid, as Python would show
// it. It stops early once much more than the limit was written.
func appendRepr(dst []byte, raw json.RawMessage, start int) []byte {
	s := scanner{data: raw}
	dst, _ = s.appendRepr(dst, start)
	return dst
}

// errLong ends a repr that is long enough.
var errLong = errors.New("long enough")

func (s *scanner) appendRepr(dst []byte, start int) (_ []byte, err error) {
	if len(dst)-start > reprLimit {
		return dst, errLong
	}
	first := true
	comma := func() {
		if !first {
			dst = append(dst, ", "...)
		}
		first = false
	}
	switch c := s.peek(); {
	case c == '"':
		q, err := s.quoted()
		// JSON takes at most six bytes for one of ours, so more is not needed.
		if len(q) > 6*reprLimit {
			return appendPyString(dst, text(cutEscaped(q))), errLong
		}
		return appendPyString(dst, text(q)), err
	case c == '[':
		dst = append(dst, '[')
		err = s.array(func() (err error) {
			comma()
			dst, err = s.appendRepr(dst, start)
			return err
		})
		return append(dst, ']'), err
	case c == '{':
		dst = append(dst, '{')
		err = s.object(func(key []byte) (err error) {
			comma()
			dst = append(appendPyString(dst, text(key)), ": "...)
			dst, err = s.appendRepr(dst, start)
			return err
		})
		return append(dst, '}'), err
	case c == '-' || '0' <= c && c <= '9':
		n, err := s.number()
		return append(dst, n...), err
	}
	word, err := s.word()
	switch word {
	case nil:
		return append(dst, "None"...), err
	case true:
		return append(dst, "True"...), err
	}
	return append(dst, "False"...), err
}

// cutEscaped shortens the inside of a JSON string without cutting an escape
// or a rune in two.
func cutEscaped(quoted []byte) []byte {
	s := scanner{data: quoted}
	for s.pos < 6*reprLimit {
		if s.at('\\') {
			if s.escape() != nil {
				break
			}
			continue
		}
		_, size := utf8.DecodeRune(quoted[s.pos:])
		s.pos += size
	}
	return quoted[:s.pos]
}

// appendPyString writes text as Python's repr does: in single quotes unless
// it holds one and no double quote.
func appendPyString(dst []byte, text string) []byte {
	quote := byte('\'')
	if strings.Contains(text, "'") && !strings.Contains(text, `"`) {
		quote = '"'
	}
	dst = append(dst, quote)
	for _, r := range text {
		switch {
		case r == rune(quote) || r == '\\':
			dst = append(dst, '\\', byte(r))
		case r == '\n':
			dst = append(dst, `\n`...)
		case r == '\r':
			dst = append(dst, `\r`...)
		case r == '\t':
			dst = append(dst, `\t`...)
		case ' ' <= r && r < 0x7f:
			dst = append(dst, byte(r))
		case r < 0x100 && !unicode.IsPrint(r):
			dst = fmt.Appendf(dst, `\x%02x`, r)
		case unicode.IsPrint(r):
			dst = utf8.AppendRune(dst, r)
		case r < 0x10000:
			dst = fmt.Appendf(dst, `\u%04x`, r)
		default:
			dst = fmt.Appendf(dst, `\U%08x`, r)
		}
	}
	return append(dst, quote)
}
