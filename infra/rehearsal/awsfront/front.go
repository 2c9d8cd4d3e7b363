package awsfront

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/calldata/calldata-foundation/infra/calldata/cli/progress"
)

// The addresses inside a VPC. The first two are AWS's own; the third is a free one beside them.
// Source: Amazon EC2 User Guide, "Access instance metadata"; Amazon VPC User Guide, "Amazon DNS server".
var (
	metadataAddress = netip.AddrFrom4([4]byte{169, 254, 169, 254})
	resolverAddress = netip.AddrFrom4([4]byte{169, 254, 169, 253})
	serviceAddress  = netip.AddrFrom4([4]byte{169, 254, 169, 252})
)

// Network is where the machines are. *machines.Network is one.
type Network interface {
	// AddAddress gives the machines' router an address.
	AddAddress(ctx context.Context, address netip.Addr) error
	// Listen, ListenPacket and DialContext are those of package net, for IP addresses inside the network.
	Listen(network, address string) (net.Listener, error)
	ListenPacket(network, address string) (net.PacketConn, error)
	DialContext(ctx context.Context, network, address string) (net.Conn, error)
}

// Options say what the front stands before.
type Options struct {
	// Network is where the machines are.
	Network Network
	// Config is for clients of the AWS API in this process.
	Config aws.Config
	// Endpoint is the URL of the AWS API inside the network.
	Endpoint string
	// Progress hears where the start stands. Default: nobody.
	Progress progress.Reporter
}

// Front serves the machines of a network until it is stopped.
type Front struct {
	authority *authority
	names     *names
	closers   []func() error
	work      sync.WaitGroup
}

// Start makes the front reachable for machines. Whatever it started is stopped again when it fails.
func Start(ctx context.Context, o Options) (_ *Front, err error) {
	endpoint, err := url.Parse(o.Endpoint)
	if err != nil || endpoint.Host == "" {
		return nil, fmt.Errorf("front of AWS: endpoint is %q: want a URL", o.Endpoint)
	}
	f := &Front{}
	defer func() {
		if err != nil {
			err = fmt.Errorf("front of AWS: %w", err)
			f.Stop()
		}
	}()
	if f.authority, err = newAuthority(); err != nil {
		return nil, err
	}
	for _, address := range []netip.Addr{metadataAddress, resolverAddress, serviceAddress} {
		if err := o.Network.AddAddress(ctx, address); err != nil {
			return nil, err
		}
	}
	account := newAccount(o.Config)
	services := newProxy(endpoint, o.Network)
	for _, s := range []struct {
		address netip.AddrPort
		handler http.Handler
		secure  bool
	}{
		{netip.AddrPortFrom(metadataAddress, 80), newMetadata(account), false},
		{netip.AddrPortFrom(serviceAddress, 80), services, false},
		{netip.AddrPortFrom(serviceAddress, 443), services, true},
	} {
		listener, err := o.Network.Listen("tcp", s.address.String())
		if err != nil {
			return nil, err
		}
		f.serve(listener, s.handler, s.secure)
	}
	f.names = &names{account: account, hosts: map[string][]netip.Addr{}}
	if err := f.serveNames(o.Network); err != nil {
		return nil, err
	}
	return f, publishAgent(ctx, o.Config)
}

// serve answers HTTP, over TLS if it is to be secure.
func (f *Front) serve(listener net.Listener, handler http.Handler, secure bool) {
	server := &http.Server{Handler: handler, ReadHeaderTimeout: time.Minute}
	f.closers = append(f.closers, server.Close)
	f.work.Go(func() {
		if secure {
			server.TLSConfig = f.authority.config()
			_ = server.ServeTLS(listener, "", "") // until Stop
			return
		}
		_ = server.Serve(listener)
	})
}

// serveNames answers DNS questions over UDP and TCP.
func (f *Front) serveNames(network Network) error {
	address := netip.AddrPortFrom(resolverAddress, 53).String()
	packets, err := network.ListenPacket("udp", address)
	if err != nil {
		return err
	}
	f.closers = append(f.closers, packets.Close)
	f.work.Go(func() { f.names.servePackets(packets) })
	listener, err := network.Listen("tcp", address)
	if err != nil {
		return err
	}
	f.closers = append(f.closers, listener.Close)
	f.work.Go(func() { f.names.serveStreams(listener) })
	return nil
}

// Resolver is the name server for the machines.
func (f *Front) Resolver() netip.Addr { return resolverAddress }

// Authority is the certificate, in PEM, that the machines have to trust. It is made anew for each front.
func (f *Front) Authority() []byte { return f.authority.certificate }

// SetHost makes a name lead to addresses before anything else is asked, or, without any, no longer. It stands in for
// what an emulator has by name alone, such as a database.
func (f *Front) SetHost(name string, addresses ...netip.Addr) { f.names.setHost(name, addresses) }

// Stop ends everything. It may be called twice.
func (f *Front) Stop() {
	var errs []error
	for _, close := range f.closers {
		errs = append(errs, close())
	}
	f.closers = nil
	_ = errors.Join(errs...) // a listener that is closed already
	f.work.Wait()
}
