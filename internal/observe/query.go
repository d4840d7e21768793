package observe

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"net/url"
	"strconv"
	"time"

	"acklab/internal/server"
)

// sample is one value at one time, in seconds since 1970.
type sample struct {
	at    float64
	value float64
}

// UnmarshalJSON reads [1700000000.5, "3"].
func (s *sample) UnmarshalJSON(text []byte) error {
	var value string
	if err := json.Unmarshal(text, &[]any{&s.at, &value}); err != nil {
		return err
	}
	var err error
	s.value, err = strconv.ParseFloat(value, 64)
	return err
}

// line is one series of an answer.
type line struct {
	Labels  map[string]string `json:"metric"`
	Samples []sample          `json:"values"`
}

// matrix are the series of an answer.
type matrix []line

func ask(ctx context.Context, p *server.Prometheus, path string, params url.Values) (matrix, error) {
	var answer struct {
		Type   string `json:"resultType"`
		Result matrix `json:"result"`
	}
	if err := p.Query(ctx, path, params, &answer); err != nil {
		return nil, err
	}
	if answer.Type != "matrix" {
		return nil, fmt.Errorf("query prometheus: %q is a %s, not series over time", params.Get("query"), answer.Type)
	}
	return answer.Result, nil
}

// samples are what was really scraped of the selector since then, at the times
// of the scrapes.
func samples(ctx context.Context, p *server.Prometheus, selector string, since time.Time) (matrix, error) {
	ago := int(math.Ceil(time.Since(since).Seconds())) + 1
	return ask(ctx, p, "query", url.Values{"query": {fmt.Sprintf("%s[%ds]", selector, ago)}})
}

// last is the last sample of the line; none: the zero sample.
func (l line) last() sample {
	if len(l.Samples) == 0 {
		return sample{}
	}
	return l.Samples[len(l.Samples)-1]
}

// over evaluates the expression at every step between two times.
func over(ctx context.Context, p *server.Prometheus, expr string, from, to time.Time, step time.Duration) (matrix, error) {
	return ask(ctx, p, "query_range", url.Values{
		"query": {expr}, "start": {unix(from)}, "end": {unix(to)}, "step": {strconv.FormatFloat(step.Seconds(), 'f', -1, 64)},
	})
}

func unix(t time.Time) string { return strconv.FormatFloat(float64(t.UnixMilli())/1e3, 'f', 3, 64) }
