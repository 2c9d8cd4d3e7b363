"""As much SIP, RTP and TLS as it takes to play carriers, phones, attackers and Routers around an SBC."""
import hashlib
import queue
import re
import select
import socket
import ssl
import struct
import threading
import time
import uuid


class Message:
    def __init__(self, start, headers, body=""):
        self.start, self.headers, self.body = start, headers, body

    @classmethod
    def parse(cls, data):
        head, _, body = data.decode("latin-1").partition("\r\n\r\n")
        start, *lines = head.split("\r\n")
        return cls(start, [tuple(part.strip() for part in line.split(":", 1)) for line in lines if ":" in line], body)

    def __bytes__(self):
        lines = [self.start, *(f"{n}: {v}" for n, v in self.headers if n.lower() != "content-length"), f"Content-Length: {len(self.body)}"]
        return ("\r\n".join(lines) + "\r\n\r\n" + self.body).encode("latin-1")

    def __str__(self):
        return bytes(self).decode("latin-1")

    def all(self, name):
        return [v for n, v in self.headers if n.lower() == name.lower()]

    def get(self, name, default=""):
        return (self.all(name) or [default])[0]

    @property
    def code(self):
        return int(self.start.split()[1]) if self.start.startswith("SIP/2.0") else 0

    @property
    def method(self):
        return "" if self.code else self.start.split()[0]

    @property
    def uri(self):
        return self.start.split()[1]

    def reply(self, code, reason, tag="", headers=(), body=""):
        keep = [(n, v) for n, v in self.headers if n.lower() in ("via", "from", "to", "call-id", "cseq", "record-route")]
        if tag and "tag=" not in self.get("To"):
            keep = [(n, v + f";tag={tag}" if n.lower() == "to" else v) for n, v in keep]
        return Message(f"SIP/2.0 {code} {reason}", [*keep, *headers], body)


class End:
    """An address that speaks SIP over UDP, or a TCP or TLS connection. OPTIONS are answered and counted by themselves."""

    def __init__(self, ip, port=5060, sbc=("203.0.113.21", 5060), transport="udp", contact=None):
        self.ip, self.sbc, self.transport = ip, sbc, transport
        self.box, self.alive, self.leaving, self.pings = queue.Queue(), True, False, 0
        if transport == "udp":
            self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
            self.socket.bind((ip, port))
        else:
            self.socket = socket.create_connection(sbc, timeout=5, source_address=(ip, 0))
            if transport == "tls":
                context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
                context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
                self.socket = context.wrap_socket(self.socket)
        self.socket.setblocking(transport != "tls")
        self.port = self.socket.getsockname()[1]
        self.contact = contact or f"{ip}:{self.port}"
        self.lock = threading.Lock()
        threading.Thread(target=self.listen, daemon=True).start()

    def listen(self):
        buffer = b""
        while True:
            try:
                data, source = self.socket.recvfrom(65535) if self.transport == "udp" else (self.receive(), self.sbc)
            except (OSError, ValueError):
                return
            if self.transport == "udp":
                self.take(Message.parse(data), source)
                continue
            if not data:
                return
            buffer += data
            while b"\r\n\r\n" in buffer:
                head, _, rest = buffer.partition(b"\r\n\r\n")
                found = re.search(rb"(?i)^content-length:\s*(\d+)", head, re.M)
                length = int(found[1]) if found else 0
                if len(rest) < length:
                    break
                self.take(Message.parse(head + b"\r\n\r\n" + rest[:length]), source)
                buffer = rest[length:]

    def receive(self):
        """What comes next. A connection of TLS is not read and written at the same time."""
        while self.transport == "tls":
            with self.lock:
                try:
                    return self.socket.recv(65535)
                except ssl.SSLWantReadError:
                    pass
            select.select([self.socket], [], [])
        return self.socket.recv(65535)

    def take(self, message, source):
        if not self.alive:
            return
        if message.method == "OPTIONS" and "tag=" not in message.get("To"):
            self.pings += 1
            self.send(message.reply(*((503, "Leaving") if self.leaving else (200, "OK")), tag="ping"), source)
            return
        if message.code >= 300 and message.get("CSeq").endswith("INVITE"):
            kept = [(n, v.replace("INVITE", "ACK")) for n, v in message.headers if n in ("From", "To", "Call-ID", "CSeq")]
            self.send(Message("ACK sip:x@invalid SIP/2.0", [("Via", message.get("Via")), *kept, ("Max-Forwards", "70")]), source)
        message.source = source
        self.box.put(message)

    def send(self, message, to=None):
        data = bytes(message) if isinstance(message, Message) else message
        with self.lock:
            if self.transport == "udp":
                self.socket.sendto(data, to or self.sbc)
            else:
                self.socket.sendall(data)

    def expect(self, want, seconds=3):
        """The next message of a method or with a code. 100 and copies of what was there before are passed over."""
        end = time.time() + seconds
        while True:
            try:
                m = self.box.get(timeout=max(0.01, end - time.time()))
            except queue.Empty:
                raise AssertionError(f"{self.ip}: no {want} within {seconds} s") from None
            if m.code == 100 and want != 100:
                continue
            if want in (m.code, m.method):
                return m
            if m.method in ("INVITE", "ACK", "BYE") and want not in (m.method,) and getattr(self, "lenient", False):
                continue
            raise AssertionError(f"{self.ip}: want {want}, got\n{m}")

    def silent(self, seconds=1):
        try:
            m = self.box.get(timeout=seconds)
        except queue.Empty:
            return
        raise AssertionError(f"{self.ip}: want silence, got\n{m}")

    def drop(self):
        while not self.box.empty():
            self.box.get()

    def via(self):
        return ("Via", f"SIP/2.0/{self.transport.upper()} {self.contact};rport;branch=z9hG4bK{uuid.uuid4().hex}")

    def request(self, method, uri, to="", headers=(), body="", call=None, cseq=1, tag=None, user="alice", agent="Test", domain="example.com", via=None):
        kind = [("Content-Type", "application/sdp")] if body else []
        suffix = "" if self.transport == "udp" else f";transport={self.transport}"
        return Message(f"{method} {uri} SIP/2.0", [
            via or self.via(), ("Max-Forwards", "70"), ("From", f"<sip:{user}@{domain}>;tag={tag or uuid.uuid4().hex[:8]}"), ("To", to or f"<{uri}>"),
            ("Call-ID", call or uuid.uuid4().hex), ("CSeq", f"{cseq} {method}"), ("Contact", f"<sip:{user}@{self.contact}{suffix}>"), ("User-Agent", agent),
            *headers, *kind], body)


def uri_of(value):
    found = re.search(r"<([^>]+)>", value)
    return found[1] if found else value.split(";")[0]


def routes(values):
    return [uri_of(part) for value in values for part in re.findall(r"<[^>]+>[^,]*", value)]


def sdp(ip, port):
    return f"v=0\r\no=- 1 1 IN IP4 {ip}\r\ns=-\r\nc=IN IP4 {ip}\r\nt=0 0\r\nm=audio {port} RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\na=sendrecv\r\n"


def media(body):
    return re.search(r"c=IN IP4 (\S+)", body)[1], int(re.search(r"m=audio (\d+)", body)[1])


class Media:
    """One side of RTP."""

    def __init__(self, ip):
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind((ip, 0))
        self.socket.settimeout(2)
        self.ip, self.port, self.sequence = ip, self.socket.getsockname()[1], 0
        self.source = abs(hash((ip, self.port))) & 0xFFFFFFFF

    def sdp(self):
        return sdp(self.ip, self.port)

    def send(self, to):
        self.sequence += 1
        self.socket.sendto(struct.pack("!BBHII", 0x80, 0, self.sequence, self.sequence * 160, self.source) + b"\xff" * 160, to)

    def receive(self):
        return len(self.socket.recvfrom(2048)[0])


def rtp_both_ways(a, to_a, b, to_b, count=50):
    """Every packet of one side reaches the other."""
    for _ in range(count):
        a.send(to_a)
        b.send(to_b)
        time.sleep(0.002)
    for side in (a, b):
        for n in range(count):
            try:
                side.receive()
            except socket.timeout:
                raise AssertionError(f"{side.ip} got {n} of {count} RTP packets") from None


def digest(user, password, method, uri, challenge):
    realm, nonce = re.search(r'realm="([^"]+)"', challenge)[1], re.search(r'nonce="([^"]+)"', challenge)[1]

    def h(text):
        return hashlib.md5(text.encode()).hexdigest()

    response = h(f"{h(f'{user}:{realm}:{password}')}:{nonce}:{h(f'{method}:{uri}')}")
    return f'Digest username="{user}", realm="{realm}", nonce="{nonce}", uri="{uri}", response="{response}", algorithm=MD5'
