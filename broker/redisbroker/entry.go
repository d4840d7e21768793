package redisbroker

import (
	"bytes"
	"encoding/json"
	"errors"
)

// entry is a value of unacked.
type entry struct {
	message              []byte
	exchange, routingKey string
}

var errNoEntry = errors.New("not [message, exchange, routing key]")

// readEntry reads what this driver or kombu wrote. The message of one that this
// driver wrote may be no JSON, so it is read from its end.
func readEntry(value []byte) (entry, error) {
	if e, ok := readOwn(value); ok {
		return e, nil
	}
	var parts []json.RawMessage
	if json.Unmarshal(value, &parts) != nil || len(parts) != 3 {
		return entry{}, errNoEntry
	}
	e := entry{message: parts[0]}
	if json.Unmarshal(parts[1], &e.exchange) != nil || json.Unmarshal(parts[2], &e.routingKey) != nil {
		return entry{}, errNoEntry
	}
	return e, nil
}

// readOwn reads '[' message ',"",' routing key ']'. Within a JSON string there
// are no bare quotes, so the last such separator is the one.
func readOwn(value []byte) (entry, bool) {
	const between = `,"",`
	at := bytes.LastIndex(value, []byte(between))
	if at < 1 || value[0] != '[' || value[len(value)-1] != ']' {
		return entry{}, false
	}
	end := value[at+len(between) : len(value)-1]
	if len(end) == 0 || end[0] != '"' {
		return entry{}, false
	}
	e := entry{message: value[1:at]}
	return e, json.Unmarshal(end, &e.routingKey) == nil
}
