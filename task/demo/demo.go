// Package demo holds the tasks of the teaching material: sending an email,
// taking a payment, scraping a page, building a report, and some that
// misbehave on purpose. Only fetch_url leaves the process: what the others
// would wait for is waited for, what they would fetch is made up from their
// arguments, so that the same arguments always give the same result.
//
// Only fetch_url is tried again by itself; see Kinds for the errors that a
// worker can be told to retry. Wrong arguments never are.
//
// Arguments are given by position or by name.
package demo

import "acklab/task"

// Register adds every demo task to r. It panics if one of the names is taken.
func Register(r *task.Registry) {
	for name, h := range map[string]task.Handler{
		"add":             Add,
		"xsum":            Xsum,
		"echo":            Echo,
		"noop":            Noop,
		"sleep":           Sleep,
		"send_email":      SendEmail,
		"process_payment": ProcessPayment,
		"web_scrape":      WebScrape,
		"daily_report":    DailyReport,
		"fail_n_times":    FailNTimes,
		"panic":           Panic,
		"allocate":        Allocate,
	} {
		r.Register(name, h)
	}
	r.Register("fetch_url", FetchURL, task.WithRetry(fetchRetry()))
}
