package task

// words are those that stand in nearly every message, as keys and as values, by
// their length. A message is read for every delivery; these are read without a
// new string each.
var words = byLength(
	"lang", "task", "id", "root_id", "parent_id", "group", "group_index", "shadow", "eta", "expires",
	"retries", "timelimit", "argsrepr", "kwargsrepr", "origin", "ignore_result", onceHeader, sentHeader,
	"replaced_task_nesting", "stamped_headers", "stamps",
	"()", "{}", contentType, contentEncoding, "base64",
)

func byLength(words ...string) [][]string {
	var by [][]string
	for _, w := range words {
		for len(by) <= len(w) {
			by = append(by, nil)
		}
		by[len(w)] = append(by[len(w)], w)
	}
	return by
}

// usual is a text as one of the words, if it is one.
func usual(text []byte) (string, bool) {
	if len(text) < len(words) {
		for _, w := range words[len(text)] {
			if string(text) == w {
				return w, true
			}
		}
	}
	return "", false
}
