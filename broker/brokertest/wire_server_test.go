package brokertest_test

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"slices"
	"sync"

	"acklab/broker"
	"acklab/broker/memorybroker"
	"acklab/task"
)

// wireServer is a memorybroker behind a TCP port, so that the tests of the
// suite which need a network, a proxy, a kill or a freeze can be tested
// themselves. Killed, it keeps its messages, as a server with a good disk.
type wireServer struct {
	mem    *memorybroker.Server
	frozen sync.RWMutex // held by freeze; shared by everything the server does

	mu       sync.Mutex
	addr     string
	listener net.Listener
	conns    map[net.Conn]struct{}
	newest   map[string][2]string // queue to message ids, the newest first
	wait     sync.WaitGroup
}

// request is a line from a client.
type request struct {
	Op      string // publish, consume, settle, flush, stop
	Message *task.Message
	Sub     broker.Subscription
	Tag     int
	How     string // ack, requeue, reject
	Reason  string
}

// reply is a line to a client.
type reply struct {
	Op        string // done, delivery
	Reason    broker.Reason
	Unknown   bool
	Tag       int
	Message   *task.Message
	Malformed string
	Queue     string
	Seen      broker.Seen
	Count     int
}

func newWireServer() (*wireServer, error) {
	s := &wireServer{mem: memorybroker.NewServer(), addr: "127.0.0.1:0", conns: map[net.Conn]struct{}{}, newest: map[string][2]string{}}
	return s, s.listen()
}

func (s *wireServer) listen() error {
	l, err := net.Listen("tcp", s.addr)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.listener, s.addr = l, l.Addr().String()
	s.wait.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			s.mu.Lock()
			s.conns[conn] = struct{}{}
			s.mu.Unlock()
			s.wait.Go(func() { s.serve(conn) })
		}
	})
	return nil
}

// kill ends the listener and all connections, and waits for what ran.
func (s *wireServer) kill() error {
	err := s.listener.Close()
	s.closeConnections()
	s.wait.Wait()
	return err
}

// forgetNewest takes the two newest messages out of each queue: the newest may
// be one whose reply had not left, and to forget that is no lie.
func (s *wireServer) forgetNewest() {
	ctx := context.Background()
	b := s.mem.Open(broker.Options{})
	defer func() { _ = b.Close(ctx) }()
	for queue, ids := range s.newest {
		ready, _ := s.mem.View(queue)
		c, err := b.Consume(ctx, broker.Subscription{Sources: []broker.Source{{Queue: queue}}, Prefetch: broker.Unlimited})
		if err != nil {
			continue
		}
		for range ready {
			if d, err := c.Receive(ctx); err == nil && slices.Contains(ids[:], d.Message.ID) {
				_ = d.Ack(ctx)
			}
		}
		_ = c.Close(ctx)
	}
}

// forgetDelays leaves only what is ready.
func (s *wireServer) forgetDelays() {
	ctx := context.Background()
	old, left := s.mem.Open(broker.Options{}), memorybroker.NewServer()
	b := left.Open(broker.Options{})
	defer func() { _, _ = old.Close(ctx), b.Close(ctx) }()
	for queue := range s.newest {
		_ = b.Declare(ctx, queue)
		for h, err := range old.Census(ctx, queue) {
			if err == nil && h.State == broker.Queued {
				b.Publish(ctx, h.Message)
			}
		}
	}
	s.mem = left
}

func (s *wireServer) closeConnections() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for conn := range s.conns {
		_ = conn.Close()
		delete(s.conns, conn)
	}
}

func (s *wireServer) serve(conn net.Conn) {
	defer conn.Close()
	b := s.mem.Open(broker.Options{})
	w := &wireSession{server: s, conn: conn, out: json.NewEncoder(conn), broker: b, held: map[int]*broker.Delivery{}}
	defer func() { _ = b.Close(context.Background()) }() // gives back what the session holds
	in := json.NewDecoder(conn)
	for {
		var r request
		if in.Decode(&r) != nil {
			return
		}
		s.frozen.RLock()
		answer, answers := w.handle(r)
		s.frozen.RUnlock()
		if answers && w.send(answer) != nil {
			return
		}
		if r.Op == "consume" && w.consumer != nil {
			s.wait.Go(w.pump) // after the answer, or a delivery would come before it
		}
	}
}

// wireSession is the server's side of one connection.
type wireSession struct {
	server   *wireServer
	conn     net.Conn
	broker   *memorybroker.Broker
	consumer broker.Consumer

	mu   sync.Mutex
	out  *json.Encoder
	held map[int]*broker.Delivery
	tag  int
}

func (w *wireSession) send(r reply) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.out.Encode(r)
}

func (w *wireSession) handle(r request) (reply, bool) {
	ctx := context.Background()
	switch r.Op {
	case "publish":
		return w.publish(ctx, r.Message), true
	case "consume":
		return w.consume(ctx, r.Sub), true
	case "settle":
		w.settle(ctx, r)
		return reply{}, false
	case "stop":
		_ = w.consumer.Stop(ctx)
	}
	return reply{Op: "done"}, true
}

func (w *wireSession) publish(ctx context.Context, m *task.Message) reply {
	var refusal *broker.Refusal
	if errors.As(w.broker.Publish(ctx, m)[0], &refusal) {
		return reply{Op: "done", Reason: refusal.Reason}
	}
	w.server.mu.Lock()
	w.server.newest[m.Queue] = [2]string{m.ID, w.server.newest[m.Queue][0]}
	w.server.mu.Unlock()
	return reply{Op: "done"}
}

func (w *wireSession) consume(ctx context.Context, s broker.Subscription) reply {
	c, err := w.broker.Consume(ctx, s)
	if err != nil {
		return reply{Op: "done", Unknown: errors.Is(err, broker.ErrUnknownQueue)}
	}
	w.consumer = c
	return reply{Op: "done", Tag: 1}
}

// pump sends deliveries until the consumer is stopped or the connection ends.
func (w *wireSession) pump() {
	for {
		d, err := w.consumer.Receive(context.Background())
		if err != nil || w.deliver(d) != nil {
			return
		}
	}
}

func (w *wireSession) deliver(d *broker.Delivery) error {
	w.server.frozen.RLock()
	defer w.server.frozen.RUnlock()
	w.mu.Lock()
	w.tag++
	w.held[w.tag] = d
	r := reply{Op: "delivery", Tag: w.tag, Message: d.Message, Queue: d.Queue, Seen: d.Seen, Count: d.Count}
	w.mu.Unlock()
	if d.Malformed != nil {
		r.Malformed = d.Malformed.Error()
	}
	return w.send(r)
}

func (w *wireSession) settle(ctx context.Context, r request) {
	w.mu.Lock()
	d := w.held[r.Tag]
	delete(w.held, r.Tag)
	w.mu.Unlock()
	if d == nil {
		return
	}
	switch r.How {
	case "ack":
		_ = d.Ack(ctx)
	case "requeue":
		_ = d.Requeue(ctx)
	case "reject":
		_ = d.Reject(ctx, r.Reason)
	}
}
