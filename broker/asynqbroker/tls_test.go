package asynqbroker_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"acklab/broker"
	"acklab/broker/asynqbroker"
	"acklab/internal/server"
	"acklab/internal/server/servertest"
)

func TestAsynqsSpeaksTLSToAServerItTrusts(t *testing.T) {
	t.Parallel()
	certificate, key, roots := selfSigned(t)
	addr := freeAddr(t)
	_, port, err := net.SplitHostPort(addr)
	if err != nil {
		t.Fatal(err)
	}
	servertest.Redis(t, server.RedisOptions{Args: []string{
		"--tls-port", port, "--tls-cert-file", certificate, "--tls-key-file", key, "--tls-auth-clients", "no",
	}})
	stranger := openURL(t, "asynqs://"+addr+"/0", broker.Options{})
	wantReason(t, "publish to a server with an unknown certificate", stranger.Publish(within(t, patience), message(t, "q"))[0], broker.Unreachable)

	b := openURL(t, "asynqs://"+addr+"/0", broker.Options{})
	b.(*asynqbroker.Broker).Trust(roots)
	m := message(t, "q")
	confirm(t, b, m)
	c := consume(t, b, "q", 1)
	d := receive(t, c)
	if d.Message.ID != m.ID {
		t.Errorf("received message %s; want %s", d.Message.ID, m.ID)
	}
	ack(t, d)
	flush(t, c)
	wantIDs(t, b, "q", 0)

	plain := openURL(t, "asynq://"+addr+"/0", broker.Options{})
	if err := plain.Publish(within(t, 5*time.Second), message(t, "q"))[0]; err == nil {
		t.Error("a publish without TLS to a TLS port is confirmed")
	}
}

// selfSigned makes a certificate for the loopback address, its key, as files.
func selfSigned(t *testing.T) (certificate, key string, roots *x509.CertPool) {
	t.Helper()
	secret, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	about := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
	}
	raw, err := x509.CreateCertificate(rand.Reader, about, about, secret.Public(), secret)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(secret)
	if err != nil {
		t.Fatal(err)
	}
	write := func(name, kind string, der []byte) string {
		path := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	roots = x509.NewCertPool()
	roots.AppendCertsFromPEM(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: raw}))
	return write("cert.pem", "CERTIFICATE", raw), write("key.pem", "PRIVATE KEY", private), roots
}
