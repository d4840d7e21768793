package check

import (
	"fmt"
	"slices"
	"strings"
)

// ClaimCell is one cell as one claim sees it: Bounds are what the claim itself
// predicts there, and only what they state counts.
type ClaimCell struct {
	System  string
	Setting map[string]string
	Bounds  Bounds
	Trials  []Result
	// Predicted is the cell's own prediction. Where it has room for both, a few trials
	// do not tell which is the rule.
	Predicted Bounds
	// Outcome is against the cell's own prediction. NotRun leaves the cell
	// out, and so does Doubtful when no trial of its own is: then it is the
	// cell as a whole that does not count.
	Outcome string
}

// The verdicts on a claim. NotRun is the fourth.
const (
	Holds   = "holds"
	Refuted = "refuted"
	Depends = "depends"
)

// Verdict judges a claim from all cells that it speaks of, by their sure
// trials alone: it holds in a cell when every one of them is within the
// claim's bounds (see WithinStated). It holds when it does in every cell, is
// refuted when it does in none, and else depends, on what the sentence says:
// the smallest set of settings that tells the cells apart, or, when three
// of them do not, just in how many cells. Cells whose own trials disagree are
// left out of that condition where the others show one, and named after it as
// a matter of chance; so are cells with fewer than five trials, all of them
// against the claim, which the cell's own prediction had foreseen either way. How many
// cells of that kind hold after as few trials is said. Cells without a sure trial decide nothing; if all are
// like that the verdict is not run. The sentence names the systems and settings
// that were tried, the number of trials and how far it carries (see Frequency).
func Verdict(claim string, cells []ClaimCell) (verdict, because string) {
	var decided []decision
	trials, against, silent, unsure, untold := 0, 0, 0, 0, 0
	for _, c := range cells {
		d := decide(c)
		if d.n > 0 {
			unsure += len(c.Trials) - d.n
		}
		if d.n == 0 {
			silent++
			continue
		}
		decided = append(decided, d)
		trials, against = trials+d.n, against+d.against
		if d.either && d.against == 0 {
			untold++
		}
	}
	if len(decided) == 0 {
		return NotRun, notRun(claim, cells)
	}
	where := plural(len(decided), "cell")
	switch satisfied(decided) {
	case len(decided):
		verdict, because = Holds, fmt.Sprintf("holds in %s", where)
		if len(decided) > 1 {
			because = fmt.Sprintf("holds in all %s", where)
		}
	case 0:
		verdict, because = Refuted, "holds nowhere"
		if !slices.ContainsFunc(decided, func(d decision) bool { return !d.open() }) {
			verdict, because = Depends, "may go either way"
		}
	default:
		rest := slices.DeleteFunc(slices.Clone(decided), decision.open)
		verdict, because = Depends, condition(settledCells(rest))
		if good := satisfied(rest); good == len(rest) {
			because = fmt.Sprintf("holds in all cells but %d", len(decided)-good)
		}
	}
	if verdict == Holds {
		because += fmt.Sprintf("; trials against it: %s", Frequency(against, trials))
	} else {
		because += fmt.Sprintf(" (%s, %s)", where, plural(trials, "trial"))
	}
	tried := tried(decided, because)
	because += races(decided)
	if untold > 0 {
		because += fmt.Sprintf("; in %s of those that hold it may go either way, after fewer than %d trials each", plural(untold, "cell"), few)
	}
	because += tried
	if unsure > 0 {
		because += fmt.Sprintf("; not counted, because unsure: %s", plural(unsure, "trial"))
	}
	if silent > 0 {
		because += fmt.Sprintf("; %s undecided", plural(silent, "cell"))
	}
	return verdict, because
}

func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// notRun says why no cell decides.
func notRun(claim string, cells []ClaimCell) string {
	if len(cells) == 0 {
		return fmt.Sprintf("no cell speaks of %s", claim)
	}
	for _, c := range cells {
		for _, r := range c.Trials {
			if len(r.Unsure) > 0 {
				return fmt.Sprintf("no trial of %s counts: %s", plural(len(cells), "cell"), r.Unsure[0])
			}
		}
	}
	for _, c := range cells {
		if c.doubtful() {
			return fmt.Sprintf("no trial of %s counts: the cells themselves are in doubt", plural(len(cells), "cell"))
		}
	}
	return fmt.Sprintf("none of %s was run", plural(len(cells), "cell"))
}

// decision is what the sure trials of one cell say about a claim.
type decision struct {
	keys       map[string]string // the setting, and the system
	n, against int
	either     bool // the trials are few, and both was foreseen
}

// open tells whether all trials are against the claim and yet tell no rule.
func (d decision) open() bool { return d.either && d.against == d.n }

// mixed tells whether the trials disagree.
func (d decision) mixed() bool { return d.against > 0 && d.against < d.n }

// few trials that agree may do so by chance: with fewer than five, what is seen in
// all of them may still be seen less than every second time (95 %).
const few = 5

func decide(c ClaimCell) decision {
	d := decision{keys: map[string]string{"system": c.System}}
	for k, v := range c.Setting {
		d.keys[k] = v
	}
	if c.Outcome == NotRun || c.doubtful() {
		return d
	}
	for _, r := range c.Trials {
		if len(r.Unsure) > 0 {
			continue
		}
		d.n++
		if len(WithinStated(c.Bounds, r)) > 0 {
			d.against++
		}
	}
	d.either = d.n > 0 && d.n < few && c.Outcome != Surprise && c.foresaw()
	return d
}

// foresaw tells whether the cell's own prediction has room for both, what the claim
// says and what it does not, by a few tasks: where it is many, one trial is many
// chances.
func (c ClaimCell) foresaw() bool {
	both := false
	for name, claimed := range c.Bounds {
		lo, hi, bound := c.Predicted.of(name)
		if !isCount(name) {
			var own [2]int
			own, bound = c.Predicted[name]
			lo, hi = own[0], own[1]
		}
		switch {
		case c.Predicted == nil || !bound || hi < claimed[0] || lo > claimed[1]:
			return false
		case lo >= claimed[0] && hi <= claimed[1]:
		case hi-lo >= few:
			return false
		default:
			both = true
		}
	}
	return both
}

// doubtful tells whether the cell as a whole is in doubt and not one of its
// trials: when its control did not run clean, say.
func (c ClaimCell) doubtful() bool {
	return c.Outcome == Doubtful && !slices.ContainsFunc(c.Trials, func(r Result) bool { return len(r.Unsure) > 0 })
}

// mostValues is how many values of one setting the sentence names.
const mostValues = 6

// tried names the systems and settings of the cells, those that the sentence
// has named already left out: "; tried with system in (redis, rabbitmq),
// ack=late".
func tried(decided []decision, sentence string) string {
	var terms []string
	for _, k := range keysOf(decided) {
		values := slices.DeleteFunc(valuesOf(decided, k), func(v string) bool { return v == "" })
		switch {
		case len(values) == 0 || strings.Contains(sentence, " "+k+"=") || strings.Contains(sentence, " "+k+" in ("):
		case len(values) > mostValues:
			terms = append(terms, fmt.Sprintf("%d values of %s", len(values), k))
		default:
			terms = append(terms, term(k, values...))
		}
	}
	if len(terms) == 0 {
		return ""
	}
	return "; tried with " + strings.Join(terms, ", ")
}

// settledCells are the cells in which it is no matter of chance, or all of
// them when those alone would not show that it depends.
func settledCells(decided []decision) []decision {
	settled := slices.DeleteFunc(slices.Clone(decided), decision.mixed)
	if good := satisfied(settled); good == 0 || good == len(settled) {
		return decided
	}
	return settled
}

// races names the cells whose own trials disagree, and those that may yet do: in
// them it is a matter of chance. At most three, those with the most trials first.
func races(decided []decision) string {
	mixed := slices.DeleteFunc(slices.Clone(decided), func(d decision) bool { return !d.open() && !d.mixed() })
	slices.SortStableFunc(mixed, func(a, b decision) int { return b.n - a.n })
	text := ""
	for i, d := range mixed {
		if i == 3 {
			text += fmt.Sprintf("; a matter of chance in %s more", plural(len(mixed)-i, "cell"))
			break
		}
		text += fmt.Sprintf("; a matter of chance with %s: %s", d.name(), Frequency(d.against, d.n))
	}
	return text
}

// name is the cell's system and setting, in order of the keys.
func (d decision) name() string {
	var all []string
	for _, k := range keysOf([]decision{d}) {
		all = append(all, k+"="+d.keys[k])
	}
	return strings.Join(all, ", ")
}
