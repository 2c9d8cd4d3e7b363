package sip

import (
	"fmt"
	"net/netip"
	"strings"

	sipmsg "github.com/emiago/sipgo/sip"
)

// Reply is the final answer to a SIP request.
type Reply struct {
	// Code and Reason are those of the status line, for example 486 and "Busy Here".
	Code   int
	Reason string
	// Server is the Server or User-Agent header, or empty.
	Server string
}

// String is "486 Busy Here".
func (r Reply) String() string { return strings.TrimSpace(fmt.Sprintf("%d %s", r.Code, r.Reason)) }

// Challenge tells whether the reply asks for credentials.
func (r Reply) Challenge() bool {
	return r.Code == sipmsg.StatusUnauthorized || r.Code == sipmsg.StatusProxyAuthRequired
}

// Success tells whether the reply is a 2xx.
func (r Reply) Success() bool { return r.Code >= 200 && r.Code < 300 }

// RejectedError is a SIP request that was answered, but not with what it was sent for.
type RejectedError struct {
	// Method is the request's, for example "INVITE".
	Method string
	// Reply is the answer.
	Reply Reply
}

// Error names the request and the answer.
func (e *RejectedError) Error() string {
	return fmt.Sprintf("%s was answered with %s", e.Method, e.Reply)
}

// NoReplyError is a SIP request that nobody answered in time.
type NoReplyError struct {
	// Method is the request's, Transport and Server where it was sent.
	Method, Transport string
	Server            netip.AddrPort
	// Err is what ended the waiting.
	Err error
}

// Error names the request and the server.
func (e *NoReplyError) Error() string {
	return fmt.Sprintf("no reply to %s from %s:%s: %v", e.Method, e.Transport, e.Server, e.Err)
}

// Unwrap gives what ended the waiting.
func (e *NoReplyError) Unwrap() error { return e.Err }

func replyOf(res *sipmsg.Response) Reply {
	reply := Reply{Code: res.StatusCode, Reason: res.Reason}
	for _, name := range []string{"Server", "User-Agent"} {
		if h := res.GetHeader(name); h != nil {
			reply.Server = h.Value()
			break
		}
	}
	return reply
}
