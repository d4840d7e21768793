package experiments

import (
	"fmt"
	"testing"
	"time"
)

// begunEvery makes tasks that are begun one after the other, in the order of the word: h
// is urgent and l is not. Those of l were confirmed long before; an h when came says.
func begunEvery(step time.Duration, word string, came func(begun time.Duration) time.Duration) (all []beginning, high map[string]bool) {
	high = map[string]bool{}
	for i, kind := range word {
		at := time.Minute + time.Duration(i)*step
		b := beginning{task: fmt.Sprint(i), confirmed: int64(time.Second), begun: int64(at)}
		if kind == 'h' {
			high[b.task] = true
			b.confirmed = int64(came(at))
		}
		all = append(all, b)
	}
	return all, high
}

func TestWhatIsBegunWhileAnUrgentTaskIsOnItsWayIsNotBeforeIt(t *testing.T) {
	t.Parallel()
	ago := func(d time.Duration) func(time.Duration) time.Duration {
		return func(begun time.Duration) time.Duration { return begun - d }
	}
	for name, c := range map[string]struct {
		came func(time.Duration) time.Duration
		want overtaken
	}{
		"it was on its way for all of them": {ago(90 * time.Millisecond), overtaken{before: 4, waited: 0, among: 0, waiting: 6}},
		"it waited for two of them":         {ago(130 * time.Millisecond), overtaken{before: 5, waited: 1, among: 0, waiting: 7}},
	} {
		all, high := begunEvery(20*time.Millisecond, "lllllhll", c.came)
		got := overtakenOf(all, high)
		got.waits = nil
		if fmt.Sprint(got) != fmt.Sprint(c.want) {
			t.Errorf("%s: %+v, want %+v", name, got, c.want)
		}
	}
	all, high := begunEvery(20*time.Millisecond, "llhlhlh", ago(time.Second))
	if got := overtakenOf(all, high); got.among != 2 || got.before != 4 || got.waited != 4 {
		t.Errorf("two are begun among three urgent ones that had waited for a second: %+v", got)
	}
}

func TestTheLongestWaitOfTheOthersLeavesTheUrgentOnesOut(t *testing.T) {
	t.Parallel()
	long := func(begun time.Duration) time.Duration { return 0 }
	all, high := begunEvery(20*time.Millisecond, "hllh", long) // those of l were confirmed a second after zero, and begun from a minute on
	if got, want := longestOfLow(all, high), 59_040.0; got != want {
		t.Errorf("%.1f ms, want %.1f: the second of them", got, want)
	}
}

func TestAStreamThatPausesLetsTheOthersIn(t *testing.T) {
	t.Parallel()
	waited := func(begun time.Duration) time.Duration { return begun - time.Second }
	justCame := func(begun time.Duration) time.Duration { return begun - time.Millisecond }
	for _, c := range []struct {
		came     func(time.Duration) time.Duration
		word     string
		meantime int
		percent  float64
	}{
		{waited, "hhhlhhhl", 1, 100 * 6.0 / 7}, // the last one of l: no other was there
		{waited, "hhhhlll", 0, 100},
		{justCame, "hhhlhhhl", 0, 100},
		{waited, "lhlhlh", 3, 50},
	} {
		all, high := begunEvery(20*time.Millisecond, c.word, c.came)
		if got := shareOf(all, high, 100); got.meantime != c.meantime || got.percent() != c.percent {
			t.Errorf("%s: %d meantime, %.1f %%; want %d, %.1f %%", c.word, got.meantime, got.percent(), c.meantime, c.percent)
		}
	}
}
