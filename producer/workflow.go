package producer

import (
	"fmt"

	"acklab/internal/ledger"
	"acklab/internal/notation"
	"acklab/task"
)

// Plan chooses all ids of a workflow and writes each task that it owes as planned,
// with its place, before anything is published: a successor that nobody ever
// publishes is missed. What is to be published first is the plan's.
func (p *Producer) Plan(s *task.Signature, opts task.Options) (*task.Plan, error) {
	plan, err := s.Plan(opts)
	if err != nil {
		return nil, err
	}
	places, err := notation.Places(s, plan)
	if err != nil {
		return nil, fmt.Errorf("plan a workflow: %w", err)
	}
	for i, step := range plan.Owed {
		l := ledger.Line{Event: ledger.Planned, Task: step.Task, Queue: step.Queue, Name: step.Name, Detail: map[string]string{
			ledger.DetailWorkflow: plan.Root, ledger.DetailPlace: places[i],
		}}
		if step.Group != "" {
			l.Detail[ledger.DetailGroup] = step.Group
		}
		if _, err := p.ledger.Write(l); err != nil {
			return nil, err
		}
	}
	return plan, nil
}

// starts is how many tasks a workflow begins with, if it can be sent at all.
func starts(s *task.Signature) (n int) {
	switch {
	case s == nil:
		return 0
	case s.Shape == task.Single:
		return 1
	case len(s.Tasks) == 0:
		return starts(s.Body)
	case s.Shape == task.ChainShape:
		return starts(s.Tasks[0])
	}
	for _, member := range s.Tasks {
		n += starts(member)
	}
	return n
}
