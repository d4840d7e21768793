// Package memorybroker is a broker inside this process, and the reference of
// what package broker's contract means: every rule of it is kept here in the
// plainest way. What it holds dies with the process.
//
// It stores the *task.Message it was given, not a copy and not bytes: a
// message is a value that nobody changes (see package task). A message whose
// ETA is ahead waits in a heap until a timer brings it to its queue, behind
// what is ready there. A queue that a client with priorities has declared keeps
// what is ready in the order of the priorities, all ten told apart.
package memorybroker

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"acklab/broker"
)

// Server is the queue itself. Several clients may share one. It is safe for
// concurrent use.
type Server struct {
	mu      sync.Mutex
	queues  map[string]*queue
	clients map[*Broker]struct{}
	seq     uint64 // of the last message stored
	delays  delays
	alarm   *time.Timer // for the first of delays; nil: none is set
}

// NewServer makes an empty server.
func NewServer() *Server {
	return &Server{queues: map[string]*queue{}, clients: map[*Broker]struct{}{}}
}

// New makes a client with a server of its own.
func New(opts broker.Options) *Broker { return NewServer().Open(opts) }

// Open makes a client of the server.
func (s *Server) Open(opts broker.Options) *Broker { return s.open(opts, false) }

// OpenWithPriorities makes a client whose queues have priorities: those that it
// declares and nobody has declared before it.
func (s *Server) OpenWithPriorities(opts broker.Options) *Broker { return s.open(opts, true) }

func (s *Server) open(opts broker.Options, urgent bool) *Broker {
	b := &Broker{server: s, opts: opts, urgent: urgent, consumers: map[*consumer]struct{}{}}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.clients[b] = struct{}{}
	s.ring()
	return b
}

// View tells how many messages of the queue wait for a consumer and how many
// are with one; what waits for its ETA is neither. A queue that does not exist has none.
func (s *Server) View(name string) (ready, unacked int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if q := s.queues[name]; q != nil {
		return len(q.ready), len(q.unacked)
	}
	return 0, 0
}

// CloseConnections ends the sessions of all consumers of all clients, as a
// server does that closes its connections: their unsettled deliveries go back,
// and new sessions begin at once.
func (s *Server) CloseConnections() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for b := range s.clients {
		b.sever()
	}
}

// PutRaw puts a body into a queue that no producer of ours has made. There
// are no bytes on this broker's wire, so any body is malformed here. The
// error wraps ErrUnknownQueue when the queue was not declared.
func (s *Server) PutRaw(name string, body []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	q, err := s.queue(name)
	if err != nil {
		return err
	}
	s.store(q, &item{msg: foreign(name), malformed: fmt.Errorf("a body of %d bytes is not a task message", len(body))})
	return nil
}

// queue finds a declared queue. The caller holds mu.
func (s *Server) queue(name string) (*queue, error) {
	if q := s.queues[name]; q != nil {
		return q, nil
	}
	return nil, fmt.Errorf("queue %q: %w", name, broker.ErrUnknownQueue)
}

// store adds a new item and delivers what can be. The caller holds mu.
func (s *Server) store(q *queue, it *item) {
	s.seq++
	it.seq = s.seq
	q.add(it)
	q.dispatch()
}

var errSevered = errors.New("the server closed the connection")
