#!/usr/bin/python3
"""SIP user agent that answers every call and sends the RTP that it hears back to where it came from.

It stands for Asterisk's application Echo() in the rehearsal's double of a Wazo engine. It listens on loopback only:
calls reach it through the double's Kamailio, which has authenticated the caller and says in X-Wazo-Double-Media on which
address of this machine the caller reached it. RTP uses even UDP ports from 10000 to 20000, like Wazo.
"""

import asyncio
import logging
import random
import re
import secrets
import signal
import time

SIP_ADDRESS = ("127.0.0.1", 5070)
RTP_PORTS = range(10000, 20000, 2)
CODECS = {0: "PCMU/8000", 8: "PCMA/8000"}
T1, T2 = 0.5, 4.0  # RFC 3261, section 17.1.1.1
ANSWER_TIMEOUT = 64 * T1  # RFC 3261, section 13.3.1.4: no ACK within 64*T1 ends the call
SILENCE_TIMEOUT = 60.0  # no RTP for so long: the caller is gone without a BYE

log = logging.getLogger("echo-agent")


class Request:
    """A parsed SIP request."""

    def __init__(self, data):
        head, _, self.body = data.decode("utf-8", "replace").partition("\r\n\r\n")
        lines = re.sub(r"\r\n[ \t]+", " ", head).split("\r\n")
        self.method, self.uri, version = lines[0].split(" ", 2)
        if version != "SIP/2.0":
            raise ValueError(f"not a SIP request: {lines[0]!r}")
        self.headers = []
        for line in lines[1:]:
            name, _, value = line.partition(":")
            self.headers.append((COMPACT.get(name.strip().lower(), name.strip().lower()), value.strip()))
        for name in ("via", "from", "to", "call-id", "cseq"):
            if not self.get(name):
                raise ValueError(f"{self.method} without {name}")

    def all(self, name):
        return [value for header, value in self.headers if header == name]

    def get(self, name):
        return next(iter(self.all(name)), "")


COMPACT = {"v": "via", "f": "from", "t": "to", "i": "call-id", "m": "contact", "c": "content-type", "l": "content-length"}


def reply(request, code, reason, to_tag="", headers=(), body=""):
    """Build the reply to a request: Via, From, To, Call-ID and CSeq are the request's (RFC 3261, section 8.2.6)."""
    to = request.get("to")
    if to_tag and ";tag=" not in to:
        to += f";tag={to_tag}"
    lines = [f"SIP/2.0 {code} {reason}"]
    lines += [f"Via: {via}" for via in request.all("via")]
    lines += [f"From: {request.get('from')}", f"To: {to}"]
    lines += [f"Call-ID: {request.get('call-id')}", f"CSeq: {request.get('cseq')}"]
    lines += ["Server: Wazo double (echo agent)", *headers, f"Content-Length: {len(body)}", "", body]
    return "\r\n".join(lines).encode()


def choose_codec(sdp):
    """Answer the first offered payload type of an audio stream that the agent knows, or None."""
    media = re.search(r"^m=audio \d+ RTP/AVP ([\d ]+)", sdp, re.MULTILINE)
    offered = [int(number) for number in media[1].split()] if media else []
    return next((number for number in offered if number in CODECS), None)


class Echo(asyncio.DatagramProtocol):
    """The RTP port of one call."""

    def __init__(self):
        self.transport = None
        self.heard = time.monotonic()

    def connection_made(self, transport):
        self.transport = transport

    def datagram_received(self, data, addr):
        if len(data) < 12 or data[0] >> 6 != 2:  # RFC 3550, section 5.1: version 2
            return
        self.heard = time.monotonic()
        self.transport.sendto(data, addr)


class Call:
    """One answered call."""

    def __init__(self, echo, answer, source):
        self.echo, self.answer, self.source = echo, answer, source
        self.acknowledged = asyncio.Event()
        self.task = None


class Agent(asyncio.DatagramProtocol):
    """The SIP side."""

    def __init__(self):
        self.transport = None
        self.calls = {}
        self.pending = set()

    def connection_made(self, transport):
        self.transport = transport

    def datagram_received(self, data, addr):
        if not data.strip():
            return  # a keep-alive
        try:
            request = Request(data)
        except ValueError as error:
            if not data.startswith(b"SIP/2.0"):
                log.warning("dropped a message from %s: %s", addr, error)
            return
        handle = getattr(self, "on_" + request.method.lower(), None)
        if handle is None:
            self.transport.sendto(reply(request, 405, "Method Not Allowed", headers=[ALLOW]), addr)
            return
        task = asyncio.get_running_loop().create_task(handle(request, addr))
        self.pending.add(task)
        task.add_done_callback(self.pending.discard)

    async def on_options(self, request, addr):
        self.transport.sendto(reply(request, 200, "OK", secrets.token_hex(8), [ALLOW]), addr)

    async def on_invite(self, request, addr):
        call = self.calls.get(request.get("call-id"))
        if call:  # a retransmission, or a re-INVITE: the answer stands, only the transaction is another
            self.transport.sendto(self.answer_to(request, call.answer), addr)
            return
        codec = choose_codec(request.body)
        if codec is None:
            self.transport.sendto(reply(request, 488, "Not Acceptable Here", secrets.token_hex(8)), addr)
            return
        address = request.get("x-wazo-double-media") or SIP_ADDRESS[0]
        echo, port = await open_rtp()
        answer = {
            "tag": secrets.token_hex(8),
            "sdp": "\r\n".join([
                "v=0", f"o=echo {int(time.time())} 1 IN IP4 {address}", "s=echo", f"c=IN IP4 {address}", "t=0 0",
                f"m=audio {port} RTP/AVP {codec}", f"a=rtpmap:{codec} {CODECS[codec]}", "a=ptime:20", "a=sendrecv", "",
            ]),
        }
        call = Call(echo, answer, addr)
        self.calls[request.get("call-id")] = call
        call.task = asyncio.get_running_loop().create_task(self.attend(request, call))
        log.info("call %s: answered, RTP port %d of %s", request.get("call-id"), port, address)

    def answer_to(self, request, answer):
        headers = [f"Record-Route: {value}" for value in request.all("record-route")]
        headers += ["Contact: <sip:echo@%s:%d>" % SIP_ADDRESS, ALLOW, "Content-Type: application/sdp"]
        return reply(request, 200, "OK", answer["tag"], headers, answer["sdp"])

    async def attend(self, request, call):
        """Send the answer until it is acknowledged, then wait for the end of the call."""
        try:
            data, pause, begin = self.answer_to(request, call.answer), T1, time.monotonic()
            while not call.acknowledged.is_set():
                if time.monotonic() - begin > ANSWER_TIMEOUT:
                    log.warning("call %s: no ACK", request.get("call-id"))
                    return
                self.transport.sendto(data, call.source)
                try:
                    await asyncio.wait_for(call.acknowledged.wait(), pause)
                except asyncio.TimeoutError:
                    pause = min(2 * pause, T2)
            while time.monotonic() - call.echo.heard < SILENCE_TIMEOUT:
                await asyncio.sleep(1)
            log.warning("call %s: no RTP for %d s", request.get("call-id"), SILENCE_TIMEOUT)
        finally:
            call.echo.transport.close()
            if self.calls.get(request.get("call-id")) is call:
                del self.calls[request.get("call-id")]

    async def on_ack(self, request, _addr):
        if call := self.calls.get(request.get("call-id")):
            call.acknowledged.set()

    async def on_cancel(self, request, addr):
        # Every call is answered at once, so that there is nothing left to cancel (RFC 3261, section 9.2).
        known = request.get("call-id") in self.calls
        code, reason = (200, "OK") if known else (481, "Call/Transaction Does Not Exist")
        self.transport.sendto(reply(request, code, reason, secrets.token_hex(8)), addr)

    async def on_bye(self, request, addr):
        call = self.calls.pop(request.get("call-id"), None)
        if call is None:
            self.transport.sendto(reply(request, 481, "Call/Transaction Does Not Exist"), addr)
            return
        call.task.cancel()
        self.transport.sendto(reply(request, 200, "OK"), addr)
        log.info("call %s: over", request.get("call-id"))


ALLOW = "Allow: OPTIONS, INVITE, ACK, CANCEL, BYE"


async def open_rtp():
    """Bind a free RTP port, beginning anywhere in the range as Asterisk does."""
    loop = asyncio.get_running_loop()
    start = random.randrange(len(RTP_PORTS))
    for step in range(len(RTP_PORTS)):
        port = RTP_PORTS[(start + step) % len(RTP_PORTS)]
        try:
            _, echo = await loop.create_datagram_endpoint(Echo, local_addr=("0.0.0.0", port))  # noqa: S104
        except OSError:
            continue
        return echo, port
    raise RuntimeError("no free RTP port from 10000 to 20000")


async def main():
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s")
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(Agent, local_addr=SIP_ADDRESS)
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    log.info("answering calls on udp:%s:%d", *SIP_ADDRESS)
    await stop.wait()
    transport.close()


if __name__ == "__main__":
    asyncio.run(main())
