package experiments

import (
	"strings"
	"time"

	"acklab/internal/check"
)

var rabbitDurability = &Experiment{
	Name:     "rabbitmq-ends",
	Question: "RabbitMQ is killed or stopped and comes back: which queues and messages does it still have?",
	Claims:   []string{"O1", "O4"},
	Varies:   "durable queue x persistent messages x publisher confirms x end of the server x an idle queue or a steady stream",
	Threats: []string{
		"a young queue is not an old one: it is two seconds old before anything is published",
		"a publish without confirms is called confirmed when it was handed to the socket: that is what its producer believes, and the cell says so",
		"SIGKILL is not a power cut: both are cells where anything is meant to survive; a power cut takes what no completed fsync had covered",
		"the harness disturbs: where the load must leave a queue no rest of a fifth of a second the trial runs alone, and one in which the machine stood still is unsure",
		"a nack or a timeout is not a refusal: what was on its way is unsure, and stays apart from what was confirmed and lost",
	},
	Suites: []Suite{Quick},
	Celery: true,
	Cells:  rabbitEndCells,
}

func rabbitEndCells(sys System, suite Suite) []Cell {
	if sys.Kind != RabbitMQ {
		return nil
	}
	var cells []Cell
	for _, durable := range []string{"yes", "no"} {
		for _, persistent := range []string{"yes", "no"} {
			for _, confirms := range []string{"yes", "no"} {
				for _, end := range []string{endKill, endPolite, endCut} {
					for _, load := range []string{loadIdle, loadStream} {
						s := Setting{"durable": durable, "persistent": persistent, "confirms": confirms, "end": end, "load": load}
						switch disk := durable == "yes" && persistent == "yes"; {
						case !disk && (sys.Name == "rabbitmq-quorum" || end == endCut):
							continue // a quorum queue writes everything, whatever the message asks; what a kill loses needs no power cut
						case suite == Quick && !rabbitQuick(sys, s):
							continue
						}
						cells = append(cells, rabbitEnds(sys, s))
					}
				}
			}
		}
	}
	if suite == Quick || sys.Celery {
		return oneTrialEach(cells...)
	}
	return cells
}

// rabbitQuick chooses the cells that answer the claims in half a minute.
func rabbitQuick(sys System, s Setting) bool {
	if sys.Name != "rabbitmq" || s["end"] != endKill {
		return false
	}
	if s["load"] == loadIdle {
		return s["confirms"] == "yes" && (s["durable"] == "yes" || s["persistent"] == "yes")
	}
	return s["durable"] == "yes" && s["persistent"] == "yes"
}

func rabbitEnds(sys System, s Setting) Cell {
	c := serverEnds(sys, s)
	for _, word := range []string{"durable", "persistent", "confirms"} {
		if s[word] == "no" {
			c.Options = append(c.Options, word+"=false")
		}
	}
	if sys.Celery { // it declares the queue, so each kind of queue has to work without the end, too
		c.Control = strings.Join(append(c.Options, s["load"]), " ")
	}
	predictRabbitEnd(&c, s)
	c.Claims = rabbitEndClaims(&c, s)
	return c
}

// restsAfter is how long RabbitMQ waits for the next message before it takes a queue
// for idle and writes out what it holds back. A server that gets no processor for so
// long does the same in the middle of a stream.
const restsAfter = 200 * time.Millisecond

func predictRabbitEnd(c *Cell, s Setting) {
	confirms, polite, idle := s["confirms"] == "yes", s["end"] == endPolite, s["load"] == loadIdle
	onItsWay := func(least int) {
		if idle {
			return
		}
		lost := c.Predicted["lost"]
		c.loses(least, min(lost[1]+streamBehind/2, streamLoad-1), "and what was in sockets and buffers on both sides: written, and believed to be there")
	}
	switch {
	case s["durable"] == "no":
		c.losesAll()
		c.Because = "a queue that is not durable does not exist after a restart"
	case s["persistent"] == "no":
		c.losesAll()
		c.Because = "the queue is there again, but its transient messages were never meant for the disk"
	case confirms:
		c.loses(0, 0, "")
		c.Because = "a confirm comes after the message was written and synced"
		return
	case idle:
		c.loses(0, 0, "")
		c.Because = "RabbitMQ writes out and syncs what it holds back when the queue has been idle for a fifth of a second"
		return
	case polite:
		c.loses(0, 0, "")
		c.Because = "a polite stop writes out what the queue holds back"
	case s["durable"] == "yes" && c.System.Name == "rabbitmq-quorum":
		c.loses(0, 0, "")
		c.Because = "a quorum queue's log is written and synced whether or not somebody waits for the confirm"
	default:
		c.losesAll()
		c.Because = "without confirms to answer, a queue that is never idle writes its journal to the file only every 32,768 entries"
		c.Pace, c.Stall = Alone, restsAfter-paceEvery
	}
	if !confirms {
		onItsWay(c.Predicted["lost"][0])
	}
}

// rabbitEndClaims: O1 speaks of queues that are not durable, and of durable
// ones with persistent messages; O4 of confirms.
func rabbitEndClaims(c *Cell, s Setting) map[string]check.Bounds {
	claims := map[string]check.Bounds{}
	switch {
	case s["durable"] == "no":
		claims["O1"] = check.Bounds{"lost": c.Predicted["lost"]}
	case s["persistent"] == "yes" && s["confirms"] == "yes":
		claims["O1"] = check.Bounds{"lost": {0, 0}}
		claims["O4"] = check.Bounds{"lost": {0, 0}}
	case c.System.Name == "rabbitmq" && s["persistent"] == "yes" && s["load"] == loadStream && s["end"] != endPolite:
		// Elsewhere it may be lost, and need not: that excludes nothing.
		claims["O4"] = check.Bounds{"lost": {1, c.Load}}
	}
	return claims
}
