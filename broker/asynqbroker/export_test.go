package asynqbroker

import "crypto/x509"

// Trust makes a client that has not connected yet believe these roots, which
// a URL cannot name.
func (b *Broker) Trust(roots *x509.CertPool) { b.address.TLS.RootCAs = roots }
