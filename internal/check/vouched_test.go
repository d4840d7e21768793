package check

import (
	"testing"

	"acklab/internal/ledger"
)

func TestAnAcknowledgementIsVouchedForByAnAckedLineAndByNoneAfterItWasUnsure(t *testing.T) {
	t.Parallel()
	sent := ledger.Line{Event: ledger.AckSent, Message: "m"}
	other := ledger.Line{Event: ledger.AckSent, Message: "n"}
	acked := func(upto int64) ledger.Line { return ledger.Line{Event: ledger.Acked, Upto: upto} }
	unsure := func(upto int64) ledger.Line { return ledger.Line{Event: ledger.AckUnsure, Upto: upto} }
	for name, c := range map[string]struct {
		lines []ledger.Line
		want  bool
	}{
		"not handed over":                   {[]ledger.Line{other}, true},
		"no word":                           {[]ledger.Line{sent}, false},
		"covered":                           {[]ledger.Line{sent, acked(1)}, true},
		"a line too early":                  {[]ledger.Line{other, sent, acked(1)}, false},
		"the session ended":                 {[]ledger.Line{sent, unsure(1)}, false},
		"a later session acked others":      {[]ledger.Line{sent, unsure(1), other, acked(3)}, false},
		"unsure of an earlier one only":     {[]ledger.Line{other, sent, unsure(1), acked(2)}, true},
		"delivered and acknowledged again":  {[]ledger.Line{sent, unsure(1), sent, acked(3)}, true},
		"and that is not known again":       {[]ledger.Line{sent, acked(1), sent}, false},
		"covered before others were unsure": {[]ledger.Line{sent, acked(1), other, unsure(3)}, true},
	} {
		for i := range c.lines {
			c.lines[i].Seq = int64(i + 1)
		}
		b := &book{lines: c.lines}
		at := ledger.Line{Event: ledger.Checkpoint, Message: "m", Point: "acked"}
		if got := b.vouched(at); got != c.want {
			t.Errorf("%s: vouched for is %v, want %v", name, got, c.want)
		}
	}
}
