// Package asynqbroker is a broker.Broker over hibiken/asynq on Redis.
//
// One message is one asynq task: its type is the task's name, its payload the
// envelope of package task, its id the message id. What asynq does is left as
// it is and shown as it is; what it hides is made visible:
//
//		Publish ─▶ asynq.Client ─▶ Redis ─▶ asynq.Server ─▶ handler ─▶ Inbox ─▶ Receive
//		              │ capture                 │ hook         │ blocks until
//		              ▼                         ▼              ▼
//		        why it failed          which settlement     Ack, Requeue,
//		                               Redis processed      Reject
//
//	  - A handler blocks until its delivery is settled, so the concurrency of
//	    asynq is the prefetch, and there is one asynq server per queue.
//	  - asynq acknowledges after the handler has returned and tells nobody. A
//	    hook below it sees the reply of Redis; Flush waits for that.
//	  - An unfinished task comes back when its lease has run out: lease 30 s,
//	    grace 30 s, a sweep once a minute, all constants of asynq. Another
//	    server has to be there to sweep (or to start: it sweeps at once).
//	  - What is given back politely (Requeue, Stop, Close) passes through asynq's
//	    retry set with no delay, counts as a retry, and is ready again when a
//	    server of that queue has forwarded it: within the URL's forward, 200 ms.
//	    It joins the end of the queue.
//	  - A message with an ETA waits in asynq's scheduled set, in whole seconds,
//	    rounded up, until a server of that queue forwards it. Without a server it
//	    stays there, whatever the time.
//	  - asynq keeps at most 10,000 dead letters a queue, for 90 days.
//
// asynq logs under the names of its own parts; those lines, and those of
// go-redis, go to Options.Log.
package asynqbroker
