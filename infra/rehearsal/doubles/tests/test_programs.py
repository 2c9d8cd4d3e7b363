"""Behaviour of the doubles' programs: the calls that playbooks make, in their order, and what must be refused."""

import contextlib
import io
import json
import os
import pathlib
import socket
import stat
import subprocess
import sys
import tempfile
import threading
import time
import unittest

from support import PASSWORD, ROLES, Engine, Office, ask, basic, program

import confd_double
import echo_agent
import http_double
import setupd_double


class ApiTest(unittest.TestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.engine = Engine(directory.name)
        self.addCleanup(lambda: self.engine.close())
        confd_double.TENANT_DELAY = 0.3

    def wizard(self, **changes):
        body = {"admin_password": PASSWORD, "language": "en_US", "license": True, **changes}
        return ask(self.engine.confd, "POST", "/1.1/wizard", body)

    def token(self, name="root", password=PASSWORD):
        code, answer = ask(self.engine.auth, "POST", "/0.1/token", {"expiration": 300},
                           Authorization=basic(name, password))
        self.assertEqual(code, 200)
        return answer["data"]["token"]

    def smoke_line(self, password):
        """The calls of role smoke_line. Answers how many things were made or changed."""
        changes = 0
        headers = {"X_Auth_Token": self.token()}
        _, tenants = ask(self.engine.auth, "GET", "/0.1/tenants?search=calldata-smoke", **headers)
        tenant = next((t for t in tenants["items"] if t["name"] == "calldata-smoke"), None)
        if tenant is None:
            code, tenant = ask(self.engine.auth, "POST", "/0.1/tenants", {"name": "calldata-smoke", "slug": "smoke"},
                               **headers)
            self.assertEqual(code, 200)
            changes += 1
            code, _ = ask(self.engine.confd, "GET", f"/1.1/tenants/{tenant['uuid']}", **headers)
            self.assertEqual(code, 404, "confd has to hear of a tenant first")
        headers["Wazo_Tenant"] = tenant["uuid"]
        deadline = time.monotonic() + 5
        while (answer := ask(self.engine.confd, "GET", f"/1.1/tenants/{tenant['uuid']}", **headers))[0] != 200:
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.05)
        template = answer[1]["global_sip_template_uuid"]
        _, contexts = ask(self.engine.confd, "GET", "/1.1/contexts?search=calldata-smoke", **headers)
        context = next((c for c in contexts["items"] if c["label"] == "calldata-smoke"), None)
        if context is None:
            code, context = ask(self.engine.confd, "POST", "/1.1/contexts", {
                "label": "calldata-smoke", "type": "internal", "user_ranges": [{"start": "9990", "end": "9999"}]}, **headers)
            self.assertEqual(code, 201)
            changes += 1
        self.context = context["name"]
        options = [["username", "smoke"], ["password", password]]
        _, endpoints = ask(self.engine.confd, "GET", "/1.1/endpoints/sip?search=smoke", **headers)
        endpoint = next((e for e in endpoints["items"] if e["name"] == "smoke"), None)
        if endpoint is None:
            code, answer = ask(self.engine.confd, "POST", "/1.1/users", {
                "firstname": "Calldata", "lastname": "Smoke", "lines": [{
                    "context": self.context, "extensions": [{"exten": "9990"}],
                    "endpoint_sip": {"name": "smoke", "label": "smoke", "auth_section_options": options,
                                     "templates": [{"uuid": template}]}}]}, **headers)
            self.assertEqual(code, 201, answer)
            changes += 1
        elif endpoint["auth_section_options"] != options:
            code, _ = ask(self.engine.confd, "PUT", f"/1.1/endpoints/sip/{endpoint['uuid']}",
                          {"auth_section_options": options}, **headers)
            self.assertEqual(code, 204)
            changes += 1
        return changes

    def test_status_is_head_only(self):
        self.assertEqual(ask(self.engine.auth, "HEAD", "/0.1/status")[0], 200)
        self.assertEqual(ask(self.engine.auth, "GET", "/0.1/status")[0], 405)
        self.assertEqual(ask(self.engine.auth, "GET", "/0.1/backends")[0], 200)
        self.assertEqual(ask(self.engine.auth, "GET", "/0.1/nothing")[0], 404)

    def test_wizard_runs_once(self):
        self.assertFalse(ask(self.engine.confd, "GET", "/1.1/wizard")[1]["configured"])
        for wrong in ({"language": "de_DE"}, {"license": "yes"}, {"admin_password": "a b c d"}, {"admin_password": "abc"},
                      {"admin_password": "til~de"}, {"admin_password": None}):
            self.assertEqual(self.wizard(**wrong)[0], 400, wrong)
        self.assertEqual(self.wizard()[0], 200)
        self.assertTrue(ask(self.engine.confd, "GET", "/1.1/wizard")[1]["configured"])
        self.assertEqual(self.wizard()[0], 403)

    def test_tokens(self):
        self.wizard()
        for header in (basic("root", "wrong"), basic("nobody", PASSWORD), "Basic ?", "", "Bearer x"):
            self.assertEqual(ask(self.engine.auth, "POST", "/0.1/token", {}, Authorization=header)[0], 401, header)
        key = self.token()
        self.assertEqual(ask(self.engine.auth, "HEAD", f"/0.1/token/{key}")[0], 204)
        self.assertEqual(ask(self.engine.auth, "DELETE", f"/0.1/token/{key}")[0], 200)
        self.assertEqual(ask(self.engine.auth, "GET", "/0.1/tenants", X_Auth_Token=key)[0], 401)

    def test_second_wizard_block_fails_like_upstream(self):
        self.wizard()
        headers = {"X_Auth_Token": self.token()}
        client = {"username": "api", "password": "client-password", "purpose": "external_api"}
        for expected in (200, 409):
            code, tenant = ask(self.engine.auth, "POST", "/0.1/tenants", {"name": "calldata"}, **headers)
            self.assertEqual(code, 200)
            client["tenant_uuid"] = tenant["uuid"]
            self.assertEqual(ask(self.engine.auth, "POST", "/0.1/users", client, **headers)[0], expected)

    def test_api_client_may_use_confd_only(self):
        self.wizard()
        headers = {"X_Auth_Token": self.token()}
        _, tenant = ask(self.engine.auth, "POST", "/0.1/tenants", {"name": "calldata"}, **headers)
        _, user = ask(self.engine.auth, "POST", "/0.1/users", {
            "username": "api", "password": "client-password", "purpose": "external_api", "tenant_uuid": tenant["uuid"]},
            **headers)
        _, policy = ask(self.engine.auth, "POST", "/0.1/policies", {"name": "api", "acl": ["confd.#"]}, **headers)
        self.assertEqual(ask(self.engine.auth, "PUT", f"/0.1/users/{user['uuid']}/policies/{policy['uuid']}", **headers)[0],
                         204)
        headers = {"X_Auth_Token": self.token("api", "client-password")}
        self.assertEqual(ask(self.engine.confd, "GET", "/1.1/users", **headers)[0], 200)
        self.assertEqual(ask(self.engine.auth, "GET", "/0.1/tenants", **headers)[0], 403)
        self.assertEqual(ask(self.engine.confd, "GET", "/1.1/users", **headers,
                             Wazo_Tenant=tenant["parent_uuid"])[0], 401)

    def test_smoke_line_is_idempotent_and_becomes_a_sip_account(self):
        self.wizard()
        self.assertEqual(self.smoke_line("first"), 3)
        self.assertEqual(self.smoke_line("first"), 0)
        # MD5 of "smoke:asterisk:first", computed with md5sum.
        self.assertIn("smoke::18d1b914db9be59642a67847e7765021:smoke\n", self.engine.accounts.read_text())
        self.assertEqual(self.smoke_line("second"), 1)
        self.assertNotIn("first", self.engine.accounts.read_text())
        (self.engine.dialplan / "90-smoke.conf").write_text(
            f"; smoke\n[{self.context}]\nexten = *10,1,Answer()\nsame = n,Echo()\nsame = n,Hangup()\n"
            "[other]\nexten => 11,1,Echo()\n", encoding="utf-8")
        self.engine.store.save()
        self.assertRegex((self.engine.directory / "dialplan").read_text(), r"\n1:\d+:1:0:\*10:0:[^:]*:[^:]*:do=echo\n")

    def test_state_survives_and_is_private(self):
        self.wizard()
        self.smoke_line("first")
        state = self.engine.directory / "state.json"
        self.assertEqual(stat.S_IMODE(os.stat(state).st_mode), 0o600)
        self.assertNotIn(PASSWORD, state.read_text())
        self.engine.close()
        self.engine = Engine(self.engine.directory)
        self.assertEqual(self.smoke_line("first"), 0)

    def test_bad_input_makes_nothing(self):
        self.wizard()
        self.smoke_line("first")
        headers = {"X_Auth_Token": self.token(), "Wazo_Tenant": next(
            t["uuid"] for t in self.engine.store.data["tenants"] if t["slug"] == "smoke")}
        before = json.dumps(self.engine.store.data["lines"])
        def line(**changes):
            return {"firstname": "A", "lines": [{"context": self.context, "extensions": [{"exten": "9991"}],
                                                 "endpoint_sip": {"name": "a"}, **changes}]}
        for wrong in ({}, line(context="nowhere"), line(extensions=[{"exten": "1000"}]),
                      line(extensions=[{"exten": "9990"}]), line(endpoint_sip={"name": "smoke"}),
                      line(endpoint_sip={"auth_section_options": [["username", "smoke"]]}),
                      line(endpoint_sip={"auth_section_options": [["username", "a:b"]]}),
                      line(endpoint_sip={"auth_section_options": [["username"]]}),
                      line(endpoint_sip={"templates": [{"uuid": "none"}]})):
            self.assertEqual(ask(self.engine.confd, "POST", "/1.1/users", wrong, **headers)[0], 400, wrong)
        self.assertEqual(json.dumps(self.engine.store.data["lines"]), before)
        self.assertEqual(len(self.engine.store.data["confd_users"]), 1)


class SetupdTest(unittest.TestCase):
    def test_sets_up_once_and_stops(self):
        with tempfile.TemporaryDirectory() as directory:
            engine = Engine(directory)
            setupd_double.CONFD, setupd_double.STOP_DELAY = engine.confd, 0.05
            body = {"engine_language": "fr_FR", "engine_password": PASSWORD, "engine_license": True}
            for _ in range(2):  # restarted, it answers the same: already configured
                stopped = threading.Event()
                server = http_double.serve(("127.0.0.1", 0), setupd_double.Setupd(stopped.set).api)
                threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
                address = server.server_address
                code, reasons = ask(address, "POST", "/1.0/setup", {"engine_language": "xx", "nestbox": 1})
                self.assertEqual((code, len(reasons)), (400, 4))
                self.assertFalse(stopped.wait(0.2), "a refused setup must not stop the daemon")
                self.assertEqual(ask(address, "POST", "/1.0/setup", body), (201, {}))
                self.assertTrue(stopped.wait(2))
                server.shutdown()
                server.server_close()
            engine.close()


class ConsoleTest(unittest.TestCase):
    """The console where Kamailio says what is written here; test_sip asks a real one."""

    SAYS = {
        "core.uptime": "{\n\tuptime: 75\n}\n",
        "dlg.stats_active": "{\n\tongoing: 1\n\tall: 1\n}\n",
        "stats.get_statistics dialog:": "dialog:failed_dialogs = 2\ndialog:processed_dialogs = 1\n",
        "ul.dump": "",
    }

    def setUp(self):
        self.console = program("b2bua", "asterisk")
        self.console.run = lambda *words: ""
        self.console.rpc = lambda *words: self.SAYS.get(" ".join(words), "0\n")

    def say(self, *arguments):
        with contextlib.redirect_stdout(io.StringIO()) as out, contextlib.redirect_stderr(io.StringIO()) as err:
            code = self.console.main(list(arguments))
        return code, out.getvalue(), err.getvalue()

    def test_counts(self):
        self.assertEqual(self.say("-rx", "core show channels count"),
                         (0, "2 active channels\n1 active call\n1 call processed\n", ""))

    def test_endpoints_of_lines_and_trunks(self):
        with tempfile.TemporaryDirectory() as directory:
            engine = Engine(directory)
            Office(engine, "127.0.0.2", 5060)
            engine.close()
            self.console.STATE, self.console.DIALPLAN = pathlib.Path(directory, "state.json"), pathlib.Path(directory, "dialplan")
            code, text, _ = self.say("-rx", "pjsip list endpoints")
            self.assertEqual((code, text.splitlines()[4:]), (0, [
                " Endpoint:  ada                                                  Unavailable   0 of inf",
                " Endpoint:  bob                                                  Unavailable   0 of inf",
                " Endpoint:  router                                               Not in use    0 of inf",
                "", "Objects found: 3", ""]))
            self.assertRegex(self.say("-rx", "pjsip list contacts")[1],
                             "\n  Contact:  router/sip:127.0.0.2:5060 {22}[0-9a-f]{10} NonQual         nan\n\nObjects found: 1\n")
            self.assertEqual(self.say("-rx", "core show uptime seconds")[1], "System uptime: 75\nLast reload: 0\n")

    def test_refuses_what_it_does_not_know(self):
        self.assertEqual(self.say("-rx", "core show calls")[:2], (1, ""))
        self.assertEqual(self.say("-r")[:2], (2, ""))

    def test_away(self):
        def away(*_):
            raise self.console.Refused("systemctl: inactive")
        self.console.run = away
        code, out, err = self.say("-rx", "core show channels count")
        self.assertEqual((code, out), (1, ""))
        self.assertIn("Unable to connect to remote asterisk", err)


class UpgradeTest(unittest.TestCase):
    """wazo-upgrade beside programs that only write down how they were called."""

    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.path = pathlib.Path(directory.name)
        text = (ROLES / "uc-engine" / "files" / "wazo-upgrade").read_text(encoding="utf-8")
        for old, new in (("/var/log/wazo-upgrade.log", "log"), ("/usr/share/wazo-upgrade", "scripts"),
                         ("/usr/share/wazo/WAZO-VERSION", "version"), ("/etc/wazo-double/UPGRADE", "upgrade")):
            self.assertIn(old, text)
            text = text.replace(old, str(self.path / new))
        self.write("wazo-upgrade", text)
        for name in ("apt-get", "systemctl", "wazo-service"):
            self.write(name, f'#!/bin/sh\necho "{name} $*" >>calls\n')
        self.write("apt-cache", "#!/bin/sh\necho bash\n")
        self.write("curl", """#!/bin/sh\necho '{"configured": true}'\n""")
        (self.path / "version").write_text("26.06\n")
        (self.path / "upgrade").write_text("archive wazo-26.08\n")

    def write(self, name, text):
        (self.path / name).write_text(text, encoding="utf-8")
        (self.path / name).chmod(0o755)

    def upgrade(self, *options, answer=""):
        """Upgrade, and answer what was printed, the version after that, and how services and packages were treated."""
        (self.path / "calls").write_text("")
        done = subprocess.run(["bash", "wazo-upgrade", *options], cwd=self.path, input=answer, capture_output=True, text=True,
                              env={**os.environ, "PATH": f"{self.path}:{os.environ['PATH']}"}, check=True)
        calls = [line for line in (self.path / "calls").read_text().splitlines()
                 if line.startswith("wazo-service") or "dist-upgrade" in line]
        return done.stdout, (self.path / "version").read_text().strip(), calls

    def test_stops_upgrades_and_starts(self):
        said, version, calls = self.upgrade("-f")
        self.assertIn("installed version : 26.06\nproposed update   : 26.08\n", said)
        self.assertEqual(version, "26.08")
        self.assertEqual([call.split()[-1] for call in calls], ["stop", "disable", "dist-upgrade", "enable", "restart"])
        self.assertIn("proposed update", (self.path / "log").read_text())

    def test_asks_first(self):
        self.assertEqual(self.upgrade(answer="n\n")[1:], ("26.06", []))
        self.assertEqual(self.upgrade(answer="y\n")[1], "26.08")

    def test_keeps_a_rolling_distribution(self):
        (self.path / "upgrade").write_text("main pelican-bookworm\n")
        self.assertEqual(self.upgrade("-f")[1], "26.06")

    def test_only_downloads(self):
        self.assertEqual(self.upgrade("-d")[1:], ("26.06", ["apt-get -y -d -o DPkg::Lock::Timeout=15 dist-upgrade"]))

    def test_says_what_is_wrong_and_ends_with_0(self):
        self.write("curl", """#!/bin/sh\necho '{"configured": false}'\n""")
        said, version, calls = self.upgrade("-f")
        self.assertRegex(said, "(?m)^ERROR: You must configure Wazo")
        self.assertEqual((version, calls), ("26.06", []))

    def test_a_script_may_refuse(self):
        self.write("curl", """#!/bin/sh\necho '{"configured": true}'\n""")
        (self.path / "scripts" / "pre-stop.d").mkdir(parents=True)
        self.write("scripts/pre-stop.d/refuse", "#!/bin/sh\nexit 1\n")
        said, version, calls = self.upgrade("-f")
        self.assertRegex(said, r"(?m)^\*+ ERROR \*+$")
        self.assertEqual((version, calls), ("26.06", []))

    def test_services_come_back_when_packages_do_not(self):
        self.write("apt-get", '#!/bin/sh\necho "apt-get $*" >>calls\ncase $* in *dist-upgrade*) exit 100 ;; esac\n')
        said, version, calls = self.upgrade("-f")
        self.assertIn("An error occurred during the upgrade.", said)
        self.assertEqual((version, calls[-2:]), ("26.06", ["wazo-service enable", "wazo-service restart"]))


OFFER = "\r\n".join(["v=0", "o=- 1 1 IN IP4 127.0.0.1", "s=-", "c=IN IP4 127.0.0.1", "t=0 0",
                     "m=audio 4000 RTP/AVP {formats}", "a=sendrecv", ""])


class EchoAgentTest(unittest.TestCase):
    """The agent as a process, on another port than the installed one."""

    def setUp(self):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
            free.bind(("127.0.0.1", 0))
            self.agent = free.getsockname()
        code = ("import asyncio, sys; sys.path.insert(0, sys.argv[1]); import echo_agent; "
                "echo_agent.SIP_ADDRESS = ('127.0.0.1', int(sys.argv[2])); asyncio.run(echo_agent.main())")
        self.process = subprocess.Popen([sys.executable, "-B", "-c", code, str(ROLES / "b2bua" / "files"),
                                         str(self.agent[1])], stderr=subprocess.DEVNULL)
        self.addCleanup(self.process.wait)
        self.addCleanup(self.process.terminate)
        self.phone = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.addCleanup(self.phone.close)
        self.phone.bind(("127.0.0.1", 0))
        self.phone.settimeout(1)
        self.sequence = 0
        for _ in range(100):
            try:
                if self.ask("OPTIONS").startswith("SIP/2.0 200"):
                    return
            except OSError:
                time.sleep(0.1)
        self.fail("the echo agent does not answer")

    def send(self, method, body="", tag="", extra=()):
        self.sequence += 1
        lines = [f"{method} sip:echo@127.0.0.1 SIP/2.0",
                 f"Via: SIP/2.0/UDP 127.0.0.1:{self.phone.getsockname()[1]};branch=z9hG4bK{self.sequence}",
                 "From: <sip:a@127.0.0.1>;tag=a", f"To: <sip:echo@127.0.0.1>{tag}", "Call-ID: one",
                 f"CSeq: {self.sequence} {method}", *extra, f"Content-Length: {len(body)}", "", body]
        self.phone.sendto("\r\n".join(lines).encode(), self.agent)

    def ask(self, method, *args, **kwargs):
        self.send(method, *args, **kwargs)
        while True:
            text = self.phone.recv(4096).decode()
            if f"CSeq: {self.sequence} {method}" in text:
                return text

    def test_answers_echoes_and_hangs_up(self):
        answer = self.ask("INVITE", OFFER.format(formats="111 8 0"),
                          extra=["X-Wazo-Double-Media: 127.0.0.1", "Record-Route: <sip:127.0.0.1;lr>"])
        self.assertTrue(answer.startswith("SIP/2.0 200"), answer)
        self.assertIn("Record-Route: <sip:127.0.0.1;lr>", answer)
        self.assertIn("RTP/AVP 8\r\n", answer)
        port = int(answer.split("m=audio ")[1].split()[0])
        self.assertTrue(10000 <= port < 20000 and port % 2 == 0, port)
        self.assertIn("INVITE", self.phone.recv(4096).decode(), "the answer is repeated until it is acknowledged")
        tag = ";tag=" + answer.split("To: ")[1].split("tag=")[1].split("\r\n")[0]
        self.send("ACK", tag=tag)
        packet = bytes([0x80, 8]) + bytes(170)
        self.phone.sendto(b"\x00" * 20, ("127.0.0.1", port))  # not RTP: dropped
        self.phone.sendto(packet, ("127.0.0.1", port))
        while (heard := self.phone.recv(4096)).startswith(b"SIP"):
            pass
        self.assertEqual(heard, packet)
        self.assertTrue(self.ask("BYE", tag=tag).startswith("SIP/2.0 200"))
        self.assertTrue(self.ask("BYE", tag=tag).startswith("SIP/2.0 481"))

    def test_refuses_what_it_cannot_do(self):
        self.assertTrue(self.ask("INVITE", OFFER.format(formats="111 96")).startswith("SIP/2.0 488"))
        self.assertTrue(self.ask("SUBSCRIBE").startswith("SIP/2.0 405"))
        self.assertTrue(self.ask("CANCEL").startswith("SIP/2.0 481"))


class EchoParserTest(unittest.TestCase):
    def test_request(self):
        text = "ACK sip:e@h SIP/2.0\r\nv: one\r\nVia: two\r\nf: a\r\nt: b\r\ni: c\r\nCSeq: 1 ACK\r\nSubject: x\r\n y\r\n\r\nbody"
        request = echo_agent.Request(text.encode())
        self.assertEqual(request.all("via"), ["one", "two"])
        self.assertEqual((request.get("call-id"), request.get("subject"), request.body), ("c", "x y", "body"))
        for wrong in (b"SIP/2.0 200 OK\r\n\r\n", b"hello", b"ACK sip:e@h SIP/2.0\r\nVia: one\r\n\r\n"):
            with self.assertRaises(ValueError):
                echo_agent.Request(wrong)


if __name__ == "__main__":
    unittest.main()
