package main

import (
	"cmp"
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"acklab/scheduler"
	"acklab/scheduler/redisstore"
)

// listed is a schedule as `schedule list` shows it.
type listed struct {
	redisstore.Entry
	// Next is when it is due next; none: it is not enabled, or over.
	Next time.Time `json:"next,omitzero"`
	// Hidden: the file has one of the same name, and that one counts.
	Hidden bool `json:"hidden,omitempty"`
}

func listing(entries []redisstore.Entry, now time.Time) []listed {
	inFile := map[string]bool{}
	for _, e := range entries {
		inFile[e.Schedule.Name] = inFile[e.Schedule.Name] || e.Origin == redisstore.InFile
	}
	all := make([]listed, len(entries))
	for i, e := range entries {
		all[i].Entry = e
		all[i].Hidden = e.Origin == redisstore.InStore && inFile[e.Schedule.Name]
		if s := e.Schedule; !all[i].Hidden && s.Enabled && (s.MaxRuns == 0 || e.State.Runs < s.MaxRuns) {
			all[i].Next, _ = nextTick(s, now) // it has passed Check
		}
	}
	return all
}

// printSchedules shows them as a table. complete: there is nothing else, which
// could not be read.
func printSchedules(w io.Writer, all []listed, complete bool, leader redisstore.Leader, led bool) error {
	switch {
	case len(all) == 0 && complete:
		fmt.Fprintln(w, "no schedules; acklab schedule add makes one")
	case len(all) == 0:
		fmt.Fprintln(w, "no schedule that can be read")
	default:
		table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
		fmt.Fprintln(table, "NAME\tWHEN\tTASK\tQUEUE\tNEXT DUE\tRUNS\tLAST SENT\tIN")
		for _, l := range all {
			s := l.Schedule
			fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n",
				s.Name, when(s), s.Task, cmp.Or(s.Queue, "(by route)"), next(l), runs(l), stamp(l.State.LastSent), l.Origin)
		}
		if err := table.Flush(); err != nil {
			return err
		}
	}
	if led {
		host, _, _ := cutLast(leader.Holder, ":")
		fmt.Fprintf(w, "\n%s leads, in term %d\n", host, leader.Term)
	} else {
		fmt.Fprintln(w, "\nno scheduler leads: nothing is sent")
	}
	return nil
}

// cutLast cuts at the last separator.
func cutLast(s, separator string) (before, after string, found bool) {
	i := strings.LastIndex(s, separator)
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+len(separator):], true
}

// when is a timing in the words of the file.
func when(s scheduler.Schedule) string {
	switch {
	case s.Every != 0 && s.Phase != 0:
		return fmt.Sprintf("every %s phase %s", s.Every, s.Phase)
	case s.Every != 0:
		return "every " + s.Every.String()
	case s.Cron != "":
		return "cron " + s.Cron + " " + cmp.Or(s.Zone, "UTC")
	}
	return "at " + s.At.Format(time.RFC3339)
}

func next(l listed) string {
	switch {
	case l.Hidden:
		return "hidden by the file's"
	case !l.Schedule.Enabled:
		return "disabled"
	case l.Next.IsZero():
		return "over"
	}
	return stamp(l.Next)
}

func runs(l listed) string {
	text := strconv.Itoa(l.State.Runs)
	if l.Schedule.MaxRuns > 0 {
		text += fmt.Sprintf(" of %d", l.Schedule.MaxRuns)
	}
	if n := len(l.State.Pending); n > 0 {
		text += fmt.Sprintf(" (%d being sent)", n)
	}
	return text
}

func stamp(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.Format(time.RFC3339)
}

// printHistory shows outcomes as a table. complete: there is nothing else, which
// could not be read.
func printHistory(w io.Writer, past []scheduler.Outcome, complete bool) error {
	switch {
	case len(past) == 0 && complete:
		fmt.Fprintln(w, "nothing was due yet")
		return nil
	case len(past) == 0:
		fmt.Fprintln(w, "no outcome that can be read")
		return nil
	}
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "DUE\tOUTCOME\tAFTER\tTASK ID\tREASON")
	for _, o := range past {
		kind := string(o.Kind)
		if o.N > 1 {
			kind += fmt.Sprintf(" (%d up to this one)", o.N)
		}
		if o.Tick.ByHand {
			kind += " (by hand)"
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\n", stamp(o.Tick.Due), kind, o.At.Sub(o.Tick.Due).Round(time.Millisecond), o.Task, cmp.Or(o.Reason, "-"))
	}
	return table.Flush()
}
