package server

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"

	"acklab/internal/minder"
)

// Eval evaluates an Erlang expression (or several, with commas; no full stop at the
// end) inside the node and returns the value as ~0tp prints it. It takes about two
// milliseconds. An expression that does not parse or that raises is an error which
// carries Erlang's reason. Safe for concurrent use: each evaluation has a process
// of its own.
//
// The expression goes in through the node's standard input, and the value comes
// back over a loopback connection, so nothing touches the node's disk. When the
// context ends first, as with a frozen node, the expression may still be evaluated
// later.
func (r *Rabbit) Eval(ctx context.Context, expr string) (string, error) {
	ctx, cancel := bounded(ctx)
	defer cancel()
	value, err := r.eval(ctx, r.Process(), expr)
	return value, r.failed("evaluate in", err)
}

func (r *Rabbit) eval(ctx context.Context, p *minder.Process, expr string) (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", fmt.Errorf("listen for the value: %w", err)
	}
	defer l.Close()
	ctx, cancel := whileAlive(ctx, p)
	defer cancel()
	stop := context.AfterFunc(ctx, func() { _ = l.Close() }) // ends the wait for the value
	defer stop()

	token := rand.Text()
	if err := p.WriteStdin([]byte(evalLine(expr, l.Addr().(*net.TCPAddr).Port, token))); err != nil {
		return "", notRunning(err)
	}
	answer, err := receive(ctx, l, token)
	if err != nil {
		return "", because(ctx, err)
	}
	if value, ok := strings.CutPrefix(answer, "ok "); ok {
		return value, nil
	}
	return "", errors.New(strings.TrimPrefix(answer, "error "))
}

// receive accepts connections until one shows the token: any process of the machine
// may connect.
func receive(ctx context.Context, l net.Listener, token string) (string, error) {
	for {
		conn, err := l.Accept()
		if err != nil {
			return "", fmt.Errorf("wait for the value: %w", err)
		}
		stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
		b, err := io.ReadAll(conn)
		stop()
		_ = conn.Close()
		if answer, ok := strings.CutPrefix(string(b), token+" "); ok && err == nil {
			return answer, nil
		}
		if err != nil && ctx.Err() != nil {
			return "", fmt.Errorf("read the value: %w", err)
		}
	}
}

// evalLine is the line for the node's shell. The expression travels as a string, so
// that one that does not parse is answered like one that raises.
func evalLine(expr string, port int, token string) string {
	const line = `spawn(fun() -> ` +
		`Answer = try {ok, Tokens, _} = erl_scan:string(%s), {ok, Parsed} = erl_parse:parse_exprs(Tokens), ` +
		`{value, Value, _} = erl_eval:exprs(Parsed, erl_eval:new_bindings()), io_lib:format("ok ~0tp", [Value]) ` +
		`catch Class:Reason -> io_lib:format("error ~0tp", [{Class, Reason}]) end, ` +
		`case gen_tcp:connect({127,0,0,1}, %d, [binary]) of ` +
		`{ok, Socket} -> gen_tcp:send(Socket, unicode:characters_to_binary(["%s ", Answer])), gen_tcp:close(Socket); ` +
		`{error, _} -> nobody_waits end end).` + "\n"
	return fmt.Sprintf(line, erlangString(expr+" ."), port, token)
}

// erlangString is a string literal of Erlang, on one line and in ASCII.
func erlangString(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, c := range s {
		switch {
		case c == '"' || c == '\\':
			b.WriteByte('\\')
			b.WriteRune(c)
		case c < ' ' || c > '~':
			fmt.Fprintf(&b, `\x{%x}`, c)
		default:
			b.WriteRune(c)
		}
	}
	b.WriteByte('"')
	return b.String()
}

// erlangBinary is a binary literal of Erlang with the bytes of s.
func erlangBinary(s string) string {
	bytes := make([]string, len(s))
	for i := range len(s) {
		bytes[i] = strconv.Itoa(int(s[i]))
	}
	return "<<" + strings.Join(bytes, ",") + ">>"
}
