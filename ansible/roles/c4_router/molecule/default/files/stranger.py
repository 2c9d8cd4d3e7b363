"""Ask the Router for a call from its own address, which is nobody's, and print the answer."""
import socket

with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
    s.bind(("10.42.2.11", 0))
    s.settimeout(5)
    here = "%s:%d" % s.getsockname()
    lines = ["INVITE sip:14155550100@10.42.2.11 SIP/2.0", f"Via: SIP/2.0/UDP {here};branch=z9hG4bKstranger", f"From: <sip:x@{here}>;tag=1",
             "To: <sip:14155550100@10.42.2.11>", "Call-ID: stranger", "CSeq: 1 INVITE", f"Contact: <sip:x@{here}>", "Max-Forwards: 70",
             "P-Calldata-Source: 198.51.100.1:5060;udp", "Content-Length: 0", "", ""]
    s.sendto("\r\n".join(lines).encode(), ("10.42.2.11", 5060))
    print(s.recv(4096).decode().splitlines()[0])
