package check

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// condition says in words what tells the cells in which a claim holds from
// those in which it does not: "holds with ack=late; not with ack=early". It
// tries each setting alone, the system being one, then each pair, and takes
// the shortest description that fits every cell; where none fits it gives the
// numbers.
func condition(cells []decision) string {
	var keys []string
	for _, k := range keysOf(cells) {
		if len(valuesOf(cells, k)) > 1 {
			keys = append(keys, k)
		}
	}
	var fits []string
	for n := 1; n <= mostKeys && len(fits) == 0; n++ {
		for _, some := range ordered(keys, n) {
			fits = append(fits, describe(cells, some...)...)
		}
	}
	if len(fits) == 0 {
		return fmt.Sprintf("holds in %d of %d cells, and no %d settings tell them apart", satisfied(cells), len(cells), mostKeys)
	}
	return slices.MinFunc(fits, func(a, b string) int {
		return cmp.Or(cmp.Compare(len(a), len(b)), strings.Compare(a, b))
	})
}

// mostKeys is how many settings a condition may name.
const mostKeys = 3

// ordered are all choices of n of the keys, in every order.
func ordered(keys []string, n int) [][]string {
	if n == 0 {
		return [][]string{nil}
	}
	var all [][]string
	for _, first := range keys {
		rest := slices.DeleteFunc(slices.Clone(keys), func(k string) bool { return k == first })
		for _, more := range ordered(rest, n-1) {
			all = append(all, append([]string{first}, more...))
		}
	}
	return all
}

// satisfied counts the cells in which the claim holds.
func satisfied(cells []decision) (good int) {
	for _, c := range cells {
		if c.against == 0 {
			good++
		}
	}
	return good
}

// describe is the sentence for the keys if they tell the cells apart: one key,
// or a first one that does it for some of its values and a second one for the
// rest. Otherwise it is nil.
func describe(cells []decision, keys ...string) []string {
	yes, no, ok := terms(cells, keys)
	if !ok {
		return nil
	}
	return []string{fmt.Sprintf("holds with %s; not with %s", strings.Join(yes, " and with "), strings.Join(no, " and with "))}
}

// terms sorts the values of the first key into those that hold, those that do
// not, and those that need the next key. ok is false when no key is left for
// them.
func terms(cells []decision, keys []string) (yes, no []string, ok bool) {
	key := keys[0]
	var hold, fail []string
	for _, v := range valuesOf(cells, key) {
		group := withValue(cells, key, v)
		switch good := satisfied(group); {
		case good == len(group):
			hold = append(hold, v)
		case good == 0:
			fail = append(fail, v)
		case len(keys) == 1:
			return nil, nil, false
		default:
			y, n, ok := terms(group, keys[1:])
			if !ok {
				return nil, nil, false
			}
			yes = append(yes, term(key, v)+", "+strings.Join(y, " or "))
			no = append(no, term(key, v)+", "+strings.Join(n, " or "))
		}
	}
	if len(hold) > 0 {
		yes = append([]string{term(key, hold...)}, yes...)
	}
	if len(fail) > 0 {
		no = append([]string{term(key, fail...)}, no...)
	}
	return yes, no, true
}

// term is "ack=late", "crash_at in (acked, started)", or "no prefetch" for a
// setting that the cells do not have.
func term(key string, values ...string) string {
	if len(values) == 1 {
		if values[0] == "" {
			return "no " + key
		}
		return key + "=" + values[0]
	}
	shown := slices.Clone(values)
	for i, v := range shown {
		if v == "" {
			shown[i] = "not set"
		}
	}
	return fmt.Sprintf("%s in (%s)", key, strings.Join(shown, ", "))
}

// keysOf are all keys of the cells: the system first, then by name.
func keysOf(cells []decision) []string {
	seen := map[string]bool{}
	var keys []string
	for _, c := range cells {
		for k := range c.keys {
			if !seen[k] {
				seen[k] = true
				keys = append(keys, k)
			}
		}
	}
	slices.SortFunc(keys, func(a, b string) int {
		if (a == "system") != (b == "system") {
			if a == "system" {
				return -1
			}
			return 1
		}
		return strings.Compare(a, b)
	})
	return keys
}

// valuesOf are the values of the key, in the order in which the cells have
// them, which is the order of the catalogue.
func valuesOf(cells []decision, key string) []string {
	var values []string
	for _, c := range cells {
		if v := c.keys[key]; !slices.Contains(values, v) {
			values = append(values, v)
		}
	}
	return values
}

func withValue(cells []decision, key, value string) []decision {
	var group []decision
	for _, c := range cells {
		if c.keys[key] == value {
			group = append(group, c)
		}
	}
	return group
}
