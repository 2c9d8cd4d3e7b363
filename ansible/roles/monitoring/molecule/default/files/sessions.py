"""Open sessions in rtpengine: sessions.py COUNT. Source: rtpengine's documentation, "The ng control protocol"."""

import socket
import sys

SDP = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 30000 RTP/AVP 0\r\n"


def encode(value):
    if isinstance(value, dict):
        return "d" + "".join(encode(key) + encode(value[key]) for key in sorted(value)) + "e"
    return f"{len(value)}:{value}"


with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
    s.settimeout(5)
    for number in range(int(sys.argv[1])):
        offer = {"command": "offer", "call-id": f"trial-{number}", "from-tag": "a", "sdp": SDP}
        s.sendto(f"{number} {encode(offer)}".encode(), ("127.0.0.1", 22222))
        answer = s.recv(65535).decode()
        if "6:result2:ok" not in answer:
            sys.exit(answer)
