package resulttest

import (
	"context"
	"strings"

	"github.com/Shopify/toxiproxy/v2"
	"github.com/rs/zerolog"

	"acklab/result"
)

// link is a client behind a proxy of its own.
type link struct {
	result.Store
	probe *probe
	proxy *toxiproxy.Proxy
}

// link puts a toxiproxy before the server, without its HTTP interface.
func (p *probe) link() *link {
	p.Helper()
	host := toxiproxy.NewServer(toxiproxy.NewMetricsContainer(nil), zerolog.Nop())
	proxy := toxiproxy.NewProxy(host, "server", "127.0.0.1:0", p.server.Addr)
	if err := proxy.Start(); err != nil {
		p.Fatalf("start a proxy before %s: %v", p.server.Addr, err)
	}
	s := p.server.OpenAt(p.T, proxy.Listen, result.Options{})
	p.Cleanup(proxy.Stop) // before the client is closed: a hole would hold that up
	return &link{Store: s, probe: p, proxy: proxy}
}

// vanish drops what either side says, without ending the connection.
func (l *link) vanish() {
	const hole = `{"name":"STREAM","type":"timeout","stream":"STREAM","attributes":{"timeout":0}}`
	for _, stream := range []string{"downstream", "upstream"} {
		if _, err := l.proxy.Toxics.AddToxicJson(strings.NewReader(strings.ReplaceAll(hole, "STREAM", stream))); err != nil {
			l.probe.Fatalf("add a toxic to the %s: %v", stream, err)
		}
	}
}

// reappear ends vanish. The connections of then are closed by it.
func (l *link) reappear() {
	for _, stream := range []string{"downstream", "upstream"} {
		if err := l.proxy.Toxics.RemoveToxic(context.Background(), stream); err != nil {
			l.probe.Fatalf("remove the toxic from the %s: %v", stream, err)
		}
	}
}
