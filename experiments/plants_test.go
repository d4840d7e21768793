package experiments

import (
	"strings"
	"testing"

	"acklab/internal/ledger"
)

func TestCutTearsTheLastLineOrTakesOneFromTheMiddle(t *testing.T) {
	t.Parallel()
	const whole = `{"seq":1,"event":"opened"}` + "\n" + `{"seq":2,"event":"started"}` + "\n" + `{"seq":3,"event":"finished"}` + "\n" + `{"seq":4,"event":"closed"}` + "\n"
	for how, want := range map[string]func(ledger.File) bool{
		plantTorn: func(f ledger.File) bool { return f.Torn && len(f.Lines) == 3 },
		plantGap:  func(f ledger.File) bool { return !f.Torn && f.Damage != "" },
	} {
		damaged, err := cut([]byte(whole), how)
		if err != nil {
			t.Fatal(err)
		}
		file, err := ledger.Parse(strings.NewReader(string(damaged)))
		if err != nil || !want(file) {
			t.Errorf("%s: %q reads as torn %v, damage %q (%v)", how, damaged, file.Torn, file.Damage, err)
		}
	}
	if _, err := cut([]byte("{}\n"), plantTorn); err == nil {
		t.Error("a file of one line was damaged")
	}
}
