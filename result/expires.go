package result

import (
	"fmt"
	"net/url"
	"strings"
	"time"
)

// DefaultExpires is how long a result is kept unless somebody says otherwise, as
// in Celery (result_expires).
const DefaultExpires = 24 * time.Hour

// TakeExpires reads the option expires out of a URL's query, as in
// "?expires=24h", removes it there, and returns how long results are kept: 0 is
// for ever, in the URL and in the answer. Without the option it is what the
// options say. Only drivers need it.
func (o Options) TakeExpires(query url.Values) (time.Duration, error) {
	values, given := query["expires"]
	delete(query, "expires")
	switch {
	case given:
		d, err := time.ParseDuration(values[0])
		if len(values) != 1 || err != nil || d < 0 || d > 0 && d < time.Millisecond {
			return 0, fmt.Errorf("result URL has expires=%s: want one duration from 1ms, as in 24h, or 0 for never", strings.Join(values, ","))
		}
		return d, nil
	case o.Expires == 0:
		return DefaultExpires, nil
	case o.Expires < 0:
		return 0, nil
	}
	return max(o.Expires, time.Millisecond), nil
}
