package brokertest

import (
	"fmt"

	"acklab/broker"
)

// need says why a test cannot run here, or nothing.
type need func(*probe) string

func needView(p *probe) string {
	if p.server.View == nil {
		return "the harness has no View of the server"
	}
	return ""
}

func needProxy(p *probe) string {
	if p.server.Addr == "" || p.server.OpenAt == nil {
		return "no proxy can stand before a server inside the process"
	}
	return ""
}

// needCut wants some way to break the connections of one client.
func needCut(p *probe) string {
	if p.server.Cut == nil {
		return needProxy(p)
	}
	return ""
}

func needKill(p *probe) string {
	if p.server.Kill == nil || p.server.Restart == nil {
		return "the server cannot be killed and restarted"
	}
	return ""
}

func needFreeze(p *probe) string {
	if p.server.Freeze == nil || p.server.Thaw == nil {
		return "the server cannot be frozen"
	}
	return ""
}

func needCloseConnections(p *probe) string {
	if p.server.CloseConnections == nil {
		return "the server cannot be told to close its connections"
	}
	return ""
}

func needRaw(p *probe) string {
	if p.server.PutRaw == nil {
		return "the harness cannot put foreign bytes on a queue"
	}
	return ""
}

// trait makes a need of a trait; ok tells whether it has the value.
func trait(says string, ok func(broker.Traits) bool) need {
	return func(p *probe) string {
		if !ok(p.traits) {
			return "traits say " + says
		}
		return ""
	}
}

var (
	needConfirms    = trait("Confirms=false", func(t broker.Traits) bool { return t.Confirms })
	needSurvival    = trait("SurvivesKill=false", func(t broker.Traits) bool { return t.SurvivesKill })
	needRefusal     = trait("RefusesUnknownQueue=false", func(t broker.Traits) bool { return t.RefusesUnknownQueue })
	needAcceptance  = trait("RefusesUnknownQueue=true", func(t broker.Traits) bool { return !t.RefusesUnknownQueue })
	needFIFO        = trait("FIFO=false", func(t broker.Traits) bool { return t.FIFO })
	needDeadLetters = trait("DeadLetters=absent", func(t broker.Traits) bool { return t.DeadLetters != broker.Absent })
	needSizeLimit   = trait("MaxPayload=0", func(t broker.Traits) bool { return t.MaxPayload > 0 })
	needSeesUnacked = trait("SeesUnacked=false", func(t broker.Traits) bool { return t.SeesUnacked })
	needBlind       = trait("SeesUnacked=true", func(t broker.Traits) bool { return !t.SeesUnacked })
	needReturn      = trait("Returns=nothing", func(t broker.Traits) bool { return t.Returns != broker.OnNothing })
	needOnLease     = trait("Returns is not a lease", func(t broker.Traits) bool { return t.Returns == broker.OnLease })
	needSessions    = trait("Returns is not the end of the connection", func(t broker.Traits) bool { return t.Returns == broker.OnDisconnect })
	needHeldDelay   = trait("Delay is not the broker's", func(t broker.Traits) bool {
		return t.Delay == broker.Native || t.Delay == broker.Emulated
	})
	needNoDelay = trait("Delay is the broker's", func(t broker.Traits) bool {
		return t.Delay == broker.ByWorker || t.Delay == broker.Absent
	})
)

// needPrefetch wants room for n deliveries with one consumer.
func needPrefetch(n int) need {
	return func(p *probe) string {
		if most := p.traits.MaxPrefetch; most != 0 && most < n {
			return fmt.Sprintf("traits say MaxPrefetch=%d", most)
		}
		return ""
	}
}

// needPayload wants messages of n bytes to be accepted.
func needPayload(n int) need {
	return func(p *probe) string {
		if most := p.traits.MaxPayload; most != 0 && most < n {
			return fmt.Sprintf("traits say MaxPayload=%d", most)
		}
		return ""
	}
}
