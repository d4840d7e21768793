// Package redisbroker is a broker.Broker over Redis in the way Celery uses it
// (kombu/transport/redis.py): a Celery worker and this driver can share a queue.
//
//		            LPUSH            pop.lua             ack.lua
//		Publish ───────────▶ <queue> ───────▶ unacked ──────────▶ gone
//		                        ▲    a claim     │ │
//		                        └────────────────┘ └─────────────▶ <queue>.dead
//		                     given back, or too old     Reject
//
//	  - A queue is a list for each priority step of the wire, 0, 3, 6 and 9; 0 is
//	    served first. What that is for the user says priority.go. What is with a
//	    consumer is in the hash unacked, and in the sorted set unacked_index with
//	    the moment at which it was taken.
//	  - Taking a message and writing it down is one script. kombu does it in two
//	    steps (BRPOP, then MULTI), and loses the message when it dies, or Redis is
//	    full, in between.
//	  - A claim is the delivery tag and that moment. Who settles a claim that is
//	    not the present one changes nothing and gets ErrStale. kombu goes by the
//	    tag alone, so that a worker that comes too late ends the claim of the one
//	    that was given the message meanwhile; settle=celery does the same.
//	  - An unfinished task comes back when its claim is older than the visibility
//	    (an hour) and somebody sweeps (every 100 s), whether its worker is dead or
//	    only slow. lease=renew spares the slow one.
//	  - Nothing polls. A consumer that found nothing waits in BLMOVE for any of
//	    its lists, from the tail to the tail: that moves nothing, and it does not
//	    matter who pushes.
//	  - Acknowledgements go out together, in front of the next pop, on the same
//	    connection. Redis never sees more with a consumer than its prefetch, which
//	    the consumer counts, as in kombu.
//	  - Dead letters and, with delay=broker, what waits for its ETA have keys of
//	    their own that Celery does not know: <queue>.dead, <queue>.delayed.
package redisbroker
