package inspect

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Printable is a name from a server as it may be shown on a terminal: what is
// not printable, and bytes that are no UTF-8, are written as \x06.
func Printable(name string) string {
	if utf8.ValidString(name) && !strings.ContainsFunc(name, hidden) {
		return name
	}
	var b strings.Builder
	for i, r := range name {
		size := utf8.RuneLen(r)
		if r == utf8.RuneError {
			_, size = utf8.DecodeRuneInString(name[i:])
		}
		if (r == utf8.RuneError && size == 1) || hidden(r) {
			quoted := strconv.QuoteToASCII(name[i : i+size])
			b.WriteString(quoted[1 : len(quoted)-1])
			continue
		}
		b.WriteRune(r)
	}
	return b.String()
}

func hidden(r rune) bool { return !unicode.IsPrint(r) }
