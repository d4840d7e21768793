// Package celery starts Celery workers that keep the laboratory's ledger.
//
// The worker is app.py, carried inside this program and written into a folder of
// the run: an ordinary Celery worker with the tasks of task/demo, which writes the
// same ledger lines as package worker, so that the same checker judges both. What
// it can be told to crash at is less: see [Points].
//
// A worker is one ledger and one process group, however many children its pool
// has: they share the file under a lock, and a crash ends them all.
package celery
