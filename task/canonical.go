package task

import (
	"encoding/json"
	"math"
	"reflect"
	"strconv"
	"time"
	"unicode/utf8"
)

// canonical brings a header value to one of the few kinds that both an AMQP
// table and JSON can carry without change: nil, bool, string, int64, float64
// (never a whole number that an int64 holds), []any, map[string]any. It
// reports false for what has no such form: NaN, bytes that are no text, types
// of a client library.
func canonical(v any) (any, bool) {
	switch x := v.(type) {
	case nil, bool, int64:
		return v, true
	case string:
		return v, utf8.ValidString(x)
	case []byte:
		return string(x), utf8.Valid(x)
	case float64:
		if n, whole := wholeOf(x); whole {
			return n, true
		}
		return v, finite(x)
	case json.Number:
		return number(string(x))
	case time.Time:
		return formatTime(x), expressible(x)
	case []any:
		return canonicalList(x)
	case map[string]any:
		return canonicalMap(x)
	}
	return canonicalKind(reflect.ValueOf(v))
}

// canonicalKind handles the types that are only known by their kind, such as
// a client library's own table type.
func canonicalKind(v reflect.Value) (any, bool) {
	switch v.Kind() {
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return v.Int(), true
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return int64(v.Uint()), v.Uint() <= math.MaxInt64
	case reflect.Float32, reflect.Float64:
		return wholeOrFloat(v.Float())
	case reflect.String:
		return v.String(), utf8.ValidString(v.String())
	case reflect.Bool:
		return v.Bool(), true
	case reflect.Map:
		if v.Type().ConvertibleTo(reflect.TypeFor[map[string]any]()) {
			return canonicalMap(v.Convert(reflect.TypeFor[map[string]any]()).Interface().(map[string]any))
		}
	}
	return nil, false
}

func canonicalList(list []any) (any, bool) {
	out := make([]any, len(list))
	for i, v := range list {
		c, ok := canonical(v)
		if !ok {
			return nil, false
		}
		out[i] = c
	}
	return out, true
}

func canonicalMap(m map[string]any) (any, bool) {
	out := make(map[string]any, len(m))
	for k, v := range m {
		c, ok := canonical(v)
		if !ok || !utf8.ValidString(k) {
			return nil, false
		}
		out[k] = c
	}
	return out, true
}

// number reads a JSON number: an int64 where it fits, else a float64.
func number(text string) (any, bool) {
	if n, err := strconv.ParseInt(text, 10, 64); err == nil {
		return n, true
	}
	f, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return nil, false
	}
	return wholeOrFloat(f)
}

// wholeOrFloat turns a whole number into an int64 where that holds it: JSON
// does not tell 3.0 from 3.
func wholeOrFloat(f float64) (any, bool) {
	if n, whole := wholeOf(f); whole {
		return n, true
	}
	return f, finite(f)
}

func wholeOf(f float64) (int64, bool) {
	whole := f == math.Trunc(f) && f >= math.MinInt64 && f < math.MaxInt64
	return int64(f), whole
}

func finite(f float64) bool { return !math.IsNaN(f) && !math.IsInf(f, 0) }
