package experiments

import (
	"context"
	"errors"
	"fmt"
	"time"

	"acklab/internal/check"
	"acklab/internal/ledger"
)

// What the experiments about the end of a server have in common: a load, an
// end, and a worker that takes what is left.

// The ends of a server.
const (
	endKill   = "kill"
	endPolite = "polite stop"
	endCut    = "power cut"
)

// The loads that the end comes into.
const (
	loadIdle   = "idle"   // all is published and confirmed, and two seconds have passed
	loadStream = "stream" // a producer is in the middle of a steady stream
)

const (
	idleLoad     = 500
	streamLoad   = 2000
	streamRate   = 500  // a second
	streamBefore = 1000 // confirmed before the end
	// streamBehind is how many more may be confirmed until the server is
	// down, a second and a half later on a slow machine.
	streamBehind = 750
	restAfter    = 2 * time.Second
)

// endOf is the fault that ends the server and starts it again.
func endOf(end string) (Step, string) {
	switch end {
	case endPolite:
		return StopServer(), faultRestart
	case endCut:
		return CutPower(), faultPowerCut
	}
	return KillServer(), faultRestart
}

// serverEnds is a cell without its prediction: the server ends with the load,
// comes back on what it has left, and a worker takes that. Beside Celery's worker
// it is Celery's own producer that fills an idle queue, where it asks for confirms;
// it has no steady rate for a stream.
func serverEnds(sys System, setting Setting) Cell {
	fault, kind := endOf(setting["end"])
	c := Cell{
		System: sys, Setting: setting, Trials: 3, Pace: Beside, Load: idleLoad, Seconds: 7, Control: setting["load"],
		Expect: ledger.Expect{Faults: []string{kind}, BrokerFault: true}, Predicted: check.Bounds{}, Reasons: map[string]string{},
	}
	c.Server = ServerSpec{Own: true, Persistence: setting["persistence"], Trace: setting["end"] == endCut}
	publish := Publish
	if sys.Celery {
		c.Seconds += 7         // its programs take seconds to start
		c.Settle = time.Minute // where each command is synced it takes 50 tasks a second on a busy disk
		if setting["confirms"] != "no" {
			publish = func(j Job) Step { return PublishByCelery("producer", j) }
		}
	}
	load := []Step{publish(Job{Count: idleLoad, Name: "noop"}), AwaitHeld(idleLoad), Age(restAfter)}
	end, unharmed := fault, []Step(nil)
	if setting["load"] == loadStream {
		c.Load, c.Seconds = streamLoad, c.Seconds+4
		load = []Step{StartProducer(Job{Count: streamLoad, Name: "noop", Rate: streamRate})}
		end, unharmed = UnderLoad(streamBefore, fault), []Step{AwaitEnd("producer")}
		c.wide("unsure", 0, streamBehind, "what was on its way when the server ended")
		c.wide("refused", 0, streamLoad-streamBefore, "what was sent while the server was down")
	}
	take := []Step{StartWorker("worker", holderHands()), AwaitConsuming("worker")}
	born := []Step{Declare(), Age(restAfter)} // a young queue is not an old one
	if c.Server.Trace {
		born = append(born, AgeServer())
	}
	c.Steps = concat(born, load, []Step{end}, take)
	c.Clean = concat(born, load, unharmed, take)
	return c
}

func concat(parts ...[]Step) (all []Step) {
	for _, p := range parts {
		all = append(all, p...)
	}
	return all
}

// wide predicts a range, with its reason; a point needs none.
func (c *Cell) wide(name string, lo, hi int, why string) {
	c.Predicted[name] = [2]int{lo, hi}
	if lo != hi {
		c.Reasons[name] = why
	}
}

// loses predicts how many confirmed tasks are lost inside the broker.
func (c *Cell) loses(lo, hi int, why string) {
	c.wide("lost", lo, hi, why)
	c.wide("lost_in_broker", lo, hi, why)
}

// losesAll predicts the loss of everything that was confirmed before the end.
func (c *Cell) losesAll() {
	if c.Setting["load"] == loadIdle {
		c.loses(idleLoad, idleLoad, "")
		return
	}
	c.loses(streamBefore, streamBefore+streamBehind, "all that was confirmed before the end, which comes some milliseconds after the 1,000th confirm")
}

// AwaitHeld waits until the server itself says that it holds n messages that
// are ready. Without confirms nobody else knows.
func AwaitHeld(n int) Step {
	return Step{fmt.Sprintf("wait until the server holds %d tasks", n), func(ctx context.Context, t *Trial) error {
		tick := time.NewTicker(settleEvery)
		defer tick.Stop()
		for {
			held, err := t.view(ctx, t.queue)
			if err == nil && held.ready >= n {
				return nil
			}
			select {
			case <-tick.C:
			case <-ctx.Done():
				return fmt.Errorf("wait until the server holds %d tasks: it has %s: %w", n, held, errors.Join(ctx.Err(), err))
			}
		}
	}}
}
