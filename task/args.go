package task

import (
	"encoding/json"
	"errors"
	"fmt"
	"unicode/utf8"
)

// ParseArgs reads positional arguments from a JSON array, as a person types
// it on a command line: [4, "four"]. An empty text is no arguments. Errors
// are one line and say at which character the text stops making sense.
func ParseArgs(jsonArray string) ([]json.RawMessage, error) {
	var args []json.RawMessage
	err := parse(jsonArray, '[', "a JSON array such as [4, 4]", func(s *scanner) error {
		return s.array(func() error {
			raw, err := s.raw()
			args = append(args, raw)
			return err
		})
	})
	if err != nil {
		return nil, fmt.Errorf("arguments: %w", err)
	}
	return args, nil
}

// ParseKwargs reads named arguments from a JSON object: {"ms": 20}. It is
// otherwise like ParseArgs; a name that comes twice is an error.
func ParseKwargs(jsonObject string) (map[string]json.RawMessage, error) {
	var kwargs map[string]json.RawMessage
	err := parse(jsonObject, '{', `a JSON object such as {"ms": 20}`, func(s *scanner) error {
		return s.object(func(key []byte) error {
			name := text(key)
			if _, twice := kwargs[name]; twice {
				return s.fail(fmt.Sprintf("the name %q comes twice", name))
			}
			raw, err := s.raw()
			if kwargs == nil {
				kwargs = map[string]json.RawMessage{}
			}
			kwargs[name] = raw
			return err
		})
	})
	if err != nil {
		return nil, fmt.Errorf("named arguments: %w", err)
	}
	return kwargs, nil
}

// parse reads text with take, which is called only if text begins with open.
func parse(text string, open byte, what string, take func(*scanner) error) error {
	if !utf8.ValidString(text) {
		return errors.New("not UTF-8")
	}
	s := scanner{data: []byte(text)}
	if c := s.peek(); c == 0 && s.pos == len(text) {
		return nil
	} else if c != open {
		return atCharacter(text, s.unexpected(what))
	}
	err := take(&s)
	if err == nil {
		err = s.end()
	}
	return atCharacter(text, err)
}

// atCharacter gives the position of a syntax error as a person counts it.
func atCharacter(text string, err error) error {
	var syntax *syntaxError
	if !errors.As(err, &syntax) {
		return err
	}
	return fmt.Errorf("character %d: %s", 1+utf8.RuneCountInString(text[:syntax.pos]), syntax.what)
}
