package inspect

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

// WriteText writes the view as tables for people.
func (v *View) WriteText(w io.Writer) error {
	switch {
	case v.Redis != nil:
		return v.writeRedis(w)
	case v.Rabbit != nil:
		return v.writeRabbit(w)
	}
	_, err := fmt.Fprintln(w, v.Note)
	return err
}

// WriteJSON writes the view as indented JSON.
func (v *View) WriteJSON(w io.Writer) error {
	out := json.NewEncoder(w)
	out.SetIndent("", "  ")
	out.SetEscapeHTML(false)
	return out.Encode(v)
}

func (v *View) writeRedis(w io.Writer) error {
	r := v.Redis
	fmt.Fprintf(w, "%s at %s: %s in database %d\n", v.Server, v.Broker, count(r.Size, "key"), r.Database)
	if len(r.Rows) > 0 {
		fmt.Fprintln(w)
		table := newTable(w, "KEY", "TYPE", "LENGTH", "EXPIRES", "BYTES", "WHAT IT IS")
		for _, row := range r.Rows {
			length := number(row.Length)
			if row.Keys > 0 {
				length = count(row.Keys, "key")
			}
			table.line(Printable(row.Key), Printable(row.Type), length, expiry(row.TTL), number(row.Bytes), row.What+states(row.States))
		}
		if err := table.Flush(); err != nil {
			return err
		}
		fmt.Fprintln(w, "\nBYTES is what the server counts, with overhead; of large keys it samples")
	}
	if r.More > 0 {
		fmt.Fprintf(w, "%d more keys were not looked at: raise --limit\n", r.More)
	}
	if r.Cluster {
		fmt.Fprintln(w, "this is one node of a cluster: the keys of the others are not shown")
	}
	if len(r.Elsewhere) > 0 {
		_, err := fmt.Fprintf(w, "keys also lie in other databases: %s\n", strings.Join(r.Elsewhere, ", "))
		return err
	}
	return nil
}

func states(counts map[string]int64) string {
	var parts []string
	for _, state := range slices.Sorted(maps.Keys(counts)) {
		parts = append(parts, fmt.Sprintf("%d %s", counts[state], Printable(state)))
	}
	if len(parts) == 0 {
		return ""
	}
	return " (" + strings.Join(parts, ", ") + ")"
}

func expiry(seconds float64) string {
	if seconds == 0 {
		return "-"
	}
	return "in " + time.Duration(seconds*float64(time.Second)).Round(time.Second).String()
}

func (v *View) writeRabbit(w io.Writer) error {
	r := v.Rabbit
	fmt.Fprintf(w, "%s at %s: %s, %s, %s in virtual host %s\n", v.Server, v.Broker,
		count(len(r.Queues)+r.MoreQueues, "queue"), count(len(r.Exchanges)+r.MoreExchanges, "exchange"), count(len(r.Bindings)+r.MoreBindings, "binding"), Printable(r.Vhost))
	for _, part := range []func(io.Writer) error{r.writeQueues, r.writeExchanges, r.writeBindings} {
		if err := part(w); err != nil {
			return err
		}
	}
	_, err := fmt.Fprintf(w, "\nread from %s; its counts are statistics, up to five seconds old; ?: none yet\n", r.Management)
	return err
}

func (r *RabbitView) writeQueues(w io.Writer) error {
	if len(r.Queues) == 0 {
		return nil
	}
	fmt.Fprintln(w)
	table := newTable(w, "QUEUE", "TYPE", "DURABLE", "READY", "UNACKED", "CONSUMERS", "ARGUMENTS")
	for _, q := range r.Queues {
		table.line(Printable(q.Name), q.Type, yes(q.Durable), number(q.Ready), number(q.Unacked), number(q.Consumers), q.remarks())
	}
	return table.end(r.MoreQueues, "queue")
}

// remarks are arguments, flags and policy.
func (q Queue) remarks() string {
	var parts []string
	if len(q.Arguments) > 0 {
		parts = append(parts, jsonText(q.Arguments))
	}
	if q.AutoDelete {
		parts = append(parts, "auto-delete")
	}
	if q.Exclusive {
		parts = append(parts, "exclusive")
	}
	if q.Policy != "" {
		parts = append(parts, "policy "+Printable(q.Policy)+" "+jsonText(q.Effective))
	}
	if q.State != "" && q.State != "running" {
		parts = append(parts, "state "+Printable(q.State))
	}
	return dash(strings.Join(parts, ", "))
}

func (r *RabbitView) writeExchanges(w io.Writer) error {
	if len(r.Exchanges) == 0 {
		return nil
	}
	fmt.Fprintln(w)
	table := newTable(w, "EXCHANGE", "TYPE", "DURABLE", "ARGUMENTS")
	for _, e := range r.Exchanges {
		table.line(exchangeName(e.Name), Printable(e.Type), yes(e.Durable), argumentsText(e.Arguments))
	}
	return table.end(r.MoreExchanges, "exchange")
}

func (r *RabbitView) writeBindings(w io.Writer) error {
	if len(r.Bindings) == 0 {
		return nil
	}
	fmt.Fprintln(w)
	table := newTable(w, "FROM EXCHANGE", "WITH KEY", "TO", "ARGUMENTS")
	for _, b := range r.Bindings {
		table.line(exchangeName(b.Source), dash(Printable(b.RoutingKey)), b.DestinationType+" "+Printable(b.Destination), argumentsText(b.Arguments))
	}
	return table.end(r.MoreBindings, "binding")
}

// argumentsText is a dash where there are none.
func argumentsText(t Table) string {
	if len(t) == 0 {
		return dash("")
	}
	return jsonText(t)
}

func exchangeName(name string) string {
	if name == "" {
		return "(default)"
	}
	return Printable(name)
}

// table aligns columns.
type table struct{ *tabwriter.Writer }

func newTable(w io.Writer, head ...string) table {
	t := table{tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)}
	t.line(head...)
	return t
}

func (t table) line(cells ...string) { fmt.Fprintln(t, strings.Join(cells, "\t")) }

// end writes the table, and below it how many rows are missing.
func (t table) end(more int, what string) error {
	if more > 0 {
		fmt.Fprintf(t, "... %s more: raise --limit\n", count(more, what))
	}
	return t.Flush()
}

func count[N int | int64](n N, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

func number(n *int64) string {
	if n == nil {
		return "?"
	}
	return fmt.Sprint(*n)
}

func yes(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

func dash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

// jsonText is a table in the order of its names.
func jsonText(t Table) string {
	text, err := json.Marshal(map[string]any(t))
	if err != nil {
		return fmt.Sprint(map[string]any(t))
	}
	return Printable(string(text))
}
