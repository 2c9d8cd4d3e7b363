"""Calls through the SIP double: Kamailio with the double's configuration, between a Router and phones behind it.

Needs kamailio and kamcmd, from PATH or as KAMAILIO and KAMCMD (commands, with -L MODULES where they are elsewhere); without
Kamailio the tests are skipped. Everything is on loopback: the double is 127.0.0.1, the Router 127.0.0.2, phones that register directly 127.0.0.3.
"""

import hashlib
import os
import pathlib
import re
import shlex
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import unittest
from unittest import mock

from support import ROLES, Engine, Office, ask, program

import confd_double

# What reads the console on a real engine, too.
METRICS = pathlib.Path(__file__).parents[4] / "ansible" / "roles" / "monitoring" / "files" / "lib"
KAMAILIO = shlex.split(os.environ.get("KAMAILIO", "")) or [shutil.which("kamailio") or ""]
KAMCMD = shlex.split(os.environ.get("KAMCMD", "")) or ["kamcmd"]
SDP = "v=0\r\no=- 1 1 IN IP4 127.0.0.2\r\ns=-\r\nc=IN IP4 127.0.0.2\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\na=sendrecv\r\n"


def free_port(address="127.0.0.1"):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
        free.bind((address, 0))
        return free.getsockname()[1]


class Message:
    def __init__(self, text):
        head, _, self.body = text.partition("\r\n\r\n")
        self.first, *lines = head.split("\r\n")
        self.headers = [tuple(part.strip() for part in line.split(":", 1)) for line in lines]

    def all(self, name):
        return [value for key, value in self.headers if key.lower() == name.lower()]

    def get(self, name):
        return next(iter(self.all(name)), "")


class Party:
    """One end that speaks SIP over UDP: the Router, or a phone."""

    def __init__(self, engine, address):
        self.engine, self.address = engine, address
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind((address, 0))
        self.socket.settimeout(3)
        self.port = self.socket.getsockname()[1]
        self.count = 0

    def request(self, method, uri, user, to=None, call="c", cseq=None, extra=(), body="", branch=None, from_tag="f"):
        self.count += 1
        lines = [f"{method} {uri} SIP/2.0",
                 f"Via: SIP/2.0/UDP {self.address}:{self.port};branch={branch or f'z9hG4bK{self.port}{self.count}'}",
                 "Max-Forwards: 70", f"From: <sip:{user}@acme.example>;tag={from_tag}", f"To: {to or f'<{uri}>'}",
                 f"Call-ID: {call}", f"CSeq: {cseq or self.count} {method}",
                 f"Contact: <sip:{user}@{self.address}:{self.port}>", *extra]
        if body:
            lines.append("Content-Type: application/sdp")
        text = "\r\n".join([*lines, f"Content-Length: {len(body)}", "", body])
        self.socket.sendto(text.encode(), self.engine)
        return Message(text)

    def reply(self, request, status, body="", extra=()):
        to = request.get("To")
        if ";tag=" not in to and not status.startswith("100"):
            to += ";tag=t"
        lines = [f"SIP/2.0 {status}", *(f"Via: {via}" for via in request.all("Via")),
                 *(f"Record-Route: {value}" for value in request.all("Record-Route")),
                 f"From: {request.get('From')}", f"To: {to}", f"Call-ID: {request.get('Call-ID')}",
                 f"CSeq: {request.get('CSeq')}", f"Contact: <sip:b@{self.address}:{self.port}>", *extra]
        if body:
            lines.append("Content-Type: application/sdp")
        self.socket.sendto("\r\n".join([*lines, f"Content-Length: {len(body)}", "", body]).encode(), self.engine)

    def expect(self, beginning, method=""):
        """Wait for a message, past others."""
        others = []
        while True:
            try:
                message = Message(self.socket.recv(8192).decode())
            except TimeoutError:
                raise AssertionError(f"{self.address} waits for {beginning!r}, heard {others}") from None
            if message.first.startswith(beginning) and method in message.get("CSeq"):
                return message
            others.append(message.first)

    def authorized(self, method, uri, user, **kwargs):
        """Send a request, answer the challenge, and give back the first reply that is not 100."""
        self.request(method, uri, user, **kwargs)
        challenge = self.expect("SIP/2.0 401")
        if method == "INVITE":
            self.request("ACK", uri, user, **{**kwargs, "to": challenge.get("To"), "body": "",
                                              "branch": challenge.get("Via").split("branch=")[1].split(";")[0]},
                         cseq=self.count)
        nonce = re.search('nonce="([^"]+)"', challenge.get("WWW-Authenticate"))[1]
        md5 = lambda text: hashlib.md5(text.encode()).hexdigest()  # noqa: E731
        response = md5(f"{md5(f'{user}:asterisk:secret-{user}')}:{nonce}:{md5(f'{method}:{uri}')}")
        extra = [*kwargs.pop("extra", ()), f'Authorization: Digest username="{user}", realm="asterisk", nonce="{nonce}", '
                                           f'uri="{uri}", response="{response}"']
        self.request(method, uri, user, extra=extra, **kwargs)


@unittest.skipUnless(KAMAILIO[0], "kamailio is not on PATH")
class CallTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        directory = tempfile.TemporaryDirectory()
        cls.addClassCleanup(directory.cleanup)
        path = pathlib.Path(directory.name)
        confd_double.TENANT_DELAY = 0.05
        cls.engine = Engine(path)
        cls.addClassCleanup(lambda: cls.engine.close())
        (cls.engine.dialplan / "features.conf").write_text(
            (ROLES / "b2bua" / "files" / "features.conf").read_text(encoding="utf-8"), encoding="utf-8")
        port = free_port()
        cls.address = ("127.0.0.1", port)
        cls.router = Party(cls.address, "127.0.0.2")
        cls.answer = Party(cls.address, "127.0.0.1")
        cls.office = Office(cls.engine, "127.0.0.2", cls.router.port)
        cls.engine.store.save()
        for name in ("version",):
            shutil.copy(ROLES / "b2bua" / "files" / name, path / name)
        text = (ROLES / "b2bua" / "files" / "kamailio.cfg").read_text(encoding="utf-8")
        for old, new in (("\nport=5060\n", f"\nlisten=udp:127.0.0.1:{port}\n"), ("/var/lib/wazo-double/dbtext", str(path)),
                         ("/run/kamailio", str(path)), ("127.0.0.1:5080", f"127.0.0.1:{cls.answer.port}"),
                         ("dgram_group", "dgram_user"), ('"wazo-double"', f'"{os.getuid()}"')):
            assert old in text, old
            text = text.replace(old, new)
        (path / "kamailio.cfg").write_text(text, encoding="utf-8")
        log = open(path / "log", "w", encoding="utf-8")  # noqa: SIM115
        cls.addClassCleanup(log.close)
        process = subprocess.Popen([*KAMAILIO, "-DD", "-E", "-m", "32", "-M", "8", "-f", str(path / "kamailio.cfg"),
                                    "-Y", str(path), "-n", "2"], stdout=log, stderr=log)
        cls.addClassCleanup(process.wait)
        cls.addClassCleanup(process.terminate)
        probe = Party(cls.address, "127.0.0.3")
        probe.socket.settimeout(0.2)
        for _ in range(50):
            try:
                probe.request("OPTIONS", f"sip:127.0.0.1:{port}", "x")
                probe.expect("SIP/2.0 200")
                return
            except (AssertionError, OSError):
                time.sleep(0.1)
        raise AssertionError((path / "log").read_text())

    def uri(self, number):
        return f"sip:{number}@127.0.0.1:{self.address[1]}"

    def register(self, name, by=None, extra=()):
        party = by or Party(self.address, "127.0.0.3")
        party.authorized("REGISTER", f"sip:127.0.0.1:{self.address[1]}", name, to=f"<sip:{name}@acme.example>",
                         call=f"r-{name}-{time.monotonic()}", extra=extra)
        self.assertTrue(party.expect("SIP/2.0 200").get("Contact"))
        return party

    def test_carrier_calls_a_phone_over_its_path_and_hangs_up(self):
        path = f"<sip:127.0.0.2:{self.router.port};lr>"
        self.register("ada", self.router, ["Supported: path", f"Path: {path}", "Path: <sip:10.9.9.9;lr>"])
        self.router.request("INVITE", self.uri("14155550101"), "14155550999", call="in-1", body=SDP)
        invite = self.router.expect("INVITE sip:ada@")
        self.assertEqual([r.strip() for r in invite.get("Route").split(",")], [path, "<sip:10.9.9.9;lr>"])
        self.assertNotEqual(invite.get("Call-ID"), "in-1", "another leg has another Call-ID")
        self.assertEqual(len([v for v in invite.all("Via") if str(self.router.port) in v]), 0, "the way here is hidden")
        self.assertEqual(invite.body, SDP)
        self.router.reply(invite, "180 Ringing")
        self.router.expect("SIP/2.0 180")
        self.router.reply(invite, "200 OK", SDP)
        answer = self.router.expect("SIP/2.0 200")
        self.assertEqual(answer.get("Call-ID"), "in-1")
        contact = re.search("<(.*)>", answer.get("Contact"))[1]
        route = [f"Route: {value}" for value in reversed(answer.all("Record-Route"))]
        self.router.request("ACK", contact, "14155550999", answer.get("To"), "in-1", self.router.count, route)
        self.assertEqual(self.router.expect("ACK").get("Call-ID"), invite.get("Call-ID"))
        for method in ("INVITE", "BYE"):
            self.router.request(method, contact, "14155550999", answer.get("To"), "in-1", extra=route,
                                body=SDP if method == "INVITE" else "")
            self.router.reply(self.router.expect(method), "200 OK", SDP if method == "INVITE" else "")
            self.router.expect("SIP/2.0 200", method)
        self.router.request("BYE", contact, "14155550999", answer.get("To"), "in-0", extra=route)
        self.router.expect("SIP/2.0 481", "BYE")

    def test_busy_no_answer_cancel_and_not_there(self):
        phone = self.register("bob")
        self.router.request("INVITE", self.uri("14155550102"), "1", call="busy", body=SDP)
        phone.reply(phone.expect("INVITE"), "486 Busy Here")
        self.router.expect("SIP/2.0 486 Busy Here")
        began = time.monotonic()
        self.router.request("INVITE", self.uri("14155550102"), "1", call="silent", body=SDP)
        phone.reply(phone.expect("INVITE"), "180 Ringing")
        self.router.expect("SIP/2.0 480")
        self.assertGreater(time.monotonic() - began, 1.5, "it rings as long as the user's ring_seconds say")
        sent = self.router.request("INVITE", self.uri("14155550102"), "1", call="cancel", body=SDP)
        invite = phone.expect("INVITE")
        phone.reply(invite, "180 Ringing")
        self.router.expect("SIP/2.0 180")
        self.router.request("CANCEL", self.uri("14155550102"), "1", call="cancel", cseq=self.router.count,
                            branch=sent.get("Via").split("branch=")[1])
        phone.reply(phone.expect("CANCEL"), "200 OK")
        phone.reply(invite, "487 Request Terminated")
        self.router.expect("SIP/2.0 487")
        self.router.request("INVITE", self.uri("14155550113"), "1", call="refused", body=SDP)
        self.router.expect("SIP/2.0 486 Busy Here")
        self.router.request("INVITE", self.uri("14155550199"), "1", call="unknown", body=SDP)
        self.router.expect("SIP/2.0 404")

    def test_phone_calls_out_with_digest_and_route(self):
        phone = Party(self.address, "127.0.0.3")
        phone.authorized("INVITE", self.uri("914155551234"), "ada", call="out", body=SDP)
        invite = self.router.expect("INVITE")
        self.assertTrue(invite.first.startswith(f"INVITE sip:+14155551234@127.0.0.2:{self.router.port} "), invite.first)
        self.assertIn("sip:14155550100@", invite.get("From"))
        self.assertEqual(invite.all("Authorization"), [])
        self.router.reply(invite, "503 Service Unavailable")
        self.assertIn("ada@acme.example", phone.expect("SIP/2.0 503").get("From"))

    def test_strangers_and_false_names_are_refused(self):
        stranger = Party(self.address, "127.0.0.3")
        stranger.request("INVITE", self.uri("14155550101"), "14155550999", call="s1", body=SDP)
        stranger.expect("SIP/2.0 401")
        # A line's name is asked for its password, also from the trunk's address.
        self.router.request("INVITE", self.uri("14155550101"), "ada", call="s2", body=SDP)
        self.router.expect("SIP/2.0 401")
        stranger.authorized("REGISTER", f"sip:127.0.0.1:{self.address[1]}", "ada", to="<sip:bob@acme.example>", call="s3")
        stranger.expect("SIP/2.0 403")
        stranger.request("BYE", "sip:x@127.0.0.9", "x", "<sip:y@z>;tag=1", "s4",
                         extra=[f"Route: <sip:127.0.0.1:{self.address[1]};lr>", "Route: <sip:127.0.0.9;lr>"])
        stranger.expect("SIP/2.0 481")

    def test_answering_extension_and_new_data_while_calls_are_up(self):
        self.router.request("INVITE", self.uri("14155550112"), "1", call="up", body=SDP)
        invite = self.answer.expect("INVITE sip:answer@")
        self.assertEqual(invite.get("X-Wazo-Double-Media"), "127.0.0.1")
        self.answer.reply(invite, "200 OK", SDP)
        answer = self.router.expect("SIP/2.0 200")
        self.office.did("14155550150", {"type": "hangup", "cause": "congestion"})
        self.router.request("INVITE", self.uri("14155550150"), "1", call="new", body=SDP)
        self.router.expect("SIP/2.0 503 Service Unavailable")
        trunk = self.office.make("trunks", context=self.office.incall["name"])
        endpoint = self.office.make("endpoints/sip", name="second", identify_section_options=[["match", "127.0.0.4/32"]])
        self.office.put(f"trunks/{trunk['id']}/endpoints/sip/{endpoint['uuid']}")
        second = Party(self.address, "127.0.0.4")
        second.request("INVITE", self.uri("14155550150"), "1", call="second", body=SDP)
        second.expect("SIP/2.0 503")
        self.router.request("BYE", re.search("<(.*)>", answer.get("Contact"))[1], "1", answer.get("To"), "up",
                            extra=[f"Route: {value}" for value in reversed(answer.all("Record-Route"))])
        self.answer.reply(self.answer.expect("BYE"), "200 OK")
        self.router.expect("SIP/2.0 200", "BYE")

    def console(self, command):
        console = program("b2bua", "asterisk")
        console.KAMCMD = [*KAMCMD, "-s", f"unix:{self.engine.directory}/kamailio_ctl"]
        console.STATE, console.DIALPLAN = self.engine.directory / "state.json", self.engine.directory / "dialplan"
        return console.COMMANDS[command]()

    def metrics(self):
        """What role monitoring's calldata-metrics makes of the console."""
        with mock.patch.object(sys, "path", [str(METRICS), *sys.path]):
            from sources import asterisk
        with mock.patch.object(asterisk, "output", lambda _, __, command: self.console(command)):
            return {(name.removeprefix("calldata_"), *labels.values()): value for name, labels, value in asterisk.collect({})}

    def test_console_tells_of_calls_endpoints_and_contacts(self):
        phone = self.register("bob")
        before = self.metrics()
        self.assertEqual((before["active_calls", "asterisk"], before["asterisk_channels",]), (0, 0))
        self.router.request("INVITE", self.uri("14155550102"), "1", call="told", body=SDP)
        phone.reply(phone.expect("INVITE"), "200 OK", SDP)
        answer = self.router.expect("SIP/2.0 200")
        during = self.metrics()
        self.assertEqual((during["active_calls", "asterisk"], during["asterisk_channels",]), (1, 2))
        self.assertEqual(during["asterisk_calls_total",], before["asterisk_calls_total",] + 1)
        self.assertGreaterEqual(during["asterisk_uptime_seconds",], 0)
        endpoints = self.console("pjsip list endpoints")
        for line in (" Endpoint:  bob                                                  In use        1 of inf",
                     " Endpoint:  router                                               In use        1 of inf"):
            self.assertIn(f"\n{line}\n", endpoints)
        self.assertEqual(during["asterisk_endpoints", "in use"], 2)
        contacts = self.console("pjsip list contacts")
        uri = f"bob/sip:bob@127.0.0.3:{phone.port}"
        self.assertRegex(contacts, rf"(?m)^  Contact:  {re.escape(uri)} {{{46 - len(uri)}}} [0-9a-f]{{10}} NonQual         nan$")
        self.assertEqual(during["registrations", "asterisk", "up"], int(re.search(r"Objects found: (\d+)", contacts)[1]))
        self.assertEqual(self.console("pjsip list registrations"), "No objects found.\n\n")
        self.router.request("BYE", re.search("<(.*)>", answer.get("Contact"))[1], "1", answer.get("To"), "told",
                            extra=[f"Route: {value}" for value in reversed(answer.all("Record-Route"))])
        phone.reply(phone.expect("BYE"), "200 OK")
        self.router.expect("SIP/2.0 200", "BYE")
        self.assertIn(" Endpoint:  bob                                                  Not in use    0 of inf\n",
                      self.console("pjsip list endpoints"))
        self.assertEqual(self.console("core show channels count").splitlines()[:2], ["0 active channels", "0 active calls"])

    def test_second_trunk_takes_what_the_first_cannot(self):
        spare = Party(self.address, "127.0.0.5")
        endpoint = self.office.make("endpoints/sip", name="spare",
                                    aor_section_options=[["contact", f"sip:127.0.0.5:{spare.port}"]])
        trunk = self.office.make("trunks", context=self.office.incall["name"])
        self.office.put(f"trunks/{trunk['id']}/endpoints/sip/{endpoint['uuid']}")
        path = f"outcalls/{self.office.route['id']}/trunks"
        self.office.put(path, trunks=[{"id": self.office.trunk["id"]}, {"id": trunk["id"]}])
        self.addCleanup(lambda: ask(self.engine.confd, "PUT", f"/1.1/{path}", {"trunks": [{"id": self.office.trunk["id"]}]},
                                    **self.office.headers))
        phone = Party(self.address, "127.0.0.3")
        phone.authorized("INVITE", self.uri("914155551234"), "ada", call="fo", body=SDP)
        self.router.reply(self.router.expect("INVITE"), "503 Service Unavailable")
        invite = spare.expect("INVITE sip:+14155551234@127.0.0.5")
        self.assertIn("sip:14155550100@", invite.get("From"))
        spare.reply(invite, "404 Not Found")
        phone.expect("SIP/2.0 404")


if __name__ == "__main__":
    unittest.main()
