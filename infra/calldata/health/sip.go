package health

import (
	"context"
	"fmt"
	"strings"

	"github.com/calldata/calldata-foundation/components/ports"
	"github.com/calldata/calldata-foundation/infra/calldata/cli/verdict"
)

// sipQuestion asks an SBC for OPTIONS on its outer port, from the machine itself, since that port may be closed to this one. It prints
// the first line of the answer, or what came in its place. Three tries of a second each: UDP may lose one.
const sipQuestion = `python3 - %[1]s %[2]d <<'QUESTION'
import socket, sys
host, port = sys.argv[1], int(sys.argv[2])
said = "silence"
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
    s.settimeout(1)
    s.connect((host, port))
    own = "%%s:%%d" %% s.getsockname()
    for n in range(3):
        try:
            s.send((f"OPTIONS sip:{host}:{port} SIP/2.0\r\nVia: SIP/2.0/UDP {own};rport;branch=z9hG4bKhealth{n}\r\nMax-Forwards: 1\r\n"
                    f"From: <sip:health@{own}>;tag=health\r\nTo: <sip:{host}:{port}>\r\nCall-ID: health-{own}\r\nCSeq: {n + 1} OPTIONS\r\n"
                    "User-Agent: CallData health\r\nContent-Length: 0\r\n\r\n").encode())
            said = s.recv(65535).decode(errors="replace").split("\r\n")[0]
            break
        except socket.timeout:
            pass
        except OSError as e:
            said = e.strerror
print(said)
QUESTION`

// routersQuestion asks Kamailio which Routers it gives calls to.
const routersQuestion = `sudo -n kamcmd -s unix:/run/kamailio/ctl.sock dispatcher.list`

// sbc asks whether calls get into the SBC, and on to a Router: units may be active where neither is so.
func sbc(ctx context.Context, h *host, address string) found {
	port, _ := ports.Find(ports.C4SBC(), ports.SIP) // in the table, which its own tests keep
	answer, err := h.run(ctx, fmt.Sprintf(sipQuestion, address, port.From))
	if err != nil {
		return fail("%v", err)
	}
	where := fmt.Sprintf("OPTIONS on %s:%d", address, port.From)
	answered := judgeSIP(where, strings.TrimSpace(answer))
	if answered.status != verdict.OK {
		return answered
	}
	out, err := h.run(ctx, routersQuestion)
	if err != nil {
		return fail("%v", err)
	}
	return judgeRouters(out)
}

// judgeSIP reads the first line of the answer. A machine that is drained says 503.
func judgeSIP(where, answer string) found {
	status, isSIP := strings.CutPrefix(answer, "SIP/2.0 ")
	switch {
	case strings.HasPrefix(status, "200 ") && isSIP:
		return ok("%s answered", where)
	case strings.HasPrefix(status, "503 ") && isSIP:
		return warn("%s answered with %s: it is leaving on purpose (calldata drain --status)", where, status)
	case isSIP:
		return fail("%s answered with %s", where, status)
	}
	return fail("no answer to %s: %s", where, answer)
}

// judgeRouters reads dispatcher.list. The first letter of FLAGS is a target's state: active and trying get calls, inactive and
// disabled do not. Source: Kamailio, module dispatcher, dispatcher.list.
func judgeRouters(out string) found {
	all, up := 0, 0
	for line := range strings.Lines(out) {
		flags, isState := strings.CutPrefix(strings.TrimSpace(line), "FLAGS: ")
		if !isState {
			continue
		}
		all++
		if strings.HasPrefix(flags, "A") || strings.HasPrefix(flags, "T") {
			up++
		}
	}
	detail := fmt.Sprintf("SIP is answered, %d of %d Routers take calls", up, all)
	switch {
	case up == 0:
		return fail("%s", detail)
	case up < all:
		return warn("%s", detail)
	}
	return ok("%s", detail)
}
