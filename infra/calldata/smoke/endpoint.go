package smoke

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
)

// defaultPort is SIP's over UDP (RFC 3261, section 19.1.2).
const defaultPort = 5060

// endpoint is where phones register, as the stack's output endpoints.sip says it.
type endpoint struct {
	host string
	port uint16
}

// parseEndpoint reads a SIP URI such as "sip:203.0.113.10:5060;transport=udp".
func parseEndpoint(uri string) (endpoint, error) {
	wrong := func(why string) (endpoint, error) {
		return endpoint{}, fmt.Errorf("stack output endpoints.sip is %q: %s; want sip:HOST[:PORT][;transport=udp]", uri, why)
	}
	if uri == "" {
		return endpoint{}, errors.New("stack output endpoints.sip is empty: no phone reaches this stack, and this is a call of a phone; " +
			"calldata-foundation:sipEdges lets phones in")
	}
	rest, found := strings.CutPrefix(uri, "sip:")
	if !found {
		return wrong("it does not begin with sip:")
	}
	address, parameters, _ := strings.Cut(rest, ";")
	for parameter := range strings.SplitSeq(parameters, ";") {
		name, value, _ := strings.Cut(parameter, "=")
		if strings.EqualFold(name, "transport") && !strings.EqualFold(value, "udp") {
			return wrong("only UDP can be called")
		}
	}
	if strings.Contains(address, "@") {
		return wrong("it names a user")
	}
	e := endpoint{host: address, port: defaultPort}
	if host, port, err := net.SplitHostPort(address); err == nil {
		number, err := strconv.ParseUint(port, 10, 16)
		if err != nil || number == 0 {
			return wrong("its port is not one")
		}
		e = endpoint{host: host, port: uint16(number)}
	} else {
		e.host = strings.Trim(address, "[]")
	}
	if e.host == "" {
		return wrong("it has no host")
	}
	return e, nil
}

// resolve answers the address of the endpoint, an IPv4 one if there is a choice: that is what engines and SBCs listen on. The
// endpoint names its port, so that its name has addresses and no SRV records to ask for (RFC 3263, section 4.2).
func (e endpoint) resolve(ctx context.Context) (netip.AddrPort, error) {
	if ip, err := netip.ParseAddr(e.host); err == nil {
		return netip.AddrPortFrom(ip, e.port), nil
	}
	ips, err := net.DefaultResolver.LookupNetIP(ctx, "ip", e.host)
	if err != nil {
		return netip.AddrPort{}, fmt.Errorf("SIP endpoint %s does not resolve here: %w; --address calls an address instead", e.host, err)
	}
	for _, ip := range ips {
		if ip.Unmap().Is4() {
			return netip.AddrPortFrom(ip.Unmap(), e.port), nil
		}
	}
	return netip.AddrPortFrom(ips[0], e.port), nil
}
