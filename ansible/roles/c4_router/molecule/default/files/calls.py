#!/usr/bin/python3
"""SIP of the trial, with sipp: calls.py answer ADDRESS PORT | calls.py call ADDRESS ROUTER

answer behaves as the last three digits of the called number say: 486 is busy, 108 rings for 8 s, 199 rings until it is given
up, 120 answers and hangs up; every other number answers. A carrier at 198.51.100.33 is full (503), one at .49 silent for 2 s
and then out of time, as an SBC tells it (408), and .17 wants to be called by its own domain; those at .65 and .81 want a login,
and so does an engine of its phones.

call reads a list of calls, makes all of them at once, prints those that did not go as they should, and fails if there are any.
Each has a name, which is its
Call-ID; to, the Request-URI's user; final, the code that ends the INVITE; and what else calls differ in: see DEFAULTS.
"""

import json
import os
import subprocess
import sys

WORK = "/var/tmp/calls"
USER, PASSWORD, REALM = "acme", "correct-horse", "telco.test"

SDP = """v=0
o=- 1 1 IN IP4 [local_ip]
s=-
c=IN IP4 [local_ip]
t=0 0
m=audio 20000 RTP/AVP 8
"""


def message(text, body=""):
    lines = [line.strip() for line in text.strip().splitlines() if line.strip()]
    lines += ["Content-Type: application/sdp"] if body else []
    return "<![CDATA[\n" + "\n".join(lines) + "\nContent-Length: [len]\n\n" + body + "]]>"


def send(text, body="", attributes=""):
    return f"<send {attributes}>{message(text, body)}</send>"


def reply(line, more="", body="", attributes="", cseq="[last_CSeq:]"):
    text = f"""SIP/2.0 {line}
[last_Via:]
[last_Record-Route:]
[last_From:]
[last_To:];tag=[pid]s[call_number]
[last_Call-ID:]
{cseq}
Contact: <sip:[local_ip]:[local_port]>
{more}"""
    return send(text, body, attributes)


def match(expression, name):
    return f'<ereg regexp="{expression}" search_in="msg" assign_to="{name}"/>'


def go(variable, label):
    return f'<nop test="{variable}" next="{label}"/>'


def answer_scenario():
    challenge = f'WWW-Authenticate: Digest realm="{REALM}", nonce="0123456789abcdef", algorithm=MD5'
    verify = f'<verifyauth assign_to="good" username="{USER}" password="{PASSWORD}"/>'
    looks = {
        "busy": "^INVITE sip:[^@]*486@", "long": "^INVITE sip:[^@]*108@", "endless": "^INVITE sip:[^@]*199@", "hangs": "^INVITE sip:[^@]*120@",
        "second": "^INVITE sip:[^ ]*@198.51.100.17", "named": "From: .sip:[^@]*@telco.test",
        "full": "^INVITE sip:[^ ]*@198.51.100.33", "silent": "^INVITE sip:[^ ]*@198.51.100.49",
        "wants": "^INVITE sip:([^ ]*@198.51.100.(65|81)|[^ ]*@acme.test)", "shown": "Authorization: Digest",
    }
    ok = reply("200 OK", body=SDP, attributes='retrans="500"')
    return "".join([
        '<?xml version="1.0" encoding="UTF-8" ?><scenario name="answer">',
        '<recv request="OPTIONS" optional="true" next="plain"/>',
        # Of a call that another SBC had.
        '<recv request="BYE" optional="true" next="plain"/>',
        '<recv request="REGISTER" optional="true" next="register"><action>', match("Authorization: Digest", "shown"), verify, "</action></recv>",
        '<recv request="INVITE" rrs="true"><action>', *[match(e, name) for name, e in looks.items()], '<ereg regexp="tag=[^;]*" search_in="hdr" header="From:" assign_to="caller"/>', verify, "</action></recv>",
        reply("100 Trying"),
        go("second", "second"), '<label id="known"/>', go("full", "full"), go("silent", "silent"), go("busy", "busy"), go("wants", "wants"),
        '<label id="ring"/>', reply("180 Ringing"), go("endless", "endless"), go("long", "long"),
        '<label id="up"/>', ok, '<recv request="ACK"/>', go("hangs", "hangs"),
        # What comes within the call is answered until its end.
        '<label id="within"/><recv request="INVITE" optional="true" next="again"/><recv request="UPDATE" optional="true" next="info"/>',
        '<recv request="BYE"/>', reply("200 OK"), '<nop next="end"/>',
        '<label id="again"/>', ok, '<recv request="ACK" next="within"/>',
        '<label id="info"/>', reply("200 OK"), '<nop next="within"/>',
        '<label id="hangs"/><pause milliseconds="500"/>',
        send("""BYE [next_url] SIP/2.0
            Via: SIP/2.0/UDP [local_ip]:[local_port];branch=[branch]
            [routes]
            From: <sip:[local_ip]>;tag=[pid]s[call_number]
            To: <sip:caller>;[$caller]
            [last_Call-ID:]
            CSeq: 7 BYE
            Max-Forwards: 70""", attributes='retrans="500"'), '<recv response="200" next="end"/>',
        '<label id="long"/><pause milliseconds="8000"/><nop next="up"/>',
        '<label id="endless"/><recv request="CANCEL"/>', reply("200 OK"),
        reply("487 Request Terminated", attributes='retrans="500"', cseq="CSeq: [last_cseq_number] INVITE"), '<recv request="ACK" next="end"/>',
        '<label id="busy"/>', reply("486 Busy Here", attributes='retrans="500"'), '<recv request="ACK" next="end"/>',
        '<label id="full"/>', reply("503 Service Unavailable", attributes='retrans="500"'), '<recv request="ACK" next="end"/>',
        '<label id="silent"/><pause milliseconds="2000"/>', reply("408 Request Timeout", attributes='retrans="500"'), '<recv request="ACK" next="end"/>',
        '<label id="second"/>', go("named", "known"), reply("403 Forbidden", attributes='retrans="500"'), '<recv request="ACK" next="end"/>',
        '<label id="wants"/>', go("shown", "shown"), reply("401 Unauthorized", challenge, attributes='retrans="500"'), '<recv request="ACK" next="end"/>',
        '<label id="shown"/>', go("good", "ring"), reply("403 Forbidden", attributes='retrans="500"'), '<recv request="ACK" next="end"/>',
        '<label id="register"/>', go("shown", "registers"), reply("401 Unauthorized", challenge), '<nop next="end"/>',
        '<label id="registers"/>', go("good", "registered"), reply("403 Forbidden"), '<nop next="end"/>',
        '<label id="registered"/>', send("""SIP/2.0 200 OK
            [last_Via:]
            [last_From:]
            [last_To:];tag=[pid]r
            [last_Call-ID:]
            [last_CSeq:]
            [last_Contact:];expires=60
            [last_Path:]"""), '<nop next="end"/>',
        '<label id="plain"/>', reply("200 OK"),
        '<label id="end"/></scenario>',
    ])


DEFAULTS = {
    "to": "", "final": 200, "method": "INVITE", "caller": "12125550001", "domain": "10.42.2.11", "headers": [], "hold": 500, "times": 1,
    # login: the first answer is a challenge. cancel: give up while it rings. ends: who hangs up, caller or callee.
    # again: a re-INVITE in the middle. bye_routes: the Route of the BYE, in the place of what Record-Route said.
    # see: what the answer has to have. bye_final: what the BYE gets.
    "see": "", "bye_final": 200, "login": False, "cancel": False, "ends": "caller", "again": False, "bye_routes": "[routes]",
}


def call_scenario(c):
    user = f"{c['to']}@" if c["to"] else ""
    uri = c.get("uri") or f"sip:{user}{c['domain']}"
    who = f"sip:{c['caller']}@{c['domain']}"

    def request(method, cseq, uri, routes="", tag="", more=(), body="", attributes='retrans="500"', branch=""):
        contact = f"sip:{c['caller']}@[local_ip]:[local_port]"
        return send(f"""{method} {uri} SIP/2.0
            Via: SIP/2.0/UDP [local_ip]:[local_port];branch=z9hG4bK-[pid]-[call_number]-{branch or cseq.replace(' ', '')}
            {routes}
            From: <{who}>;tag=[pid]c[call_number]
            To: <{c.get('target', uri) if method in ('INVITE', 'CANCEL', 'REGISTER') else who}>{tag}
            Call-ID: [call_id]
            CSeq: {cseq}
            Contact: <{contact}>
            Max-Forwards: 70
            """ + "\n".join(more), body, attributes)

    method, first, peer = c["method"], 1, "[peer_tag_param]"
    body = SDP if method == "INVITE" else ""

    def ack(number):  # of a refusal: it belongs to the INVITE
        return request("ACK", f"{number} ACK", uri, tag=peer, attributes="", branch=f"{number}INVITE")

    steps = [request(method, f"{first} {method}", uri, more=c["headers"], body=body)]
    provisional = "".join(f'<recv response="{code}" optional="true" rrs="true"/>' for code in (100, 180, 183))
    if c["login"]:
        first = 2
        steps += [provisional, '<recv response="401" auth="true"/>']
        if method == "INVITE":
            steps.append(ack(1))
        steps.append(request(method, f"2 {method}", uri, more=[*c["headers"], f"[authentication username={USER} password={c.get('password', PASSWORD)}]"], body=body))
    if c["cancel"]:
        steps += ['<recv response="100" optional="true"/><recv response="180"/><pause milliseconds="300"/>',
                  request("CANCEL", f"{first} CANCEL", uri, branch=f"{first}INVITE"), '<recv response="200"/>']
        provisional = ""
    see = f'<action><ereg regexp="{c["see"]}" search_in="msg" check_it="true" assign_to="seen"/></action>' if c["see"] else ""
    steps += [provisional, f'<recv response="{c["final"]}" rrs="true">{see}</recv>']
    if method == "INVITE":
        if c["final"] != 200:
            steps.append(ack(first))
        else:
            steps.append(request("ACK", f"{first} ACK", "[next_url]", "[routes]", peer, attributes=""))
            if c["again"]:
                steps += [request("INVITE", f"{first + 1} INVITE", "[next_url]", "[routes]", peer, body=SDP),
                          provisional.replace(' rrs="true"', ""), '<recv response="200"/>',
                          request("ACK", f"{first + 1} ACK", "[next_url]", "[routes]", peer, attributes="")]
            if c["ends"] == "caller":
                steps += [f'<pause milliseconds="{c["hold"]}"/>',
                          request("BYE", f"{first + 2} BYE", "[next_url]", c["bye_routes"], peer), f'<recv response="{c["bye_final"]}"/>']
            else:
                steps += ['<recv request="BYE"/>', send("""SIP/2.0 200 OK
                    [last_Via:]
                    [last_From:]
                    [last_To:]
                    [last_Call-ID:]
                    [last_CSeq:]""")]
    uses = '<Reference variables="seen"/>' if c["see"] else ""
    return '<?xml version="1.0" encoding="UTF-8" ?><scenario name="call">' + "".join(steps) + uses + "</scenario>"


def write(name, text):
    os.makedirs(WORK, exist_ok=True)
    path = f"{WORK}/{name}"
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    return path


def answer(address, port):
    os.chdir(WORK)
    os.execvp("sipp", ["sipp", "-sf", write("answer.xml", answer_scenario()), "-i", address, "-p", port, "-nostdin", "-aa", "-deadcall_wait", "0",
                       "-default_behaviors", "all,-bye,-abortunexp", "-trace_err", "-error_file", f"{WORK}/answer.err", "-trace_msg", "-message_file", f"{WORK}/answer.log"])


def start(c, address, router, port):
    scenario = write(f"{c['name']}.xml", call_scenario(c))
    times = c["times"]
    return subprocess.Popen(
        ["sipp", "-sf", scenario, "-i", address, "-p", str(port), "-m", str(times), "-r", "20", "-cid_str", c["name"] + ("-%u" if times > 1 else ""),
         "-nostdin", "-timeout", "110s", "-timeout_error", "-trace_msg", "-message_file", f"{WORK}/{c['name']}.log", f"{router}:5060"],
        cwd=WORK, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=open(f"{WORK}/{c['name']}.err", "w", encoding="utf-8"))  # noqa: SIM115


def call(address, router):
    calls = [DEFAULTS | c for c in json.load(sys.stdin)]
    os.makedirs(WORK, exist_ok=True)
    first = 16000 + os.getpid() % 100 * 100
    running = [(c, start(c, address, router, first + i)) for i, c in enumerate(calls)]
    failed = [c["name"] for c, process in running if process.wait() != 0]
    for name in failed:
        with open(f"{WORK}/{name}.err", encoding="utf-8") as file:
            print(f"{name}: {file.read()[:600]}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit({"answer": answer, "call": call}[sys.argv[1]](*sys.argv[2:]))
