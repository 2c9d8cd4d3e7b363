"""Plays carrier, phones, attackers and Routers around one SBC: calls.py TEST..., or all of them."""
import json
import re
import socket
import subprocess
import sys
import time
import uuid

from sip import End, Media, Message, digest, media, routes, rtp_both_ways, sdp, uri_of

SBC, INSIDE, PUBLIC = "10.42.3.11", ("10.42.3.11", 5070), "203.0.113.21"
ROUTER1, ROUTER2, ENGINE, ROUTER3 = "10.42.3.12", "10.42.3.13", "10.42.3.14", "10.42.3.15"
CARRIER, PHONE, FLOODER, SCANNER, STRANGER, GUESSER = (f"203.0.113.{n}" for n in range(101, 107))
PRIVATE = re.compile(r"(?<![0-9.])(10\.|192\.168\.|172\.(1[6-9]|2\d|3[01])\.)[0-9.]+")


class World:
    def __init__(self):
        own(ROUTER1, ROUTER2)
        self.router1, self.router2 = (End(ip, sbc=INSIDE) for ip in (ROUTER1, ROUTER2))
        self.carrier = End(CARRIER)
        self.ends = [self.router1, self.router2, self.carrier]

    def end(self, *args, **more):
        end = End(*args, **more)
        self.ends.append(end)
        return end

    def router(self, method, seconds=6):
        """The Router that gets the request, and the request."""
        deadline = time.time() + seconds
        while time.time() < deadline:
            for r in (self.router1, self.router2):
                if not r.box.empty():
                    return r, r.expect(method)
            time.sleep(0.01)
        raise AssertionError(f"no Router got {method} within {seconds} s")

    def nothing_inside(self, seconds=0.5):
        time.sleep(seconds)
        for r in (self.router1, self.router2):
            r.silent(0.01)

    def refuse(self, method):
        """Routers refuse what comes until nothing new has come for a second; answers the Call-IDs."""
        came, last = set(), time.time()
        while time.time() - last < 1:
            for r in (self.router1, self.router2):
                while not r.box.empty():
                    m = r.box.get()
                    if m.method == method:
                        if m.get("Call-ID") not in came:
                            last = time.time()
                        came.add(m.get("Call-ID"))
                        r.send(m.reply(404, "Not Found", "t"))
            time.sleep(0.05)
        return came

    def calm(self):
        for e in self.ends:
            e.drop()


def hidden(message):
    """Nothing of the inside shows."""
    found = PRIVATE.search(str(message))
    assert not found, f"the outside sees {found[0]}:\n{message}"
    for name, _ in message.headers:
        assert not name.lower().startswith(("x-", "p-calldata", "path")), f"the outside sees {name}:\n{message}"


def branch(via):
    return re.search(r"branch=([^;]+)", via)[1]


def ack(invite, ok, end, extra=()):
    """The ACK of a caller to a 200."""
    route = [("Route", f"<{u}>") for u in reversed(routes(ok.all("Record-Route")))]
    return Message(f"ACK {uri_of(ok.get('Contact'))} SIP/2.0", [
        end.via(), ("Max-Forwards", "70"), *route, ("From", invite.get("From")), ("To", ok.get("To")), ("Call-ID", invite.get("Call-ID")),
        ("CSeq", invite.get("CSeq").split()[0] + " ACK"), *extra])


class Call:
    """One side's view of a dialog."""

    def __init__(self, end, local, remote, call, target, route, cseq=1):
        self.end, self.local, self.remote, self.call, self.target, self.route, self.cseq = end, local, remote, call, target, route, cseq

    @classmethod
    def caller(cls, end, invite, ok):
        return cls(end, invite.get("From"), ok.get("To"), invite.get("Call-ID"), uri_of(ok.get("Contact")), [u for u in reversed(routes(ok.all("Record-Route"))) if end.ip not in u],
                   int(invite.get("CSeq").split()[0]))

    @classmethod
    def callee(cls, end, invite, tag):
        return cls(end, invite.get("To") + f";tag={tag}", invite.get("From"), invite.get("Call-ID"), uri_of(invite.get("Contact")), routes(invite.all("Record-Route")), 100)

    def request(self, method, body="", headers=(), route=None, target=None):
        self.cseq += method != "ACK"
        kind = [("Content-Type", "application/sdp")] if body else []
        return Message(f"{method} {target or self.target} SIP/2.0", [
            self.end.via(), ("Max-Forwards", "70"), *[("Route", f"<{u}>") for u in (self.route if route is None else route)], ("From", self.local), ("To", self.remote),
            ("Call-ID", self.call), ("CSeq", f"{self.cseq} {method}"), ("Contact", f"<sip:x@{self.end.contact}>"), *headers, *kind], body)


def router_answer(router, invite, tag, body, code=200, reason="OK", contact=f"sip:asterisk@{ENGINE}:5060", headers=()):
    """What a Router lets through of its engine's answer."""
    answer = invite.reply(code, reason, tag, [("Contact", f"<{contact}>"), ("Server", "Asterisk"), ("X-Engine", ENGINE), ("Content-Type", "application/sdp"), *headers], body)
    where = [i for i, (n, _) in enumerate(answer.headers) if n == "Record-Route"][0]
    answer.headers.insert(where, ("Record-Route", f"<sip:{router.ip};lr=on;ftag={uuid.uuid4().hex[:4]};did=1a.2b>"))
    return answer


def inbound(w, caller, router_wait=6, uri=f"sip:+14155550100@{PUBLIC}", **more):
    """A call from outside until it is up: both views, both medias, the INVITE inside and the 200 outside."""
    m_out, m_in = Media(caller.ip), Media(ROUTER1)
    invite = caller.request("INVITE", uri, body=m_out.sdp(), **more)
    caller.send(invite)
    router, inside = w.router("INVITE", router_wait)
    router.send(inside.reply(100, "Trying"))
    tag = uuid.uuid4().hex[:8]
    router.send(router_answer(router, inside, tag, "", 180, "Ringing"))
    hidden(caller.expect(180))
    router.send(router_answer(router, inside, tag, m_in.sdp()))
    ok = caller.expect(200)
    hidden(ok)
    a = Call.caller(caller, invite, ok)
    b = Call.callee(router, inside, tag)
    b.local = ok.get("To")
    caller.send(ack(invite, ok, caller))
    got = router.expect("ACK")
    assert got.uri == f"sip:asterisk@{ENGINE}:5060", got
    assert routes(got.all("Route"))[-1].startswith(f"sip:{router.ip};lr"), got
    return a, b, m_out, m_in, inside, ok


def hang_up(by, other):
    by.end.send(by.request("BYE"))
    bye = other.end.expect("BYE")
    other.end.send(bye.reply(200, "OK"))
    by.end.expect(200)
    return bye


def test_status(w):
    def ask(path, method="GET"):
        with socket.create_connection((SBC, 9600), timeout=3) as s:
            s.sendall(f"{method} {path} HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n".encode())
            return s.recv(4096).decode().split("\r\n")[0]
    assert " 200 " in ask("/status")
    for path in ("/", "/rpc", "/RPC", "/status/../rpc", "/metrics"):
        assert " 404 " in ask(path, "POST"), path
    w.carrier.send(w.carrier.request("OPTIONS", f"sip:{PUBLIC}"))
    hidden(w.carrier.expect(200))
    level("leave")
    assert " 503 " in ask("/status")
    w.carrier.send(w.carrier.request("OPTIONS", f"sip:{PUBLIC}"))
    w.carrier.expect(503)
    w.router1.send(w.router1.request("OPTIONS", f"sip:{SBC}:5070"))
    w.router1.expect(503)
    a, b, *_ = inbound(w, w.carrier)
    hang_up(a, b)
    level("normal")
    assert " 200 " in ask("/status")


def test_inbound(w):
    a, b, m_out, m_in, inside, ok = inbound(w, w.carrier, headers=[
        ("P-Asserted-Identity", "<sip:+1@carrier.example>"), ("X-Tenant", "other"), ("P-Calldata-Source", "192.0.2.1:5060;udp"), ("Route", f"<sip:{PUBLIC};lr>, <sip:192.0.2.66;lr>")])
    assert inside.all("P-Calldata-Source") == [f"{CARRIER}:5060;udp"], inside
    assert not inside.all("Route") and not inside.all("X-Tenant") and not inside.all("TH"), inside
    assert inside.get("P-Asserted-Identity"), "a carrier may say who calls"
    assert inside.uri == f"sip:+14155550100@{PUBLIC}"
    assert routes(inside.all("Record-Route"))[0].startswith(f"sip:{SBC}:5070"), inside
    outside_ip, outside_port = media(ok.body)
    inside_ip, inside_port = media(inside.body)
    assert (outside_ip, inside_ip) == (PUBLIC, SBC)
    assert 23000 <= outside_port <= 32768 and 23000 <= inside_port <= 32768
    rtp_both_ways(m_out, (outside_ip, outside_port), m_in, (inside_ip, inside_port))
    # Hold by the engine, then by the carrier.
    b.end.send(b.request("INVITE", m_in.sdp().replace("sendrecv", "sendonly")))
    again = a.end.expect("INVITE")
    hidden(again)
    assert media(again.body)[0] == PUBLIC and "sendonly" in again.body
    a.end.send(again.reply(200, "OK", headers=[("Contact", f"<sip:carrier@{CARRIER}:5060>"), ("Content-Type", "application/sdp")], body=m_out.sdp().replace("sendrecv", "recvonly")))
    got = b.end.expect(200)
    assert media(got.body)[0] == SBC
    b.end.send(b.request("ACK"))
    a.end.expect("ACK")
    a.end.send(a.request("INVITE", m_out.sdp()))
    again = b.end.expect("INVITE")
    assert media(again.body)[0] == SBC
    b.end.send(again.reply(200, "OK", headers=[("Contact", f"<sip:moved@{ENGINE}:5060>"), ("Content-Type", "application/sdp")], body=m_in.sdp()))
    got = a.end.expect(200)
    hidden(got)
    a.target = uri_of(got.get("Contact"))
    a.end.send(a.request("ACK"))
    assert b.end.expect("ACK").uri == f"sip:moved@{ENGINE}:5060"
    hidden(hang_up(b, a))
    a, b, *_ = inbound(w, w.carrier)
    hang_up(a, b)


def outbound(w, end, uri, headers=(), accept=True):
    """A call from a Router until it is up."""
    m_in, m_out = Media(ROUTER1), Media(end.ip)
    invite = w.router1.request("INVITE", uri, to=f"<sip:+14155550199@{ROUTER1}>", domain=ENGINE, via=("Via", f"SIP/2.0/UDP {ENGINE}:5060;rport;branch=z9hG4bK{uuid.uuid4().hex}"), headers=[
        ("Record-Route", f"<sip:{ROUTER1};lr=on;did=3c.4d>"), ("P-Asserted-Identity", f"<sip:+1@{ENGINE}>"), ("X-Tenant", "one"), *headers], body=m_in.sdp())
    invite.headers.insert(0, w.router1.via())
    invite.headers = [(n, f"<sip:asterisk@{ENGINE}:5060>") if n == "Contact" else (n, v) for n, v in invite.headers]
    w.router1.send(invite)
    got = end.expect("INVITE")
    hidden(got)
    assert len(got.all("Via")) == 3, got
    tag = uuid.uuid4().hex[:8]
    end.send(got.reply(180, "Ringing", tag, [("Contact", f"<sip:callee@{end.contact}>")]))
    w.router1.expect(180)
    end.send(got.reply(200, "OK", tag, [("Contact", f"<sip:callee@{end.contact}>"), ("Content-Type", "application/sdp")], m_out.sdp()))
    ok = w.router1.expect(200)
    assert [branch(v) for v in ok.all("Via")] == [branch(v) for v in invite.all("Via")], f"{ok}\n{invite}"
    a, b = Call.caller(w.router1, invite, ok), Call.callee(end, got, tag)
    w.router1.send(a.request("ACK"))
    end.expect("ACK")
    return a, b, m_in, m_out, got, ok, invite


def test_outbound(w):
    a, b, m_in, m_out, got, ok, invite = outbound(w, w.carrier, f"sip:+14155550199@{CARRIER}:5060")
    assert uri_of(got.get("From")).endswith("@" + PUBLIC), got
    assert uri_of(got.get("To")).endswith("@" + CARRIER), got
    assert uri_of(ok.get("From")) == uri_of(invite.get("From")) and uri_of(ok.get("To")) == uri_of(invite.get("To")), ok
    assert routes(ok.all("Record-Route"))[-1].startswith(f"sip:{ROUTER1};lr"), ok
    (inside_ip, inside_port), (outside_ip, outside_port) = media(ok.body), media(got.body)
    assert (inside_ip, outside_ip) == (SBC, PUBLIC)
    rtp_both_ways(m_in, (inside_ip, inside_port), m_out, (outside_ip, outside_port))
    # Hold by the carrier.
    b.end.send(b.request("INVITE", m_out.sdp().replace("sendrecv", "sendonly")))
    again = a.end.expect("INVITE")
    assert again.uri == f"sip:asterisk@{ENGINE}:5060" and routes(again.all("Route"))[-1].startswith(f"sip:{ROUTER1};lr"), again
    a.end.send(again.reply(200, "OK", headers=[("Contact", f"<sip:asterisk@{ENGINE}:5060>"), ("Content-Type", "application/sdp")], body=m_in.sdp()))
    got = b.end.expect(200)
    hidden(got)
    b.end.send(b.request("ACK"))
    a.end.expect("ACK")
    hidden(hang_up(a, b))
    a, b, *_ = outbound(w, w.carrier, f"sip:+14155550199@{CARRIER}:5060")
    hang_up(b, a)


def test_cancel_and_refusal(w):
    invite = w.carrier.request("INVITE", f"sip:+14155550100@{PUBLIC}", body=sdp(CARRIER, 4000))
    w.carrier.send(invite)
    router, inside = w.router("INVITE")
    router.send(router_answer(router, inside, "t", "", 180, "Ringing"))
    w.carrier.expect(180)
    cancel = Message(invite.start.replace("INVITE", "CANCEL"), [(n, v.replace("INVITE", "CANCEL")) for n, v in invite.headers if n in ("Via", "From", "To", "Call-ID", "CSeq")])
    w.carrier.send(cancel)
    w.carrier.expect(200)
    gone = router.expect("CANCEL")
    router.send(gone.reply(200, "OK"))
    router.send(inside.reply(487, "Request Terminated", "t"))
    router.expect("ACK")
    w.carrier.expect(487)
    for code, reason in ((486, "Busy Here"), (404, "Not Found"), (503, "No Carrier")):
        invite = w.carrier.request("INVITE", f"sip:+14155550100@{PUBLIC}", body=sdp(CARRIER, 4000))
        w.carrier.send(invite)
        router, inside = w.router("INVITE")
        router.send(inside.reply(code, reason, "t"))
        router.expect("ACK")
        hidden(w.carrier.expect(code))
    w.nothing_inside()


def register(w, phone, password="secret", headers=(), right=True):
    """REGISTER with a digest, which only the Router's engine checks. Answers what it said and the Path."""
    call = uuid.uuid4().hex
    first = phone.request("REGISTER", "sip:example.com", to="<sip:alice@example.com>", call=call, headers=[("Expires", "600"), *headers])
    phone.send(first)
    router, inside = w.router("REGISTER")
    assert inside.get("Expires") == "120", inside
    challenge = 'Digest realm="example.com", nonce="abc"'
    router.send(inside.reply(401, "Unauthorized", "r", [("WWW-Authenticate", challenge)]))
    answer = digest("alice", password, "REGISTER", "sip:example.com", phone.expect(401).get("WWW-Authenticate"))
    phone.send(phone.request("REGISTER", "sip:example.com", to="<sip:alice@example.com>", call=call, cseq=2, headers=[("Expires", "600"), ("Authorization", answer), *headers]))
    router, inside = w.router("REGISTER")
    assert inside.get("Authorization") == answer, inside
    right = answer == digest("alice", "secret", "REGISTER", "sip:example.com", challenge)
    if right:
        router.send(inside.reply(200, "OK", "r", [("Contact", inside.get("Contact") + ";expires=600"), *[("Path", v) for v in inside.all("Path")]]))
    else:
        router.send(inside.reply(401, "Unauthorized", "r", [("WWW-Authenticate", challenge)]))
    got = phone.expect(200 if right else 401)
    assert not got.all("Path"), got
    return inside


def call_phone(w, phone, inside):
    path = routes(inside.all("Path"))
    assert len(path) == 1 and path[0].startswith(f"sip:{SBC}:5070;lr;received="), inside
    contact = uri_of(inside.get("Contact"))
    a, b, m_in, m_out, got, ok, _ = outbound(w, phone, contact, headers=[("Route", f"<{path[0]}>")])
    assert got.uri == contact and not got.all("Route"), got
    rtp_both_ways(m_in, media(ok.body), m_out, media(got.body))
    return a, b


def test_phone(w):
    # A phone behind NAT tells an address of its own network.
    for transport, port in (("udp", 5060), ("tcp", 5060), ("tls", 5061)):
        phone = w.end(PHONE, 0, (PUBLIC, port), transport, contact="192.0.2.77:5062")
        inside = register(w, phone)
        assert "path" in inside.get("Supported")
        assert inside.get("P-Calldata-Source") == f"{PHONE}:{phone.port};{transport}", inside
        a, b = call_phone(w, phone, inside)
        hang_up(a, b)
        a, b = call_phone(w, phone, inside)
        hang_up(b, a)
        a, b, m_out, m_in, inside, ok = inbound(w, phone, uri="sip:100@example.com")
        rtp_both_ways(m_out, media(ok.body), m_in, media(inside.body))
        hang_up(b, a)
        if transport == "udp":
            before = phone.pings
            time.sleep(6)
            assert phone.pings > before, "no ping keeps the phone's NAT open"


def test_expiry(w):
    """A registration lasts two minutes at most, however it is asked for."""
    contact = "<sip:alice@192.0.2.77:5062>"
    other = "<sip:alice@192.0.2.78>"
    for headers, contacts, header in (
        ([("Contact", f"{contact};expires=3600;q=0.5")], [f"{contact};expires=120;q=0.5"], "120"),
        ([("Contact", f"{contact};q=0.5; Expires = 3600"), ("Expires", "1800")], [f"{contact};q=0.5;expires=120"], "120"),
        ([("Contact", f"{contact};expires=121")], [f"{contact};expires=120"], "120"),
        ([("Contact", f"{contact};expires=60")], [f"{contact};expires=60"], "120"),
        ([("Contact", f"{contact};expires=0")], [f"{contact};expires=0"], "120"),
        ([("Contact", f"{contact};expires=3600, {other};expires=100")], [f"{contact};expires=120, {other};expires=100"], "120"),
        ([("Contact", f"{contact};expires=0"), ("Contact", f"{other};expires=1200")], [f"{contact};expires=0", f"{other};expires=120"], "120"),
        ([("Contact", contact), ("Expires", "90")], [contact], "90"),
        ([("Contact", "*"), ("Expires", "0")], ["*"], "0"),
    ):
        phone = w.end(PHONE, 0, (PUBLIC, 5060), "udp")
        ask = phone.request("REGISTER", "sip:example.com", to="<sip:alice@example.com>")
        ask.headers = [h for h in ask.headers if h[0] != "Contact"] + headers
        phone.send(ask)
        router, inside = w.router("REGISTER")
        assert inside.all("Contact") == contacts and inside.all("Expires") == [header], inside
        router.send(inside.reply(401, "Unauthorized", "r", [("WWW-Authenticate", 'Digest realm="example.com", nonce="abc"')]))
        phone.expect(401)


def test_registration_with_a_carrier(w):
    registrar = f"sip:{CARRIER}:5060"
    ask = w.router1.request("REGISTER", f"sip:{CARRIER}", to="<sip:trunk@carrier.example>", headers=[("Route", f"<sip:{SBC}:5070;lr>,<{registrar};transport=udp;lr>"), ("Expires", "60")])
    ask.headers[:1] = [("Via", f"SIP/2.0/UDP {ROUTER1}:5060;branch=z9hG4bK{uuid.uuid4().hex}"), ("Via", "SIP/2.0/UDP 127.0.0.1:5060;branch=z9hG4bKinner")]
    w.router1.send(ask)
    got = w.carrier.expect("REGISTER")
    hidden(got)
    assert uri_of(got.get("Contact")) == f"sip:alice@{PUBLIC}:5060" and not got.all("Route") and len(got.all("Via")) == 1, got
    w.carrier.send(got.reply(200, "OK", "r", [("Contact", got.get("Contact") + ";expires=60")]))
    ok = w.router1.expect(200)
    assert [branch(v) for via in ok.all("Via") for v in via.split(",")] == [branch(v) for v in ask.all("Via")], ok


def test_tls(w):
    import ssl
    for version, works in ((ssl.TLSVersion.TLSv1_1, False), (ssl.TLSVersion.TLSv1_2, True), (ssl.TLSVersion.TLSv1_3, True)):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        context.set_ciphers("ALL:@SECLEVEL=0")
        context.minimum_version = context.maximum_version = version
        try:
            with context.wrap_socket(socket.create_connection((PUBLIC, 5061), timeout=3)) as s:
                assert works, f"{version} works"
                assert s.version()
        except ssl.SSLError:
            assert not works, f"{version} does not work"


def test_subscription(w):
    phone = w.end(PHONE, 0)
    first = phone.request("SUBSCRIBE", "sip:100@example.com", headers=[("Event", "dialog"), ("Expires", "600")])
    phone.send(first)
    router, inside = w.router("SUBSCRIBE")
    ok = inside.reply(200, "OK", "s", [("Contact", f"<sip:asterisk@{ENGINE}:5060>"), ("Expires", "600")])
    ok.headers.insert(0, ("Record-Route", f"<sip:{router.ip};lr=on>"))
    router.send(ok)
    got = phone.expect(200)
    hidden(got)
    a, b = Call.caller(phone, first, got), Call.callee(router, inside, "s")
    b.local = got.get("To")
    router.send(b.request("NOTIFY", headers=[("Event", "dialog"), ("Subscription-State", "active")]))
    note = phone.expect("NOTIFY")
    hidden(note)
    phone.send(note.reply(200, "OK"))
    router.expect(200)
    phone.send(a.request("SUBSCRIBE", headers=[("Event", "dialog"), ("Expires", "600")], route=[*a.route, "sip:192.0.2.66;lr"], target="sip:x@192.0.2.67"))
    again = router.expect("SUBSCRIBE")
    assert again.uri == f"sip:asterisk@{ENGINE}:5060" and len(again.all("Route")) == 1, again
    router.send(again.reply(200, "OK"))
    phone.expect(200)
    # Nobody else's SUBSCRIBE within a dialog goes through.
    phone.send(phone.request("SUBSCRIBE", f"sip:asterisk@{ENGINE}:5060", to="<sip:100@example.com>;tag=s", headers=[("Event", "dialog"), ("Route", f"<sip:{PUBLIC};lr>, <sip:{ROUTER1};lr>")]))
    phone.expect(481)
    w.nothing_inside()


def test_no_open_relay(w):
    """Nothing that a stranger says makes the SBC send to an address of the stranger's choice."""
    stranger, victim = w.end(STRANGER), w.end(PHONE, 5060)
    target = f"sip:victim@{PHONE}:5060"
    ways = [[], [f"sip:{PHONE}:5060;lr"], [f"sip:{PUBLIC};lr", f"sip:{PHONE}:5060;lr"], [f"sip:{PUBLIC};lr;received=sip:{PHONE}:5060"],
            [f"sip:{SBC}:5070;lr;received=sip:{PHONE}:5060"], [f"sip:{PUBLIC}:5060;lr;r2=on", f"sip:{SBC}:5070;lr;r2=on", f"sip:{ROUTER1};lr", f"sip:{PHONE}:5060;lr"]]
    for way in ways:
        for method in ("INVITE", "MESSAGE", "SUBSCRIBE"):
            stranger.send(stranger.request(method, target, headers=[("Route", f"<{u}>") for u in way], body=sdp(STRANGER, 4000) if method == "INVITE" else ""))
            router, inside = w.router(method)
            assert not inside.all("Route"), inside
            router.send(inside.reply(404, "Not Found", "t"))
            if method == "INVITE":
                router.expect("ACK")
            stranger.expect(404)
        for method in ("BYE", "INFO", "INVITE", "REFER", "NOTIFY", "MESSAGE"):
            stranger.send(stranger.request(method, target, to=f"<{target}>;tag=x", headers=[("Route", f"<{u}>") for u in way]))
            stranger.expect(481)
        ack_of_nothing = stranger.request("ACK", target, to=f"<{target}>;tag=x", headers=[("Route", f"<{u}>") for u in way])
        stranger.send(ack_of_nothing)
    # One who has a call may not lead its requests elsewhere.
    a, b, *_ = inbound(w, stranger)
    stranger.send(a.request("INFO", route=[*a.route, f"sip:{PHONE}:5060;lr"], target=target))
    info = b.end.expect("INFO")
    assert info.uri == f"sip:asterisk@{ENGINE}:5060" and len(info.all("Route")) == 1, info
    b.end.send(info.reply(200, "OK"))
    stranger.expect(200)
    hang_up(a, b)
    # The inside port is for Routers.
    stranger.send(stranger.request("INVITE", target, body=sdp(STRANGER, 4000)), (PUBLIC, 5070))
    stranger.send(stranger.request("OPTIONS", f"sip:{PUBLIC}:5070"), (PUBLIC, 5070))
    stranger.silent(1)
    # Identities of strangers are not passed on.
    stranger.send(stranger.request("INVITE", "sip:100@example.com", headers=[("P-Asserted-Identity", "<sip:boss@example.com>"), ("Diversion", "<sip:x@y>"), ("P-Calldata-Source", f"{CARRIER}:5060;udp")]))
    router, inside = w.router("INVITE")
    assert not inside.all("P-Asserted-Identity") and not inside.all("Diversion") and inside.all("P-Calldata-Source") == [f"{STRANGER}:5060;udp"], inside
    router.send(inside.reply(404, "Not Found", "t"))
    router.expect("ACK")
    stranger.expect(404)
    victim.silent(1)
    w.nothing_inside()


def test_failover(w):
    """A Router that is gone costs a new call some seconds, and a call that is up nothing."""
    calls = [inbound(w, w.carrier)[:2] for _ in range(4)]
    w.router1.alive = False
    began = time.time()
    times = []
    for _ in range(4):
        start = time.time()
        a, b, *_ = inbound(w, w.carrier, 8)
        times.append(time.time() - start)
        assert b.end is w.router2
        hang_up(a, b)
    print(f"  new calls after the loss of a Router: {', '.join(f'{t:.1f}' for t in times)} s")
    assert max(times) < 6
    moved = 0
    for a, b in calls:
        start = time.time()
        w.carrier.send(a.request("BYE"))
        bye = w.router2.expect("BYE", 8)
        assert routes(bye.all("Route"))[-1].startswith(f"sip:{ROUTER2}"), bye
        assert bye.uri == f"sip:asterisk@{ENGINE}:5060", bye
        moved += b.end is w.router1
        w.router2.send(bye.reply(200, "OK"))
        w.carrier.expect(200)
    assert moved, "no call was with the Router that is gone"
    assert time.time() - began < 60
    w.router1.drop()
    w.router1.alive = True
    wait_for_state("AP", ROUTER1)
    # Within a dialog, before anybody has noticed.
    calls = [inbound(w, w.carrier)[:2] for _ in range(2)]
    assert {b.end for _, b in calls} == {w.router1, w.router2}
    for a, b in calls:
        if b.end is w.router1:
            w.router1.alive = False
            start = time.time()
        w.carrier.send(a.request("BYE"))
        bye = w.router2.expect("BYE", 8)
        w.router2.send(bye.reply(200, "OK"))
        w.carrier.expect(200)
        if b.end is w.router1:
            print(f"  BYE of a call whose Router is gone: {time.time() - start:.1f} s")
            w.router1.drop()
            w.router1.alive = True
    wait_for_routers()
    # One that is leaving keeps its calls, and gets no new ones.
    kamcmd("htable.flush down")
    calls = [inbound(w, w.carrier)[:2] for _ in range(2)]
    w.router1.leaving = True
    wait_for_state("IP", ROUTER1)
    for _ in range(2):
        a, b, *_ = inbound(w, w.carrier)
        assert b.end is w.router2
        hang_up(a, b)
    for a, b in calls:
        hang_up(a, b)
    w.router1.leaving = False
    wait_for_routers()
    # One that says it takes none is passed over at once.
    for _ in range(2):
        w.carrier.send(w.carrier.request("INVITE", f"sip:+14155550100@{PUBLIC}", body=sdp(CARRIER, 4000)))
        first, inside = w.router("INVITE")
        first.send(inside.reply(503, "Leaving", "t", [("Retry-After", "5")]))
        first.expect("ACK")
        second, inside = w.router("INVITE")
        assert second is not first
        second.send(inside.reply(486, "Busy Here", "t"))
        second.expect("ACK")
        w.carrier.expect(486)


def test_new_router(w):
    """A Router that EC2 knows gets calls once it answers OPTIONS. Those that answer keep theirs meanwhile."""
    w.router2.alive = False
    wait_for_state("IP", ROUTER2)
    try:
        peers(ROUTER1, ROUTER2, ROUTER3)
        # Who has been found silent stays so, whoever comes.
        for router, state in ((ROUTER1, "A"), (ROUTER2, "IP"), (ROUTER3, "IP")):
            assert f"FLAGS: {state}" in dispatcher(router), kamcmd("dispatcher.list")
        for _ in range(4):
            start = time.time()
            a, b, *_ = inbound(w, w.carrier, 8)
            assert b.end is w.router1
            assert time.time() - start < 3, "the call waited for a Router that is not there"
            hang_up(a, b)
    finally:
        w.router2.alive = True
        peers(ROUTER1, ROUTER2)
    wait_for_routers()


def wait_for_state(state, *routers):
    deadline = time.time() + 30
    while time.time() < deadline and not all(f"FLAGS: {state}" in dispatcher(r) for r in routers):
        time.sleep(1)


def wait_for_routers():
    wait_for_state("AP", ROUTER1, ROUTER2)


def own(*addresses):
    for address in addresses:
        subprocess.run(["ip", "address", "replace", f"{address}/24", "dev", "br0"], check=True)


def sbc(command):
    return subprocess.run([*sys.argv[1].split(), "sudo", "bash", "-c", f"'{command}'"], capture_output=True, text=True, check=True).stdout


def level(to):
    sbc(f"c4-maintenance {to}")


def kamcmd(words):
    return sbc(f"kamcmd -s unix:/run/kamailio/ctl.sock {words}")


def dispatcher(ip):
    return kamcmd("dispatcher.list").partition(f"sip:{ip}:5060")[2][:60]


def peers(*routers):
    """The SBC hears of these Routers."""
    known = json.dumps({"c4-router": routers, "c4-sbc": [SBC], "uc-engine": [ENGINE]}).replace('"', r'\"')
    sbc(f'cat >/etc/calldata/peers.json <<<"{known}" && calldata-peers apply')


def unban():
    for table in ("ban", "offence", "rate"):
        kamcmd(f"htable.flush {table}")


def main():
    tests = {n.removeprefix("test_"): t for n, t in globals().items() if n.startswith("test_")}
    w = World()
    wait_for_routers()
    failed = []
    for name in sys.argv[2:] or tests:
        w.calm()
        start = time.time()
        try:
            tests[name](w)
            print(f"{name}: good, {time.time() - start:.1f} s", flush=True)
        except AssertionError as error:
            failed.append(name)
            print(f"{name}: FAILED: {error}", flush=True)
            w.router1.alive, w.router1.leaving = True, False
            level("normal")
            unban()
            wait_for_routers()
    sys.exit(bool(failed))


if __name__ == "__main__":
    main()
