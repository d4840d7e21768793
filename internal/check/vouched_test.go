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
		if got := b.vouched(at, false); got != c.want {
			t.Errorf("%s: vouched for is %v, want %v", name, got, c.want)
		}
	}
}

func TestADeliveryIsVouchedForByItsOwnAcknowledgementAlone(t *testing.T) {
	t.Parallel()
	line := func(event ledger.Event, session int) ledger.Line {
		return ledger.Line{Event: event, Message: "m", Session: session}
	}
	sent, unsure := line(ledger.AckSent, 1), line(ledger.AckUnsure, 1)
	again := line(ledger.Received, 2)
	acked := ledger.Line{Event: ledger.Acked, Session: 2, Upto: 9}
	for name, c := range map[string]struct {
		lines         []ledger.Line
		session       int // of the checkpoint
		want, outlive bool
	}{
		"its own is unsure":                          {[]ledger.Line{unsure}, 1, false, false},
		"and others were acked before":               {[]ledger.Line{sent, acked, unsure}, 1, false, false},
		"and others were acked after":                {[]ledger.Line{unsure, acked}, 1, false, false},
		"the first delivery was unsure":              {[]ledger.Line{unsure, again}, 2, true, false},
		"the first was on its way":                   {[]ledger.Line{sent, again}, 2, true, false},
		"the first is still running":                 {[]ledger.Line{unsure, again}, 1, false, false},
		"the second is on its way":                   {[]ledger.Line{unsure, again, line(ledger.AckSent, 2)}, 2, false, false},
		"the second is acked":                        {[]ledger.Line{unsure, again, line(ledger.AckSent, 2), acked}, 2, true, false},
		"the first outlives its session":             {[]ledger.Line{sent, again}, 2, false, true},
		"the first outlives its session, and unsure": {[]ledger.Line{unsure, again}, 2, false, true},
		"a checkpoint without a session":             {[]ledger.Line{unsure, again}, 0, false, false},
	} {
		for i := range c.lines {
			c.lines[i].Seq = int64(i + 1)
		}
		b := &book{lines: c.lines}
		at := ledger.Line{Event: ledger.Checkpoint, Message: "m", Session: c.session, Point: "started"}
		if got := b.vouched(at, c.outlive); got != c.want {
			t.Errorf("%s: vouched for is %v, want %v", name, got, c.want)
		}
	}
}
