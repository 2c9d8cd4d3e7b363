package awsfront

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"sync"
	"time"
)

// lifetime is how long certificates hold: longer than any rehearsal that is kept over a weekend.
const lifetime = 7 * 24 * time.Hour

// authority signs a certificate for whatever name a client asks for. Its key is in memory alone.
type authority struct {
	key         *ecdsa.PrivateKey
	parsed      *x509.Certificate
	certificate []byte

	mu     sync.Mutex
	leaf   *ecdsa.PrivateKey
	issued map[string]*tls.Certificate
}

func newAuthority() (*authority, error) {
	a := &authority{issued: map[string]*tls.Certificate{}}
	var err error
	if a.key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		return nil, fmt.Errorf("make the authority's key: %w", err)
	}
	if a.leaf, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		return nil, fmt.Errorf("make the services' key: %w", err)
	}
	template := a.template("CallData rehearsal")
	template.IsCA, template.BasicConstraintsValid, template.KeyUsage = true, true, x509.KeyUsageCertSign
	der, err := x509.CreateCertificate(rand.Reader, template, template, a.key.Public(), a.key)
	if err != nil {
		return nil, fmt.Errorf("make the authority's certificate: %w", err)
	}
	if a.parsed, err = x509.ParseCertificate(der); err != nil {
		return nil, fmt.Errorf("make the authority's certificate: %w", err)
	}
	var out bytes.Buffer
	err = pem.Encode(&out, &pem.Block{Type: "CERTIFICATE", Bytes: der})
	a.certificate = out.Bytes()
	return a, err
}

func (a *authority) template(name string) *x509.Certificate {
	serial, _ := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120)) // crypto/rand does not fail
	begin := time.Now().Add(-time.Hour)
	return &x509.Certificate{SerialNumber: serial, Subject: pkix.Name{CommonName: name}, NotBefore: begin, NotAfter: begin.Add(lifetime)}
}

// config is for servers that have every name.
func (a *authority) config() *tls.Config {
	return &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
		return a.issue(hello.ServerName)
	}}
}

// issue answers the certificate for a name.
func (a *authority) issue(name string) (*tls.Certificate, error) {
	if !isAWS(name) {
		return nil, errors.New("no service has this name")
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if known := a.issued[name]; known != nil {
		return known, nil
	}
	template := a.template(name)
	template.DNSNames, template.KeyUsage = []string{name}, x509.KeyUsageDigitalSignature
	template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	der, err := x509.CreateCertificate(rand.Reader, template, a.parsed, a.leaf.Public(), a.key)
	if err != nil {
		return nil, fmt.Errorf("sign for %s: %w", name, err)
	}
	made := &tls.Certificate{Certificate: [][]byte{der, a.parsed.Raw}, PrivateKey: a.leaf}
	a.issued[name] = made
	return made, nil
}

// Certificate answers, in PEM, a certificate for one of AWS's names with the authority's behind it, and its key: for a
// machine that plays a service of AWS's.
func (f *Front) Certificate(name string) (certificate, key []byte, err error) {
	issued, err := f.authority.issue(name)
	if err != nil {
		return nil, nil, err
	}
	var chain, private bytes.Buffer
	for _, der := range issued.Certificate {
		if err := pem.Encode(&chain, &pem.Block{Type: "CERTIFICATE", Bytes: der}); err != nil {
			return nil, nil, err
		}
	}
	der, err := x509.MarshalPKCS8PrivateKey(issued.PrivateKey)
	if err == nil {
		err = pem.Encode(&private, &pem.Block{Type: "PRIVATE KEY", Bytes: der})
	}
	return chain.Bytes(), private.Bytes(), err
}
