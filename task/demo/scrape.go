package demo

import (
	"context"
	"fmt"
	"hash/fnv"
	"time"

	"acklab/task"
)

// Page is what web_scrape returns.
type Page struct {
	URL   string `json:"url"`
	Title string `json:"title"`
	Words int    `json:"words"`
	Links int    `json:"links"`
}

// WebScrape is web_scrape(url): it takes 20 to 219 ms and returns a Page,
// both made up from the URL. Nothing is fetched.
func WebScrape(ctx context.Context, c *task.Call) (any, error) {
	var address string
	if err := c.Bind(task.Named("url", &address)); err != nil {
		return nil, err
	}
	u, err := webAddress(c, address)
	if err != nil {
		return nil, err
	}
	dice := roll(address)
	if err := task.Work(ctx, time.Duration(20+dice%200)*time.Millisecond); err != nil {
		return nil, fmt.Errorf("scrape %s: %w", u.Redacted(), err)
	}
	return Page{URL: u.Redacted(), Title: "Page of " + u.Hostname(), Words: 100 + int(dice>>8%1900), Links: int(dice >> 20 % 60)}, nil
}

// roll gives a number that depends on text alone.
func roll(text string) uint64 {
	h := fnv.New64a()
	h.Write([]byte(text)) // never fails
	return h.Sum64()
}
