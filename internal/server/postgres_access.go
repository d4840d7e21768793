package server

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
)

// replaceHBA has the server ask every client for a password: pg_hba.conf, which
// it reads again when it is told to.
func (s *Postgres) replaceHBA() error {
	path := filepath.Join(s.dir, "data", "pg_hba.conf")
	if err := os.WriteFile(path, []byte("host all all 127.0.0.1/32 scram-sha-256\n"), 0o600); err != nil {
		return fmt.Errorf("write who may connect: %w", err)
	}
	return nil
}

// quoted is a text as a literal of SQL, for statements that take no parameters.
func quoted(text string) string {
	return "'" + strings.ReplaceAll(text, "'", "''") + "'"
}

// dialable tells whether anybody listens.
func dialable(ctx context.Context, addr string) error {
	var d net.Dialer
	socket, err := d.DialContext(ctx, "tcp", addr)
	if err != nil {
		return err
	}
	return socket.Close()
}
