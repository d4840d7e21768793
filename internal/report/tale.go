package report

import (
	"fmt"
	"strings"

	"acklab/internal/check"
	"acklab/internal/ledger"
)

// words says what a line means for the task; "" leaves it out because the next
// line of the same process says more.
func (s *story) words(e entry, later []entry, h *holding) string {
	switch e.Event {
	case ledger.Planned:
		if next := nextOf(e, later); next != nil && next.Event == ledger.Attempted {
			return ""
		}
		return "was going to publish it: from here on the task is owed"
	case ledger.Attempted, ledger.Confirmed, ledger.Refused, ledger.Unsure:
		return s.publishWords(e)
	case ledger.Received:
		return s.receivedWords(e)
	case ledger.Dropped:
		return "lost it with its connection or lease before a slot took it" + because(e.Reason)
	case ledger.GivenBack:
		return "gave it back before a slot took it"
	case ledger.Accepted:
		if next := nextOf(e, later); next != nil && (next.Event == ledger.Started || next.Event == ledger.AckSending || next.Event == ledger.Rejecting) {
			return ""
		}
		return "a slot took it"
	case ledger.AckSending:
		if next := nextOf(e, later); next != nil && next.Event == ledger.AckSent {
			return ""
		}
		return fmt.Sprintf("was about to tell %s to forget it (%s acknowledgement)", s.broker, s.ackName())
	case ledger.AckSent:
		return fmt.Sprintf("told %s to forget it (%s acknowledgement); whether the message arrived is not known yet", s.broker, s.ackName())
	case ledger.Acked:
		return fmt.Sprintf("knows that %s has processed that acknowledgement: it no longer has the task", s.broker)
	case ledger.AckUnsure:
		return "does not know whether its settlement took effect" + because(e.Reason)
	case ledger.StaleAck:
		return fmt.Sprintf("tried to settle it too late: %s had taken the delivery back, and nothing changed", s.broker)
	case ledger.ProcessEnded:
		return s.deathWords(e, h)
	case ledger.FaultInjected:
		return "broke something on purpose: " + e.Fault
	case ledger.FaultHealed:
		return "repaired it: " + e.Fault
	case ledger.Held:
		return s.heldWords(e)
	case ledger.Holding:
		return fmt.Sprintf("held still at checkpoint %s until the experiment let it go on", e.Point)
	case ledger.Checkpoint, ledger.CensusClosed:
		return ""
	}
	return s.handlerWords(e, later)
}

func (s *story) publishWords(e entry) string {
	again := ""
	if e.Retries > 0 {
		again = fmt.Sprintf(" again, as retry %d", e.Retries)
	}
	switch e.Event {
	case ledger.Attempted:
		return fmt.Sprintf("is about to publish it%s to queue %q", again, e.Queue)
	case ledger.Confirmed:
		return fmt.Sprintf("got the confirm: %s has it, and from here on it must not be lost", s.broker)
	case ledger.Refused:
		return fmt.Sprintf("was told no: %s has certainly not stored it", s.broker) + because(e.Reason)
	default:
		return fmt.Sprintf("does not know whether %s stored it", s.broker) + because(e.Reason)
	}
}

func (s *story) receivedWords(e entry) string {
	if s.seen[e.Message] == 0 {
		return "received it"
	}
	switch {
	case s.seen[e.Message] < s.sent[e.Message]:
		return "received another copy of it: it was published more than once under the same id"
	case e.Seen == "again":
		return fmt.Sprintf("received it again (%s marked it as delivered before)", s.broker)
	case e.Seen == "first":
		return fmt.Sprintf("received it again (%s marked it as new, which it is not)", s.broker)
	default:
		return fmt.Sprintf("received it again (%s does not mark that)", s.broker)
	}
}

// deathWords is a kill as the task sees it.
func (s *story) deathWords(e entry, h *holding) string {
	how := fmt.Sprintf("signal %d", e.proc.Signal)
	if e.proc.Signal == 9 {
		how = "SIGKILL"
	}
	if e.Point != "" {
		how += " at checkpoint " + e.Point
	}
	text := "was killed here (" + how + ")"
	if h.sent[e.proc.Name] != 0 {
		return text + ": the acknowledgement was on its way"
	}
	return text
}

func (s *story) heldWords(e entry) string {
	state := map[string]string{
		"queued": "waiting in its queue", "unacked": "with a consumer, unacknowledged", "delayed": "waiting for its time", "dead": "parked in the dead letters",
	}[e.State]
	return fmt.Sprintf("took the census of all that %s still held: this task was there, %s", s.broker, orElse(state, e.State))
}

func (s *story) handlerWords(e entry, later []entry) string {
	switch e.Event {
	case ledger.Started:
		return "its handler began"
	case ledger.Finished:
		return "its handler finished: the work is done"
	case ledger.Failed:
		if e.Final {
			return "its handler failed, and no retry follows" + because(e.Reason)
		}
		return "its handler failed" + because(e.Reason)
	case ledger.Interrupted:
		return "its handler was stopped by the worker's shutdown"
	case ledger.Requeuing:
		if next := nextOf(e, later); next != nil && next.Event == ledger.Requeued {
			return ""
		}
		return "was about to give it back to the queue"
	case ledger.Requeued:
		return "gave it back to the queue"
	case ledger.Rejecting:
		if next := nextOf(e, later); next != nil && next.Event == ledger.Rejected {
			return ""
		}
		return "was about to park it in the dead letters" + because(e.Reason)
	case ledger.Rejected:
		return "parked it in the dead letters" + because(e.Reason)
	case ledger.Postponed:
		return fmt.Sprintf("did not run it: it came before its time, and %s holds another message of it for then", s.broker)
	case ledger.Expired:
		return "did not run it: its time had passed"
	case ledger.Revoked:
		return "did not run it: somebody revoked it"
	case ledger.Collapsed:
		return "did not run it again: it is to run once, and the result store says that it has succeeded"
	case ledger.CalledOff:
		return "called it off, it will never be published" + because(e.Reason)
	case ledger.ResultStored:
		return "stored " + e.State + " where the caller can see it"
	case ledger.ResultKept:
		return "offered " + e.State + " to the result store, which holds a later state and kept that"
	case ledger.ResultLost:
		return "could not store its result" + because(e.Reason)
	default:
		return lineText(e.Line)
	}
}

// nextOf is the next line of the same process about the same task.
func nextOf(e entry, later []entry) *entry {
	for i := range later {
		if later[i].proc.File == e.proc.File && (later[i].Message == e.Message || later[i].Task != "" && later[i].Task == e.Task) {
			return &later[i]
		}
	}
	return nil
}

func because(reason string) string {
	if reason == "" {
		return ""
	}
	return ": " + reason
}

func (s *story) ackName() string {
	if mode := s.trial.Setting["ack"]; mode != "" {
		return mode
	}
	return "its"
}

// did tells whether the story has such an event.
func (s *story) did(event ledger.Event) bool {
	for _, e := range s.events {
		if e.note == event {
			return true
		}
	}
	return false
}

// ending is the class of the task and why.
func (s *story) ending() string {
	f := s.fate
	text := strings.ReplaceAll(string(f.Class), "_", " ")
	if f.Class == check.Finished && f.Finishes > 1 {
		text += ", but repeated"
	}
	text += ": " + s.why()
	if f.BackAfter >= 0 && s.did(ledger.ProcessEnded) {
		text += fmt.Sprintf(" It was back with another worker %s after the kill.", Duration(f.BackAfter))
	}
	if f.Copied {
		text += " It was copied: several messages carried the same try of it."
	}
	if f.Leftover > 0 {
		text += fmt.Sprintf(" %s of it %s still held although it has ended.", capital(plural(f.Leftover, "message")), map[bool]string{true: "was", false: "were"}[f.Leftover == 1])
	}
	if f.ResultLost {
		text += " Its result was lost."
	}
	return text
}

func (s *story) why() string {
	f := s.fate
	switch f.Class {
	case check.Finished:
		return s.whyFinished()
	case check.Lost:
		return s.whyLost()
	case check.Failed:
		return fmt.Sprintf("its handler returned an error %s and no retry was left.", times(f.Starts))
	case check.Dead:
		return fmt.Sprintf("it is parked in the dead letters, where nobody runs it until a person looks (begun %s).", times(f.Starts))
	case check.Expired:
		return "its time had passed before a worker could run it."
	case check.Revoked:
		return "somebody revoked it before it ran."
	case check.Stranded:
		return fmt.Sprintf("%s still held it when the run ended. It is not lost, but nobody had run it to the end by then.", s.broker)
	case check.Unaccounted:
		return "there is no evidence of what became of it: no worker finished it, and the ledgers or the census are not whole enough to call it lost."
	case check.Recovered:
		return "the publisher could not know whether it was stored, and it was: it turned up later." + s.ran()
	case check.Absent:
		return "the publisher could not know whether it was stored, and nothing was ever seen of it. It was not promised, so it is not lost."
	case check.Refused:
		return fmt.Sprintf("%s said no, and nothing was seen of it: the publisher knows that it must try again.", s.broker)
	case check.Phantom:
		return "it was refused, and yet it was seen: that must never happen." + s.ran()
	case check.Unexpected:
		return "nobody published it or planned to, and yet it was seen: that must never happen." + s.ran()
	case check.NeverSent:
		if s.did(ledger.CalledOff) {
			return "what it waits for has failed, so it was called off. Whoever waits for its result gets that failure."
		}
		return "it was owed, and nobody ever tried to publish it."
	default:
		return "no word for this."
	}
}

func (s *story) whyFinished() string {
	f := s.fate
	switch {
	case f.Finishes > 1 && f.Copied:
		return fmt.Sprintf("its handler ran to the end %s: several messages of it were on their way.", times(f.Finishes))
	case f.Finishes > 1:
		return fmt.Sprintf("its handler ran to the end %s. The work was done before %s had been told to forget the task, so it was delivered again: who acknowledges late must expect repeats.", times(f.Finishes), s.broker)
	case f.Starts > 1 && s.did(ledger.ProcessEnded):
		return fmt.Sprintf("it was begun %s and ran to the end once. %s still had it when the worker died, because it had not been acknowledged.", times(f.Starts), s.broker)
	case f.Starts > 1:
		return fmt.Sprintf("it was begun %s and ran to the end once.", times(f.Starts))
	case f.Redelivered:
		return "it was delivered more than once, and its handler ran once, to the end."
	default:
		return "its handler ran once, to the end."
	}
}

func (s *story) whyLost() string {
	switch s.fate.Cause {
	case check.AfterAck:
		died := ""
		if s.did(ledger.ProcessEnded) {
			died = ", and the worker that had it died"
		}
		return fmt.Sprintf("nobody has it any more. %s had been told to forget it (%s acknowledgement) before its handler had run to the end%s.", s.broker, s.ackName(), died)
	case check.InBroker:
		return fmt.Sprintf("nobody has it any more. No worker had acknowledged it; %s itself was broken on purpose and did not keep it.", s.broker)
	case check.WhileTaken:
		return "nobody has it any more, and no worker had received it. A worker that takes a message off the queue and writes down that it has it in two steps was ended when this one was next: it went between the two."
	default:
		return fmt.Sprintf("nobody has it any more, no worker had acknowledged it, and %s was not broken on purpose. That is unexplained, and always a surprise.", s.broker)
	}
}

// ran is what a worker did with a task that nobody was sure of.
func (s *story) ran() string {
	switch s.fate.Finishes {
	case 0:
		return " No worker ran it to the end."
	default:
		return fmt.Sprintf(" Its handler ran to the end %s.", times(s.fate.Finishes))
	}
}

func times(n int) string {
	switch n {
	case 1:
		return "once"
	case 2:
		return "twice"
	default:
		return fmt.Sprintf("%d times", n)
	}
}
