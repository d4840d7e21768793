package task

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// headerOrder is the order in which Celery writes its headers.
var headerOrder = []string{
	"lang", "task", "id", "root_id", "parent_id", "group", "group_index", "shadow", "eta", "expires",
	"retries", "timelimit", "argsrepr", "kwargsrepr", "origin", "ignore_result",
}

// plainEnvelope writes an envelope as plainly as it can be written, out of what
// AMQP would carry: MarshalEnvelope must write the same bytes.
func plainEnvelope(m *Message, w Wire) string {
	names := slices.Clone(headerOrder)
	if w.Headers[onceHeader] != nil {
		names = append(names, onceHeader)
	}
	for _, name := range sortedKeys(w.Headers) {
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	var headers []string
	for _, name := range names {
		headers = append(headers, plainJSON(name)+":"+plainJSON(w.Headers[name]))
	}
	return fmt.Sprintf(`{"body":"%s","content-encoding":"utf-8","content-type":"application/json","headers":{%s},`+
		`"properties":{"correlation_id":%s,"reply_to":%s,"delivery_mode":2,"priority":%d,"body_encoding":"base64",`+
		`"delivery_tag":%s,"delivery_info":{"exchange":"","routing_key":%s}}}`,
		base64.StdEncoding.EncodeToString(w.Body), strings.Join(headers, ","),
		plainJSON(w.CorrelationID), plainJSON(orNil(w.ReplyTo)), w.Priority, plainJSON(w.MessageID), plainJSON(m.Queue))
}

// plainJSON writes what headers hold. encoding/json would do, but it escapes
// more than it must and writes other floats.
func plainJSON(value any) string {
	var parts []string
	switch v := value.(type) {
	case string:
		for _, r := range v {
			switch {
			case r == '"' || r == '\\':
				parts = append(parts, `\`+string(r))
			case strings.ContainsRune("\n\r\t", r):
				parts = append(parts, strings.Trim(strconv.Quote(string(r)), `"`))
			case r < ' ':
				parts = append(parts, fmt.Sprintf(`\u%04x`, r))
			default:
				parts = append(parts, string(r))
			}
		}
		return `"` + strings.Join(parts, "") + `"`
	case float64:
		return strconv.FormatFloat(v, 'g', -1, 64)
	case []any:
		for _, item := range v {
			parts = append(parts, plainJSON(item))
		}
		return "[" + strings.Join(parts, ",") + "]"
	case map[string]any:
		for _, key := range sortedKeys(v) {
			parts = append(parts, plainJSON(key)+":"+plainJSON(v[key]))
		}
		return "{" + strings.Join(parts, ",") + "}"
	}
	text, err := json.Marshal(value)
	if err != nil {
		panic(err)
	}
	return string(text)
}
