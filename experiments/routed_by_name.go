package experiments

import (
	"context"
	"errors"
	"fmt"

	"acklab/internal/check"
	"acklab/internal/ledger"
	"acklab/internal/publishing"
	"acklab/task"
)

var routedByName = &Experiment{
	Name:     "tasks-are-routed-by-name",
	Question: "Payments to the high queue, scraping to the low one: does each task come from the queue that its name says?",
	Claims:   []string{"H1"},
	Varies:   "what the routes say: names, globs, nothing, or a queue that nobody has made; the queue named by the sender",
	Threats: []string{
		"the routes decide in the producer, the proof is at the other end: each queue has a worker that takes from no other, and a task counts where it was confirmed for its queue and that worker received it",
		"a worker could say what the message says: Celery knows the queue of a delivery only by the message's own routing key, so it is who served it that shows the queue",
		"our routes in the place of Celery's: beside its workers it is its own producer that publishes, with task_routes",
		"a queue that nobody counts: one that a publish makes is in the census, too",
	},
	Suites: []Suite{Quick},
	Celery: true,
	Cells: func(sys System, suite Suite) []Cell {
		switch {
		case suite == Quick && sys.Name == "rabbitmq":
			return oneTrialEach(routedCell(sys, routedGlob), routedCell(sys, routedNowhere))
		case suite == Quick && sys.Name == "redis":
			return oneTrialEach(routedCell(sys, routedNowhere))
		case suite == Quick:
			return nil
		}
		return []Cell{routedCell(sys, routedNames), routedCell(sys, routedGlob), routedCell(sys, routedExplicit), routedCell(sys, routedNowhere)}
	},
}

const (
	routedNames    = "by name"
	routedGlob     = "by glob"
	routedExplicit = "sender names the queue"
	routedNowhere  = "to a queue that nobody made"

	routedEach  = 10 // tasks of each kind
	routedRight = "routed_right"
	routedWrong = "routed_wrong"
	nobodys     = "nobodys"
)

// routedLoad is one producer of a trial and the word for the queue that its
// tasks are to come from.
type routedLoad struct {
	producer string
	job      Job
	queue    string
}

func routedCell(sys System, how string) Cell {
	table := map[string][]string{
		routedNames:    {"process_payment", "high", "web_scrape", "low", "*", "rest"},
		routedGlob:     {"*_payment", "high", "web_*", "low", "*", "rest"},
		routedExplicit: {"process_payment", "low", "web_scrape", "high", "*", "high"}, // all of it wrong, if it counted
		routedNowhere:  {"process_payment", "high", "web_*", "low", "*", nobodys},
	}[how]
	job := func(name string, args ...any) Job {
		return Job{Count: routedEach, Name: name, Args: args, Routes: routes(table...)}
	}
	loads := []routedLoad{
		{"payments", job("process_payment", "o-1", 9.5), "high"},
		{"scraping", job("web_scrape", "http://example.org/"), "low"},
		{"others", job("noop"), "rest"},
	}
	c := Cell{
		System: sys, Setting: Setting{"routes": how}, Trials: 3, Pace: Beside, Load: len(loads) * routedEach, Seconds: 3,
		Queues: []string{"high", "low", "rest"}, Measures: []string{routedRight, routedWrong}, Reasons: map[string]string{},
		Because: "the producer publishes to the queue that the first fitting route names, and a queue hands out what is in it",
	}
	if sys.Kind == NoServer {
		c.NotRun = oneLoad
		return c
	}
	publish := PublishAs
	if sys.Celery {
		c.Setting["pool"], c.Seconds = "prefork", 14
		publish = PublishByCelery
	}
	received := len(loads) * routedEach
	c.Predicted = check.Bounds{routedRight: {received, received}, routedWrong: {0, 0}, "finished": {received, received}}
	if how == routedExplicit {
		for i := range loads {
			loads[i].job.Queue = loads[i].queue
		}
		c.Because = "the queue that the sender names wins over every route"
	}
	c.Steps = []Step{Declare()}
	for _, queue := range c.Queues {
		c.Steps = append(c.Steps, StartWorker(queue, Hands{Queues: queue, Ack: "early", Concurrency: 2, Multiplier: 2}))
	}
	for _, queue := range c.Queues {
		c.Steps = append(c.Steps, AwaitConsuming(queue))
	}
	if how == routedNowhere {
		received -= routedEach
		c.Predicted = check.Bounds{routedRight: {received, received}, routedWrong: {0, 0}, "finished": {received, received}}
		switch {
		case sys.Celery:
			c.Because = "Celery's producer makes the queue that it publishes to (task_create_missing_queues): what was meant for nobody is stored, and waits for ever"
			c.Server.Own = true // the exchange that it makes, too, stays
		case sys.Traits().RefusesUnknownQueue:
			c.Because = "the server returns what no queue takes, and the producer is told"
			c.Predicted["refused"] = [2]int{routedEach, routedEach}
		default:
			c.Because = "a queue exists as soon as something is put into it: what was meant for nobody is stored, and waits for ever"
		}
		if c.Predicted["refused"] == [2]int{} {
			c.Predicted["stranded"] = [2]int{routedEach, routedEach}
			c.Steps = append(c.Steps, CountQueue(nobodys))
		}
	} else {
		c.Claims = map[string]check.Bounds{"H1": {routedRight: {received, received}, routedWrong: {0, 0}, "lost": {0, 0}}}
	}
	for i, l := range loads {
		if how == routedNowhere && l.queue == "rest" {
			loads[i].queue = nobodys
		}
		if how == routedNowhere && l.queue == "rest" && !sys.Celery {
			loads[i].producer = "runner"
			c.Steps = append(c.Steps, SendRouted(l.job)) // a producer of which all is refused ends with an error
			continue
		}
		c.Steps = append(c.Steps, publish(l.producer, l.job))
	}
	c.Steps = append(c.Steps, AwaitRuns(received))
	c.Final = []Step{MeasureRoutes(loads)}
	return c
}

// SendRouted publishes the tasks of the job where its routes lead. The runner
// itself is the producer.
func SendRouted(j Job) Step {
	return Step{fmt.Sprintf("send %d x %s where the routes lead", j.Count, j.Name), func(ctx context.Context, t *Trial) error {
		if t.run.plants(plantIdleVictim) {
			return nil
		}
		var messages []*task.Message
		for range j.Count {
			to := j.Routes.Apply(j.Name, task.Options{})
			m, err := task.New(j.Name, task.Options{Queue: t.named(to.Queue)}, j.Args...)
			if err != nil {
				return err
			}
			messages = append(messages, m)
			if err := t.write(publishing.Intent(m)); err != nil {
				return err
			}
		}
		return t.confirmed(messages, t.client.Publish(ctx, messages...))
	}}
}

// MeasureRoutes counts, of the tasks that the queues' workers received, those that were
// meant for the queue, confirmed for it and received from it by its worker
// (routed_right), and the others (routed_wrong).
func MeasureRoutes(loads []routedLoad) Step {
	return Step{"measure from which queue each task came", func(_ context.Context, t *Trial) error {
		meant, confirmed := map[string]string{}, map[string]string{}
		for _, load := range loads {
			lines, err := t.read(load.producer)
			if err != nil {
				return err
			}
			for _, l := range lines {
				switch l.Event {
				case ledger.Attempted:
					meant[l.Task] = load.queue
				case ledger.Confirmed:
					confirmed[l.Task] = l.Queue
				}
			}
		}
		if len(meant) == 0 {
			return fmt.Errorf("measure routes: no producer attempted anything")
		}
		right, wrong := 0, 0
		for _, queue := range t.cell.Queues {
			lines, err := t.read(queue)
			if err != nil {
				return err
			}
			for _, l := range lines {
				switch name := t.named(queue); {
				case l.Event != ledger.Received:
				case meant[l.Task] == queue && confirmed[l.Task] == name && l.Queue == name:
					right++
				default:
					wrong++
				}
			}
		}
		return errors.Join(t.Measure(routedRight, float64(right)), t.Measure(routedWrong, float64(wrong)))
	}}
}
