package doctor

import (
	"slices"
	"strconv"
	"strings"
)

// version is a release as numbers: 7.0.15 is {7, 0, 15}.
type version []int

// parseVersion reads the leading numbers; nil if there are none.
func parseVersion(text string) version {
	var v version
	for part := range strings.SplitSeq(text, ".") {
		digits := part
		if i := strings.IndexFunc(part, func(r rune) bool { return r < '0' || r > '9' }); i >= 0 {
			digits = part[:i]
		}
		n, err := strconv.Atoi(digits)
		if err != nil {
			break
		}
		v = append(v, n)
		if digits != part {
			break
		}
	}
	return v
}

// before tells whether v is known and older.
func (v version) before(numbers ...int) bool { return v != nil && slices.Compare(v, numbers) < 0 }
