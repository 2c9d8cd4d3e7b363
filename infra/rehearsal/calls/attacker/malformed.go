package attacker

import (
	"net/netip"
	"strings"
)

// Malformed are messages that break SIP's grammar or its limits, by what is wrong with them.
func Malformed(from netip.AddrPort, uri string) map[string][]byte {
	sound := string(Request{Method: "INVITE", URI: uri, Body: Offer(from.Addr())}.Bytes(from))
	replace := func(old, with string) []byte { return []byte(strings.Replace(sound, old, with, 1)) }
	without := func(header string) []byte {
		var kept []string
		for _, line := range strings.Split(sound, "\r\n") {
			if !strings.HasPrefix(line, header+":") {
				kept = append(kept, line)
			}
		}
		return []byte(strings.Join(kept, "\r\n"))
	}
	return map[string][]byte{
		"nothing but zeros":           make([]byte, 512),
		"no headers":                  []byte("INVITE " + uri + " SIP/2.0\r\n\r\n"),
		"no end of headers":           []byte(strings.Split(sound, "\r\n\r\n")[0]),
		"an unknown version":          replace("SIP/2.0\r\n", "SIP/7.0\r\n"),
		"a Request-URI of no scheme":  replace("INVITE "+uri, "INVITE "+strings.Repeat("a", 300)),
		"a Request-URI with brackets": replace("INVITE "+uri, "INVITE <"+uri+">"),
		"no Via":                      without("Via"),
		"no From":                     without("From"),
		"no To":                       without("To"),
		"no Call-ID":                  without("Call-ID"),
		"no CSeq":                     without("CSeq"),
		"a CSeq of words":             replace("CSeq: 1 INVITE", "CSeq: one INVITE"),
		"a CSeq of another method":    replace("CSeq: 1 INVITE", "CSeq: 1 BYE"),
		"a negative Content-Length":   replace("Content-Length: ", "Content-Length: -"),
		"a Content-Length too large":  replace("Content-Length: ", "Content-Length: 99"),
		"a header of 20 kB":           replace("Max-Forwards: 70", "Max-Forwards: 70\r\nSubject: "+strings.Repeat("x", 20_000)),
		"2,000 headers":               replace("Max-Forwards: 70", "Max-Forwards: 70"+strings.Repeat("\r\nX-A: b", 2_000)),
		"200 Vias":                    replace("Max-Forwards: 70", strings.Repeat("Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1\r\n", 200)+"Max-Forwards: 70"),
		"60 kB":                       []byte(sound + strings.Repeat("v=0\r\n", 12_000)),
		"no hops left":                replace("Max-Forwards: 70", "Max-Forwards: 0"),
		"a quote that never ends":     replace("From: <", "From: \"never ends <"),
		"a database's quote":          replace("From: <sip:attacker", "From: <sip:a'%20OR%201=1--"),
		"a format string":             replace("User-Agent: ", "User-Agent: %s%n%x"),
		"bytes of no encoding":        replace("User-Agent: ", "User-Agent: \xff\xfe\x80"),
		"an unknown method":           []byte(strings.ReplaceAll(sound, "INVITE", "EXPLODE")),
		"a reply to nothing":          []byte("SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKx\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:c@d>;tag=2\r\nCall-ID: x\r\nCSeq: 1 INVITE\r\nContent-Length: 0\r\n\r\n"),
	}
}

// Scanners are the User-Agent headers of tools that look for open platforms.
func Scanners() []string {
	return []string{"friendly-scanner", "sipvicious", "sipcli/v1.8", "sip-scan", "sipsak 0.9.7", "sundayddr", "iWar", "SIVuS", "Gulp", "smap 0.6.0", "VaxSIPUserAgent", "pplsip"}
}
