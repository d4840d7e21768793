package check

import (
	"strings"
	"testing"

	"acklab/internal/ledger"
)

func TestALieIsFoundAndWhatOnlyLooksLikeOneIsNot(t *testing.T) {
	t.Parallel()
	lose := func(b *bench) { b.write("worker", ledger.Line{Event: ledger.Lost, Session: 1}) }
	begin := func(b *bench) {
		b.receive("worker", "t0", "m0", "first")
		b.does("worker", "t0", "m0", ledger.Accepted, ledger.Started, ledger.Finished)
	}
	marks := func(b *bench) { b.trial.Expect.MarksAlways = true }
	cases := []struct {
		name   string
		play   func(*bench)
		finds  string // "": nothing
		second bool   // a second worker takes part
	}{
		{"a task was collapsed that nobody has finished", func(b *bench) {
			b.receive("worker", "t0", "m0", "first")
			b.does("worker", "t0", "m0", ledger.Accepted, ledger.Collapsed, ledger.AckSending, ledger.AckSent)
		}, "nobody had finished it", false},
		{"a task was collapsed before it was finished", func(b *bench) {
			b.receive("worker", "t0", "m0", "first")
			b.does("worker", "t0", "m0", ledger.Accepted, ledger.Collapsed, ledger.Started, ledger.Finished)
		}, "nobody had finished it", false},
		{"a task was collapsed that had been finished", func(b *bench) {
			begin(b)
			b.does("worker", "t0", "m0", ledger.Collapsed)
		}, "", false},
		{"an acknowledgement of a dead session", func(b *bench) {
			begin(b)
			lose(b)
			b.does("worker", "t0", "m0", ledger.AckSending, ledger.AckSent)
		}, "honoured for a session that was lost", false},
		{"a requeue of a dead session", func(b *bench) {
			begin(b)
			lose(b)
			b.does("worker", "t0", "m0", ledger.Requeuing, ledger.Requeued)
		}, "honoured for a session that was lost", false},
		{"an acknowledgement that had begun before the session died", func(b *bench) {
			begin(b)
			b.does("worker", "t0", "m0", ledger.AckSending)
			lose(b)
			b.does("worker", "t0", "m0", ledger.AckSent)
		}, "", false},
		{"a stale acknowledgement of a dead session", func(b *bench) {
			begin(b)
			lose(b)
			b.does("worker", "t0", "m0", ledger.AckSending, ledger.StaleAck)
		}, "", false},
		{"an unsure acknowledgement of a dead session", func(b *bench) {
			begin(b)
			lose(b)
			b.does("worker", "t0", "m0", ledger.AckSending, ledger.AckUnsure)
		}, "", false},
		{"a flush that was overtaken by the loss", func(b *bench) {
			begin(b)
			b.does("worker", "t0", "m0", ledger.AckSending)
			lose(b)
			b.does("worker", "t0", "m0", ledger.AckSent)
			b.write("worker", ledger.Line{Event: ledger.Acked, Session: 1, Upto: int64(len(b.lines["worker"]))})
		}, "", false},
		{"an acknowledgement after the session where deliveries live by their lease", func(b *bench) {
			b.trial.Expect.LeaseBound = true
			begin(b)
			lose(b)
			b.does("worker", "t0", "m0", ledger.AckSending, ledger.AckSent)
		}, "", false},
		{"an acknowledgement in the session after", func(b *bench) {
			begin(b)
			lose(b)
			b.write("worker", ledger.Line{Event: ledger.Received, Task: "t0", Message: "m0", Session: 2, Seen: "again"})
			for _, e := range []ledger.Event{ledger.AckSending, ledger.AckSent} {
				b.write("worker", ledger.Line{Event: e, Task: "t0", Message: "m0", Session: 2})
			}
		}, "", false},
		{"one delivery in two slots", func(b *bench) {
			begin(b)
			b.does("worker", "t0", "m0", ledger.Accepted)
		}, "a delivery was handed out more than once", false},
		{"two first deliveries", func(b *bench) {
			marks(b)
			begin(b)
			b.receive("second", "t0", "m0", "first")
		}, "a redelivery was not marked", true},
		{"two first deliveries to one process", func(b *bench) {
			marks(b)
			begin(b)
			begin(b)
		}, "a redelivery was not marked", false},
		{"two first deliveries of a broker that does not always mark", func(b *bench) {
			begin(b)
			b.receive("second", "t0", "m0", "first")
		}, "", true},
		{"two first deliveries around a polite return", func(b *bench) {
			marks(b)
			b.receive("worker", "t0", "m0", "first")
			b.does("worker", "t0", "m0", ledger.GivenBack)
			b.receive("second", "t0", "m0", "first")
			b.runs("second", "t0", "m0", "late")
		}, "", true},
		{"a first delivery that was written down late", func(b *bench) {
			marks(b)
			b.receive("second", "t0", "m0", "again")
			b.runs("second", "t0", "m0", "late")
			b.receive("worker", "t0", "m0", "first")
		}, "", true},
		{"two first deliveries of two publishes under one id", func(b *bench) {
			marks(b)
			b.publish("producer", "t0", "m0", ledger.Confirmed)
			begin(b)
			b.receive("second", "t0", "m0", "first")
		}, "", true},
		{"two first deliveries of a broken broker", func(b *bench) {
			marks(b)
			b.trial.Expect.BrokerFault, b.trial.Expect.Faults = true, []string{"f"}
			b.write("runner", ledger.Line{Event: ledger.FaultInjected, Fault: "f"})
			begin(b)
			b.receive("second", "t0", "m0", "first")
		}, "", true},
		{"a mark on the only delivery there can have been", func(b *bench) {
			marks(b)
			b.write("worker", ledger.Line{Event: ledger.Consuming})
			b.receive("worker", "t0", "m0", "again")
			b.runs("worker", "t0", "m0", "late")
		}, "a first delivery was marked", false},
		{"a mark on the only delivery of a consumer that was connected", func(b *bench) {
			marks(b)
			b.write("worker", ledger.Line{Event: ledger.Connected, Session: 1})
			b.write("worker", ledger.Line{Event: ledger.Consuming})
			b.receive("worker", "t0", "m0", "again")
			b.runs("worker", "t0", "m0", "late")
		}, "a first delivery was marked", false},
		{"a mark on a second delivery", func(b *bench) {
			marks(b)
			b.write("worker", ledger.Line{Event: ledger.Consuming})
			b.receive("worker", "t0", "m0", "first")
			b.receive("worker", "t0", "m0", "again")
			b.runs("worker", "t0", "m0", "late")
		}, "", false},
		{"a mark in a second session", func(b *bench) {
			marks(b)
			for session := range 2 {
				b.write("worker", ledger.Line{Event: ledger.Connected, Session: session + 1})
			}
			b.write("worker", ledger.Line{Event: ledger.Consuming})
			b.receive("worker", "t0", "m0", "again")
			b.runs("worker", "t0", "m0", "late")
		}, "", false},
		{"a mark after a session was lost", func(b *bench) {
			marks(b)
			lose(b)
			b.write("worker", ledger.Line{Event: ledger.Consuming})
			b.receive("worker", "t0", "m0", "again")
			b.does("worker", "t0", "m0", ledger.Accepted, ledger.Started, ledger.Finished)
		}, "", false},
		{"a mark where somebody was killed", func(b *bench) {
			marks(b)
			b.start("killed")
			b.kill("killed")
			b.write("worker", ledger.Line{Event: ledger.Consuming})
			b.receive("worker", "t0", "m0", "again")
			b.runs("worker", "t0", "m0", "late")
		}, "", false},
		{"a mark where another consumer may have had it", func(b *bench) {
			marks(b)
			b.write("second", ledger.Line{Event: ledger.Consuming})
			b.write("worker", ledger.Line{Event: ledger.Consuming})
			b.receive("worker", "t0", "m0", "again")
			b.runs("worker", "t0", "m0", "late")
		}, "", true},
		{"another content", func(b *bench) {
			b.write("worker", ledger.Line{Event: ledger.Received, Task: "t0", Message: "m0", Hash: "other"})
			b.runs("worker", "t0", "m0", "late")
		}, "another content", false},
		{"a delivery that only its slot wrote down", func(b *bench) { b.runs("worker", "t0", "m0", "late") }, "", false},
		{"a handler without a delivery", func(b *bench) {
			b.does("worker", "t0", "m0", ledger.Started, ledger.Finished)
		}, "a handler began without a delivery", false},
		{"a handler that never began", func(b *bench) {
			b.receive("worker", "t0", "m0", "first")
			b.does("worker", "t0", "m0", ledger.Accepted, ledger.Finished)
		}, "a handler finished without having begun", false},
		{"a handler that finished twice", func(b *bench) {
			begin(b)
			b.does("worker", "t0", "m0", ledger.Finished)
		}, "a handler finished without having begun", false},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			b.start("producer", "worker")
			b.publish("producer", "t0", "m0", ledger.Confirmed)
			if c.second {
				b.start("second")
			}
			c.play(b)
			b.end("producer", "worker")
			var held []heldMessage
			if c.second {
				b.end("second")
			}
			b.finish(held...)
			r := b.sure()
			switch {
			case c.finds == "" && len(r.Broken) > 0:
				t.Errorf("found %q", r.Broken)
			case c.finds != "" && (len(r.Broken) != 1 || !strings.Contains(r.Broken[0], c.finds)):
				t.Errorf("found %q, want one that says %q", r.Broken, c.finds)
			}
			if outcome, _ := Outcome(Bounds{"redelivered": {0, 1}, "restarted": {0, 1}, "repeated": {0, 1}, "stranded": {0, 1}, "lost": {0, 1}}, []Result{r}); c.finds != "" && outcome != Surprise {
				t.Errorf("the outcome of a lie is %s", outcome)
			}
		})
	}
}
