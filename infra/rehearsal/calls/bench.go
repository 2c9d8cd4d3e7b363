package calls

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/calldata/calldata-foundation/infra/calldata/cli/private"
	"github.com/calldata/calldata-foundation/infra/calldata/sip"
	"github.com/calldata/calldata-foundation/infra/rehearsal/calls/party"
)

// sipPort and sipsPort are SIP's own (RFC 3261, section 19.1.2).
const (
	sipPort  = 5060
	sipsPort = 5061
)

const (
	// registration is how long phones ask to be registered, in seconds. SBCs grant less.
	registration = 3600
	// refresh is when a phone registers anew.
	refresh = time.Minute
	// handshakeTime is how long a server may take to show its certificate.
	handshakeTime = 10 * time.Second
)

// agent is what the parties call themselves.
const agent = "calldata-calls"

// secretsVariable names the file with the phones' passwords.
const secretsVariable = "CALLDATA_SECRETS_FILE"

// bench holds the parties, and what they expect of the Routers' records.
type bench struct {
	plan      Plan
	carriers  []*party.Party
	phones    []*party.Party
	passwords []string
	trust     *tls.Config

	// registered tells when phones have registered.
	registered map[int]time.Time
	// begin is when the first call was made; expected are the legs that have to be in the records.
	begin    time.Time
	expected []leg
	mu       sync.Mutex
	count    int
}

// open makes the parties. They call the first SBC.
func open(ctx context.Context, p Plan, secretsFile string) (b *bench, err error) {
	b = &bench{plan: p, begin: time.Now(), registered: map[int]time.Time{}}
	defer func() {
		if err != nil {
			err = errors.Join(err, b.close())
		}
	}()
	if err := b.readPasswords(secretsFile); err != nil {
		return b, err
	}
	if b.trust, err = trust(p); err != nil {
		return b, err
	}
	for i := range p.Carriers {
		c, err := b.openCarrier(ctx, i, p.SBCs[0])
		if err != nil {
			return b, err
		}
		b.carriers = append(b.carriers, c)
	}
	for i := range p.Phones {
		phone, err := b.openPhone(ctx, i, p.SBCs[0], sip.UDP)
		if err != nil {
			return b, err
		}
		b.phones = append(b.phones, phone)
	}
	return b, nil
}

func (b *bench) openCarrier(ctx context.Context, i int, sbc Machine) (*party.Party, error) {
	c := b.plan.Carriers[i]
	return party.Open(ctx, "carrier "+c.Trunk, sip.Config{
		Server: sbc.sip(), LocalIP: c.Address, Port: sipPort, User: "carrier",
		FromDomain: c.Address.String(), Agent: agent,
	})
}

// openPhone makes one more phone of a line, at a free port.
func (b *bench) openPhone(ctx context.Context, i int, sbc Machine, transport string) (*party.Party, error) {
	p := b.plan.Phones[i]
	config := sip.Config{
		Server: sbc.sip(), LocalIP: p.Address, User: p.User, Domain: b.plan.Domain, Agent: agent, Transport: transport,
		Expires: registration,
	}
	name := "phone " + p.User
	if transport == sip.TLS {
		config.Server = netip.AddrPortFrom(sbc.Address, sipsPort)
		config.TLS = b.trust
	}
	return party.Open(ctx, name, config)
}

// readPasswords finds the phones' passwords in the secrets file.
func (b *bench) readPasswords(file string) error {
	data, err := private.Read(secretsVariable, file)
	if err != nil {
		return err
	}
	vars, err := private.Variables(secretsVariable, file, data)
	if err != nil {
		return err
	}
	var errs []error
	for _, p := range b.plan.Phones {
		text, ok := vars[p.Secret].(string)
		if !ok || text == "" {
			errs = append(errs, fmt.Errorf("%s: the file has no text %s, the password of phone %s", secretsVariable, p.Secret, p.User))
		}
		b.passwords = append(b.passwords, text)
	}
	return errors.Join(errs...)
}

// trust verifies the SBCs. Phones know them by the tenant's domain (RFC 5922, section 7).
func trust(p Plan) (*tls.Config, error) {
	config := &tls.Config{ServerName: p.Domain, MinVersion: tls.VersionTLS12}
	if p.CertificatesFile == "" {
		return config, nil
	}
	data, err := os.ReadFile(p.CertificatesFile)
	if err != nil {
		return nil, fmt.Errorf("certificatesFile: %w", err)
	}
	var known [][]byte
	for block, rest := pem.Decode(data); block != nil; block, rest = pem.Decode(rest) {
		known = append(known, block.Bytes)
	}
	if len(known) == 0 {
		return nil, fmt.Errorf("certificatesFile: %s has no certificate in PEM", p.CertificatesFile)
	}
	config.InsecureSkipVerify = true //nolint:gosec // what follows is stricter: one of the known certificates and no other
	config.VerifyConnection = func(state tls.ConnectionState) error {
		if slices.ContainsFunc(known, func(der []byte) bool { return bytes.Equal(der, state.PeerCertificates[0].Raw) }) {
			return nil
		}
		return errors.New("the server's certificate is not one of " + p.CertificatesFile)
	}
	return config, nil
}

// certificate is what a server shows to an address, in PEM, whoever signed it.
func certificate(ctx context.Context, from netip.Addr, server netip.AddrPort, name string) ([]byte, error) {
	dialer := tls.Dialer{
		NetDialer: &net.Dialer{LocalAddr: net.TCPAddrFromAddrPort(netip.AddrPortFrom(from, 0)), Timeout: handshakeTime},
		Config:    &tls.Config{ServerName: name, MinVersion: tls.VersionTLS12, InsecureSkipVerify: true}, //nolint:gosec // to know it is what is wanted
	}
	conn, err := dialer.DialContext(ctx, "tcp", server.String())
	if err != nil {
		return nil, fmt.Errorf("ask %s for its certificate: %w", server, err)
	}
	defer func() { _ = conn.Close() }()
	shown := conn.(*tls.Conn).ConnectionState().PeerCertificates
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: shown[0].Raw}), nil
}

// Certificates are those that the SBCs of a plan show to its first phone, in PEM, for Plan.CertificatesFile of a platform that is new: nobody
// knows yet what its SBCs have made for themselves. Nothing is verified.
func Certificates(ctx context.Context, p Plan) ([]byte, error) {
	var all []byte
	for _, sbc := range p.SBCs {
		shown, err := certificate(ctx, p.Phones[0].Address, netip.AddrPortFrom(sbc.Address, sipsPort), p.Domain)
		if err != nil {
			return nil, fmt.Errorf("SBC %s: %w", sbc.Name, err) //nolint:staticcheck // a name
		}
		all = append(all, shown...)
	}
	return all, nil
}

// clear turns away calls that nobody waited for.
func (b *bench) clear() {
	for _, p := range append(append([]*party.Party{}, b.carriers...), b.phones...) {
		p.Clear()
	}
}

func (b *bench) close() error {
	var errs []error
	for _, p := range append(append([]*party.Party{}, b.carriers...), b.phones...) {
		errs = append(errs, p.Close())
	}
	return errors.Join(errs...)
}

// register makes a phone ready for calls, where it is not.
func (t *Trial) register(i int) *party.Party {
	p := t.phones[i]
	t.step(p.Name+" registers", func(ctx context.Context) error {
		if time.Since(t.registered[i]) < refresh {
			return nil
		}
		delete(t.registered, i)
		if err := bind(ctx, p, t.passwords[i]); err != nil {
			return err
		}
		t.registered[i] = time.Now()
		return nil
	})
	return p
}

// bind registers, and takes nothing but success.
func bind(ctx context.Context, p *party.Party, password string) error {
	first, final, err := p.Register(ctx, password)
	if err != nil {
		return err
	}
	if first.Challenge() {
		first = final
	}
	if !first.Success() {
		return &sip.RejectedError{Method: "REGISTER", Reply: first}
	}
	return nil
}

// next counts calls: each has numbers of its own.
func (b *bench) next() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.count++
	return b.count
}

// outside is a number beyond the carriers that nobody called yet.
func (b *bench) outside(prefix string) string { return fmt.Sprintf("%s%04d", prefix, b.next()) }

// dialled is what a phone dials for a number of the world.
func (b *bench) dialled(number string) string {
	if b.plan.Numbers.Dial == "" {
		return number
	}
	return b.plan.Numbers.Dial + digits(number)
}

// caller is a number of the world that did not call yet.
func (b *bench) caller() string { return fmt.Sprintf("+1212555%04d", b.next()) }
