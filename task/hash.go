package task

import (
	"bytes"
	"encoding/json"
	"hash/fnv"
	"slices"
	"strconv"
)

// Hash identifies what the message asks for: its name and arguments, however
// they are spaced. Two messages of the same task have the same hash. It is 16
// hexadecimal digits of FNV-1a, good against damage, not against malice.
func (m *Message) Hash() string {
	h := fnv.New64a()
	h.Write([]byte(m.Name))
	for _, a := range m.Args {
		h.Write([]byte{0})
		h.Write(compact(a))
	}
	names := make([]string, 0, len(m.Kwargs))
	for name := range m.Kwargs {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		h.Write([]byte{1})
		h.Write([]byte(name))
		h.Write([]byte{0})
		h.Write(compact(m.Kwargs[name]))
	}
	const digits = 16
	s := strconv.FormatUint(h.Sum64(), 16)
	return "0000000000000000"[:digits-len(s)] + s
}

// compact is raw without spaces between its tokens; what is no JSON stays.
func compact(raw json.RawMessage) []byte {
	if !bytes.ContainsAny(raw, " \t\r\n") {
		return raw
	}
	var b bytes.Buffer
	if json.Compact(&b, raw) != nil {
		return raw
	}
	return b.Bytes()
}
