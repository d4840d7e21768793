package report_test

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"acklab/internal/check"
	"acklab/internal/report"
)

// lostEarly are the moments at which early acknowledgement loses the task.
var (
	earlyMoments = []string{"before-fetch", "fetched", "ack-sent", "acked", "started", "mid", "finished", "result-stored"}
	lateMoments  = []string{"before-fetch", "fetched", "started", "mid", "finished", "result-stored", "late-ack-sent", "late-acked"}
	lostEarly    = []string{"acked", "started", "mid"}
	repeatedLate = []string{"finished", "result-stored"}
	back         = map[string]float64{"asynq": 71.3, "redis": 58.2, "rabbitmq": 0.0021, "rabbitmq-quorum": 0.0034}
)

func counts(values check.Counts) check.Counts {
	c := check.Counts{}
	for _, name := range check.Names {
		c[name] = 0
	}
	c["attempted"], c["confirmed"], c["finished"] = 10, 10, 10
	maps.Copy(c, values)
	return c
}

// flagship is a run of the worker-crash experiment as the material of the
// laboratory leads one to expect it, with an odd cell of every kind.
func flagship() report.Run {
	e := report.Experiment{Name: report.Flagship, Question: "Is the task lost when the worker crashes?", Claims: []string{"B1", "B2", "B3", "B4", "B5"}}
	for _, system := range []string{"rabbitmq", "memory", "asynq", "redis", "rabbitmq-quorum"} {
		thens := []string{"survivor", "restart"}
		if system == "memory" {
			thens = []string{"none"}
		}
		for _, then := range thens {
			for _, ack := range []string{"early", "late"} {
				list := earlyMoments
				if ack == "late" {
					list = lateMoments
				}
				for _, moment := range list {
					e.Cells = append(e.Cells, cell(system, ack, moment, then))
				}
			}
		}
	}
	e.Verdicts = []report.Verdict{
		{Claim: "B1", Verdict: "holds", Because: "before the fetch nothing was lost in 30 trials on redis 7.0.15 and rabbitmq 3.10.8."},
		{Claim: "B2", Verdict: "depends", Because: "a task that was fetched and not acknowledged came back everywhere; one that was acknowledged early and not begun was lost on every broker: the condition is the acknowledgement, not the fetch."},
		{Claim: "B4", Verdict: "refuted", Because: "after the handler and before the late acknowledgement the task ran twice on asynq, redis, rabbitmq and rabbitmq-quorum (3 of 3 each)."},
		{Claim: "B9", Verdict: "not run", Because: "it is not built."},
	}
	plain := report.Experiment{Name: "fair-dispatch", Question: "Does a prefetch of 1 spread tasks fairly?", Claims: []string{"C2"}, Verdicts: []report.Verdict{{Claim: "C2", Verdict: "holds", Because: "the short tasks waited 0.1 s with multiplier 1 and 3.9 s with 10 (n = 3)."}}}
	for i, m := range []string{"1", "4", "10"} {
		c := report.Cell{System: "rabbitmq", Setting: map[string]string{"multiplier": m}, Predicted: check.Bounds{}, Because: "a task that is prefetched cannot go elsewhere.", Outcome: report.AsPredicted}
		for n := range 3 {
			c.Trials = append(c.Trials, report.Trial{ID: fmt.Sprintf("fair-dispatch-rabbitmq-%s-%d", m, n+1), Seed: int64(n + 1), Counts: counts(nil), Measures: map[string]float64{"makespan_seconds": 1.5 + float64(i*n), "jain_index": 1 - float64(i)*0.13}})
		}
		e := c
		plain.Cells = append(plain.Cells, e)
	}
	return report.Run{
		Schema:  report.Schema,
		Started: time.Date(2026, 3, 1, 12, 30, 0, 0, time.UTC),
		Host:    map[string]any{"os": "linux 6.1", "cpu": "Example CPU @ 2.4 GHz", "cores": 2, "memory": "8 GB", "go": "go1.26.8"},
		Servers: map[string]string{"redis": "7.0.15", "rabbitmq": "3.10.8"},
		Experiments: []report.Experiment{
			e, plain,
		},
	}
}

func cell(system, ack, moment, then string) report.Cell {
	c := report.Cell{
		System:    system,
		Setting:   map[string]string{"ack": ack, "crash_at": moment, "then": then},
		Predicted: check.Bounds{}, Because: "the broker " + map[string]string{"early": "had been told to forget the task", "late": "was told nothing before the end"}[ack] + ".",
		Outcome: report.AsPredicted,
	}
	if system == "memory" && moment == "fetched" || system == "asynq" && (moment == "ack-sent" || moment == "late-ack-sent") {
		c.Outcome, c.Reason = report.NotRun, "no such point"
		return c
	}
	n := 3
	if moment == "ack-sent" || moment == "late-ack-sent" {
		n = 50
	}
	if system == "rabbitmq-quorum" && moment == "mid" && ack == "late" {
		c.Outcome, c.Reason = report.Surprise, "lost 1 in trial 2, predicted 0"
	}
	for i := range n {
		t := report.Trial{ID: fmt.Sprintf("worker-crash-%s-%s-%s-%s-%d", system, ack, moment, then, i+1), Seed: int64(100 + i), Measures: map[string]float64{}}
		v := check.Counts{}
		switch {
		case system == "memory":
			v["lost"], v["lost_in_broker"], v["finished"] = 10, 10, 0
			c.Predicted["lost"] = [2]int{10, 10}
		case ack == "early" && slices.Contains(lostEarly, moment):
			v["lost"], v["lost_after_ack"], v["finished"] = 1, 1, 9
			c.Predicted["lost"] = [2]int{1, 1}
		case moment == "ack-sent" && i%4 == 0:
			v["lost"], v["lost_after_ack"], v["finished"] = 1, 1, 9
			c.Predicted["lost"] = [2]int{0, 1}
			c.Reasons = map[string]string{"lost": "the acknowledgement races with the death of the worker."}
		case ack == "late" && (slices.Contains(repeatedLate, moment) || moment == "late-ack-sent" && i%5 == 0):
			v["repeated"], v["restarted"], v["redelivered"] = 1, 1, 1
			c.Predicted["repeated"], c.Predicted["restarted"], c.Predicted["redelivered"] = [2]int{0, 1}, [2]int{0, 1}, [2]int{0, 1}
			t.Measures["redelivery_seconds"] = back[system] * (1 + float64(i)/10)
		case ack == "late" && moment != "before-fetch" && moment != "late-acked":
			v["restarted"], v["redelivered"] = 1, 1
			c.Predicted["restarted"], c.Predicted["redelivered"] = [2]int{0, 1}, [2]int{0, 1}
			t.Measures["redelivery_seconds"] = back[system] * (1 + float64(i)/10)
		}
		if ack == "late" && moment == "started" {
			t.Measures["prefetched"], t.Measures["prefetched_lost"] = 9, 0
		}
		if c.Outcome == report.Surprise && i == 1 {
			v = check.Counts{"lost": 1, "lost_unexplained": 1, "finished": 9}
		}
		if system == "redis" && moment == "before-fetch" && ack == "late" && then == "survivor" {
			t.Unsure = []string{"the census is incomplete: the server did not answer"}
			c.Outcome, c.Reason = report.Unsure, "3 of 3 trials: the census is incomplete: the server did not answer"
		}
		t.Counts = counts(v)
		c.Trials = append(c.Trials, t)
	}
	return c
}
