package disk

import (
	"bytes"
	"time"
)

// node is a file or a directory, whatever its names are.
type node struct {
	dir     bool
	size    int64 // with all changes
	changes []change
	synced  int // how many of the changes are durable
	named   int // how far the log of names has to be durable for this node's own
	born    int // the same for its first name
	syncs   int
	held    int64    // size of what is durable
	base    int64    // bytes that were there before the trace
	flying  []change // under way at the end: done, done in part, or not
	trouble string   // why its contents cannot be known
}

// change is one change of a file's contents.
type change struct {
	offset int64
	data   []byte // nil: cut or extended to offset
	at     int64  // when it had returned, microseconds of the wall clock
}

// largest is the size of a file, in bytes, that is still put together in memory.
const largest = 1 << 32

func (n *node) change(c change) {
	if n.tooLarge(c) {
		return
	}
	n.changes = append(n.changes, c)
	n.size = c.sizeAfter(n.size)
}

func (n *node) tooLarge(c change) bool {
	if c.offset >= 0 && c.offset <= largest-int64(len(c.data)) {
		return false
	}
	n.trouble = "it is larger than what is put together in memory"
	return true
}

// flies notes a change that was under way at the end.
func (n *node) flies(c change) {
	if n.tooLarge(c) {
		return
	}
	n.flying = append(n.flying, c)
}

func (c change) sizeAfter(size int64) int64 {
	if c.data == nil {
		return c.offset
	}
	return max(size, c.offset+int64(len(c.data)))
}

// content is the file after the first changes.
func (n *node) content(changes int) []byte {
	var b []byte
	for _, c := range n.changes[:changes] {
		b = c.apply(b)
	}
	return b
}

func (c change) apply(b []byte) []byte {
	if c.data == nil {
		if c.offset <= int64(len(b)) {
			return b[:c.offset]
		}
		return extended(b, c.offset)
	}
	b = extended(b, c.offset+int64(len(c.data)))
	copy(b[c.offset:], c.data)
	return b
}

// extended makes b at least so long, with zeros.
func extended(b []byte, length int64) []byte {
	if more := length - int64(len(b)); more > 0 {
		if length <= int64(cap(b)) {
			old := len(b)
			b = b[:length]
			clear(b[old:])
			return b
		}
		b = append(b, make([]byte, more)...)
	}
	return b
}

// is reports whether the file on the disk is this one with all its changes. Of those
// that were under way at the end, each byte may be there or not.
func (n *node) is(actual []byte) bool {
	without := n.content(len(n.changes))
	if bytes.Equal(without, actual) {
		return true
	}
	with := bytes.Clone(without)
	for _, c := range n.flying {
		with = c.apply(with)
	}
	if len(actual) < min(len(without), len(with)) || len(actual) > max(len(without), len(with)) {
		return false
	}
	for i, b := range actual {
		if (i >= len(without) || without[i] != b) && (i >= len(with) || with[i] != b) {
			return false
		}
	}
	return true
}

// lost are the bytes and the age, at the moment at, of what no sync covered.
func (n *node) lost(at int64) (size int64, age time.Duration) {
	for _, c := range n.changes[n.synced:] {
		size += int64(len(c.data))
		if c.at > 0 {
			age = max(age, time.Duration(at-c.at)*time.Microsecond)
		}
	}
	return size, age
}

func (n *node) written() (size int64) {
	for _, c := range n.changes {
		size += int64(len(c.data))
	}
	return size - n.base
}
