package brokertest

import (
	"encoding/json"
	"fmt"

	"acklab/task"
)

// wantSame compares two messages field by field; JSON up to white space.
func (p *probe) wantSame(sent, got *task.Message) {
	p.Helper()
	type field struct {
		name      string
		sent, got any
	}
	s, g := sent.Options, got.Options
	for _, f := range []field{
		{"ID", sent.ID, got.ID}, {"TaskID", sent.TaskID, got.TaskID}, {"Name", sent.Name, got.Name},
		{"Args", canonical(sent.Args), canonical(got.Args)}, {"Kwargs", canonical(sent.Kwargs), canonical(got.Kwargs)},
		{"Queue", s.Queue, g.Queue}, {"Priority", s.Priority, g.Priority}, {"Retries", s.Retries, g.Retries},
		{"ETA", s.ETA.UTC(), g.ETA.UTC()}, {"Expires", s.Expires.UTC(), g.Expires.UTC()},
		{"SoftLimit", s.SoftLimit, g.SoftLimit}, {"HardLimit", s.HardLimit, g.HardLimit},
		{"RootID", s.RootID, g.RootID}, {"ParentID", s.ParentID, g.ParentID}, {"GroupID", s.GroupID, g.GroupID},
		{"ReplyTo", s.ReplyTo, g.ReplyTo}, {"Origin", s.Origin, g.Origin}, {"IgnoreResult", s.IgnoreResult, g.IgnoreResult},
		{"Extra", canonical(s.Extra), canonical(g.Extra)},
	} {
		if f.sent != f.got {
			p.Errorf("%s: sent %v, received %v", f.name, f.sent, f.got)
		}
	}
	if s.Embed != nil && canonical(s.Embed) != canonical(g.Embed) {
		p.Errorf("Embed: sent %s, received %s", s.Embed, g.Embed)
	}
}

// canonical is v as JSON; empty maps and lists are the same as none.
func canonical(v any) string {
	raw, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprintf("not JSON: %v", err)
	}
	if text := string(raw); text != "[]" && text != "{}" {
		return text
	}
	return "null"
}
