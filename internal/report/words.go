package report

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// raceTrials is how many trials make a race: a cell with this many is counted
// in trials ("12 of 50"), one with fewer in tasks.
const raceTrials = 10

// Duration is a time in seconds as people say it: "0.4 ms", "2 ms", "1.2 s",
// "58 s", "12 min".
func Duration(seconds float64) string {
	switch s := math.Abs(seconds); {
	case seconds == 0:
		return "0 ms"
	case s < 0.00095:
		return fmt.Sprintf("%.1f ms", seconds*1000)
	case s < 0.9995:
		return fmt.Sprintf("%.0f ms", seconds*1000)
	case s < 9.95:
		return fmt.Sprintf("%.1f s", seconds)
	case s < 599.5:
		return fmt.Sprintf("%.0f s", seconds)
	default:
		return fmt.Sprintf("%.0f min", seconds/60)
	}
}

// measure is a measure as people read it: times by Duration, the rest with
// three digits at least.
func measure(name string, v float64) string {
	switch {
	case strings.HasSuffix(name, "_seconds"):
		return Duration(v)
	case v == math.Trunc(v) && math.Abs(v) < 1e15:
		return strconv.FormatFloat(v, 'f', 0, 64)
	case math.Abs(v) >= 1000:
		return strconv.FormatFloat(v, 'f', 0, 64)
	default:
		return strconv.FormatFloat(v, 'g', 3, 64)
	}
}

// setting is a cell's setting in one line.
func setting(s map[string]string) string {
	var parts []string
	for _, k := range settingKeys(s) {
		parts = append(parts, k+"="+s[k])
	}
	return strings.Join(parts, " ")
}

func settingKeys(s map[string]string) []string {
	return slices.SortedFunc(maps.Keys(s), func(a, b string) int {
		if d := keyRank(a) - keyRank(b); d != 0 {
			return d
		}
		return strings.Compare(a, b)
	})
}

// keyOrder is the order in which settings are said; others follow by name.
var keyOrder = []string{"ack", "crash_at", "then", "killed", "persistence", "queue_age", "task", "fault", "wait"}

func keyRank(key string) int { return position(keyOrder, key) }

// bounds is a predicted range: "1" or "0 to 1".
func bounds(b [2]int) string {
	if b[0] == b[1] {
		return strconv.Itoa(b[0])
	}
	return fmt.Sprintf("%d to %d", b[0], b[1])
}

func plural(n int, one string) string {
	if n == 1 {
		return "1 " + one
	}
	return strconv.Itoa(n) + " " + one + "s"
}

// join is a list as a sentence has it: "a, b and c".
func join(words []string) string {
	switch n := len(words); n {
	case 0:
		return ""
	case 1:
		return words[0]
	default:
		return strings.Join(words[:n-1], ", ") + " and " + words[n-1]
	}
}

func capital(s string) string {
	r, n := utf8.DecodeRuneInString(s)
	if n == 0 {
		return s
	}
	return strings.ToUpper(string(r)) + s[n:]
}

// sentence is the text with a capital and a full stop.
func sentence(s string) string {
	if s == "" || strings.HasSuffix(s, ".") || strings.HasSuffix(s, "!") || strings.HasSuffix(s, "?") {
		return capital(s)
	}
	return capital(s) + "."
}

// width is how many columns the text takes on a terminal; what the report
// writes has no wide and no combining characters.
func width(s string) int { return utf8.RuneCountInString(s) }

// pad fills the text with blanks on the right.
func pad(s string, n int) string { return s + strings.Repeat(" ", max(0, n-width(s))) }

// wrap breaks the text at blanks into lines of at most n columns; a word that
// is longer stands alone.
func wrap(text string, n int) []string {
	var lines []string
	line := ""
	for _, word := range strings.Fields(printable(text)) {
		switch {
		case line == "":
			line = word
		case width(line)+1+width(word) <= n:
			line += " " + word
		default:
			lines = append(lines, line)
			line = word
		}
	}
	return append(lines, line)
}

// printable takes out what a terminal would obey: reasons and ids come from
// servers and from whoever publishes.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) && r != '\n' && r != '\t' {
			return -1
		}
		return r
	}, s)
}
