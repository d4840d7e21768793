package brokertest

import (
	"context"
	"strings"

	"github.com/Shopify/toxiproxy/v2"
	"github.com/rs/zerolog"

	"acklab/broker"
)

// link is a client with a connection to the server that can be broken.
type link struct {
	broker.Broker
	probe *probe
	proxy *toxiproxy.Proxy // nil: the server's own Cut
}

// link opens a client behind a proxy of its own, or, on a server inside the
// process, one that the server can cut off.
func (p *probe) link(opts broker.Options) *link {
	p.Helper()
	if p.server.Addr == "" {
		return &link{Broker: p.server.Open(p.T, opts), probe: p}
	}
	proxy := p.newProxy()
	b := p.server.OpenAt(p.T, proxy.Listen, opts)
	p.Cleanup(proxy.Stop) // before the client is closed: a hole would hold that up
	return &link{Broker: b, probe: p, proxy: proxy}
}

// newProxy puts a toxiproxy before the server, without its HTTP interface.
func (p *probe) newProxy() *toxiproxy.Proxy {
	p.Helper()
	host := toxiproxy.NewServer(toxiproxy.NewMetricsContainer(nil), zerolog.Nop())
	proxy := toxiproxy.NewProxy(host, "server", "127.0.0.1:0", p.server.Addr)
	if err := proxy.Start(); err != nil {
		p.Fatalf("start a proxy before %s: %v", p.server.Addr, err)
	}
	p.Cleanup(proxy.Stop)
	return proxy
}

// cut breaks the client's connections. Behind a proxy it cannot connect again
// until mend.
func (l *link) cut() {
	if l.proxy == nil {
		l.probe.server.Cut(l.Broker)
		return
	}
	l.proxy.Stop()
}

// mend lets the client connect again.
func (l *link) mend() {
	l.probe.Helper()
	if l.proxy == nil {
		return
	}
	if err := l.proxy.Start(); err != nil {
		l.probe.Fatalf("start the proxy again: %v", err)
	}
}

// swallow drops what the server says; what the client says gets through.
func (l *link) swallow() { l.toxic("swallow", "downstream") }

// vanish drops what either side says, without ending the connection.
func (l *link) vanish() {
	l.toxic("vanish-down", "downstream")
	l.toxic("vanish-up", "upstream")
}

// reappear ends vanish. The connections of then are closed by it.
func (l *link) reappear() {
	for _, name := range []string{"vanish-down", "vanish-up"} {
		if err := l.proxy.Toxics.RemoveToxic(context.Background(), name); err != nil {
			l.probe.Fatalf("remove toxic %s: %v", name, err)
		}
	}
}

func (l *link) toxic(name, stream string) {
	l.probe.Helper()
	const hole = `{"name":"NAME","type":"timeout","stream":"STREAM","attributes":{"timeout":0}}`
	text := strings.NewReplacer("NAME", name, "STREAM", stream).Replace(hole)
	if _, err := l.proxy.Toxics.AddToxicJson(strings.NewReader(text)); err != nil {
		l.probe.Fatalf("add toxic %s: %v", name, err)
	}
}
