"""Behaviour of confd's double that `calldata setup` and role uc_engine depend on, and the dialplan that follows from it."""

import tempfile
import unittest

from support import Engine, Office, ask

import confd_double
import dialplan


class ConfdTest(unittest.TestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        confd_double.TENANT_DELAY = 0.05
        self.engine = Engine(directory.name)
        self.addCleanup(lambda: self.engine.close())
        (self.engine.dialplan / "features.conf").write_text("[xivo-features]\nexten = *12,1,Answer()\nsame = n,Wait(9)\n")
        self.office = Office(self.engine)

    def ask(self, method, path, body=None, **headers):
        return ask(self.engine.confd, method, "/1.1/" + path, body, **{**self.office.headers, **headers})

    def rules(self, context):
        rows = (self.engine.directory / "dialplan").read_text().splitlines()[1:]
        cells = [row.split(":") for row in rows]
        return [(c[4], c[6], c[7], c[8]) for c in cells if c[1] == str(context["id"])]

    def test_dialplan_follows(self):
        self.assertEqual(self.rules(self.office.internal), [
            ("1001", "^.{0}(.*)$", "\\\\1", "do=line;name=ada;ring=2"), ("1002", "^.{0}(.*)$", "\\\\1", "do=line;name=bob;ring=2"),
            ("^9.+$", "^.{1}(.*)$", "+\\\\1", "do=trunk;to=127.0.0.2\\"), ("*12", "^.{0}(.*)$", "\\\\1", "do=answer")])
        self.assertEqual(self.rules(self.office.incall), [
            ("14155550101", "^.{0}(.*)$", "\\\\1", "do=line;name=ada;ring=2"), ("14155550102", "^.{0}(.*)$", "\\\\1", "do=line;name=bob;ring=2"),
            ("14155550112", "^.{0}(.*)$", "\\\\1", "do=answer"), ("14155550113", "^.{0}(.*)$", "\\\\1", 'do=refuse;code=486;reason="Busy Here"')])
        self.assertIn(f"1:127.0.0.2:32:0:{self.office.incall['id']}\n", (self.engine.directory / "address").read_text())

    def test_patterns(self):
        for pattern, expected in (("1001", (0, "1001")), ("_1NXX", (1, "^1[2-9][0-9][0-9]$")), ("_+Z!", (1, "^\\+[1-9].*$")),
                                  ("_[1-3]x.", (1, "^[1-3][0-9].+$")), ("_*1-2", (1, "^\\*12$"))):
            self.assertEqual(dialplan.as_regex(pattern), expected)

    def test_refusals_name_what_is_wrong_and_change_nothing(self):
        o, before = self.office, (self.engine.directory / "state.json").read_text()
        number = self.ask("GET", "extensions?exten=14155550101")[1]["items"][0]
        for method, path, body, code in (
                ("POST", "extensions", {"exten": "1500"}, 400),
                ("POST", "extensions", {"exten": "1001", "context": o.internal["name"]}, 400),
                ("POST", "extensions", {"exten": "+1", "context": o.internal["name"]}, 400),
                ("POST", "incalls", {}, 400),
                ("POST", "incalls", {"destination": {"type": "user", "user_id": 9999}}, 400),
                ("POST", "incalls", {"destination": {"type": "extension", "exten": "*12", "context": "x"}}, 400),
                ("POST", "incalls", {"destination": {"type": "custom", "command": "system(ls)"}}, 400),
                ("POST", "outcalls", {}, 400),
                ("POST", "outcalls", {"name": "pstn"}, 400),
                ("POST", "trunks", {"context": "nowhere"}, 400),
                ("POST", "trunks", {"outgoing_caller_id_format": "x"}, 400),
                ("POST", "endpoints/sip", {"name": "router"}, 400),
                ("POST", "endpoints/sip", {"aor_section_options": [["contact", 1]]}, 400),
                ("POST", "users", {"firstname": "x", "ring_seconds": -1}, 400),
                ("POST", "users", {"firstname": "x", "lines": [{"context": o.internal["name"], "endpoint_sip": {},
                                                                "extensions": [{"exten": "2000"}]}]}, 400),
                ("POST", "contexts", {"type": "incall", "incall_ranges": [{"start": "1", "end": "20"}]}, 400),
                ("PUT", f"outcalls/{o.route['id']}/extensions/{number['id']}", {}, 400),
                ("PUT", f"outcalls/{o.route['id']}/trunks", {"trunks": [{"id": 9999}]}, 400),
                ("PUT", f"contexts/{o.internal['id']}/contexts", {}, 400),
                ("PUT", "trunks/9999/endpoints/sip/x", None, 404),
                ("GET", "incalls/9999", None, 404),
                ("DELETE", f"extensions/{number['id']}", None, 400),
                ("DELETE", f"contexts/{o.incall['id']}", None, 400),
                ("DELETE", f"users/{o.users['ada']['id']}", None, 400),
                ("PUT", "ha", {"node_type": "master"}, 400),
                ("PUT", "ha", {"remote_address": "10.0.0.1"}, 400),
                ("PUT", "registrars/default", {"main_host": ""}, 400),
                ("PUT", "asterisk/rtp/general", {"options": {"rtpstart": 1}}, 400),
                ("PUT", "localization", {"country": "usa"}, 400)):
            got, answer = self.ask(method, path, body)
            self.assertEqual(got, code, (method, path, body, answer))
        self.assertEqual((self.engine.directory / "state.json").read_text(), before)

    def test_extension_must_lie_in_the_range_of_what_has_it(self):
        incall = self.office.make("incalls", destination={"type": "none"})
        for exten in ("14155550200", "9"):
            extension = self.office.make("extensions", exten=exten, context=self.office.incall["name"])
            self.assertEqual(self.ask("PUT", f"incalls/{incall['id']}/extensions/{extension['id']}")[0], 400)
        extension = self.office.make("extensions", exten="_4.", context=self.office.incall["name"])
        self.office.put(f"incalls/{incall['id']}/extensions/{extension['id']}")

    def test_views_resolve_associations(self):
        user = self.ask("GET", "users?search=ada")[1]["items"][0]
        self.assertEqual(user["lines"][0]["extensions"][0]["exten"], "1001")
        self.assertEqual(user["lines"][0]["endpoint_sip"]["name"], "ada")
        self.assertEqual(user["incalls"][0]["extensions"][0]["exten"], "14155550101")
        trunk = self.ask("GET", f"trunks/{self.office.trunk['id']}")[1]
        self.assertEqual((trunk["endpoint_sip"]["name"], trunk["outcalls"][0]["name"]), ("router", "pstn"))
        route = self.ask("GET", f"outcalls/{self.office.route['id']}")[1]
        self.assertEqual([(e["exten"], e["strip_digits"], e["prefix"]) for e in route["extensions"]], [("_9.", 1, "+")])
        context = self.ask("GET", f"contexts/{self.office.internal['id']}")[1]
        self.assertEqual(context["contexts"][0]["label"], "out")
        templates = self.ask("GET", "endpoints/sip/templates")[1]
        self.assertEqual({t["label"] for t in templates["items"]}, set(confd_double.TEMPLATES))

    def test_another_tenants_things_are_not_found(self):
        _, other = ask(self.engine.auth, "POST", "/0.1/tenants", {"name": "other"}, **self.office.headers)
        self.assertEqual(self.ask("GET", f"trunks/{self.office.trunk['id']}", Wazo_Tenant=other["uuid"])[0], 404)
        self.assertEqual(self.ask("GET", "users", Wazo_Tenant=other["uuid"])[1], {"items": [], "total": 0})

    def test_deleting_takes_back_what_depends(self):
        user = self.ask("GET", f"users/{self.office.users['ada']['uuid']}")[1]
        line = user["lines"][0]
        number, endpoint = line["extensions"][0]["id"], line["endpoint_sip"]["uuid"]
        for path in (f"users/{user['uuid']}", f"lines/{line['id']}", f"endpoints/sip/{endpoint}", f"extensions/{number}",
                     f"lines/{line['id']}/endpoints/sip/{endpoint}"):
            self.assertEqual(self.ask("DELETE", path)[0], 400, path)
        for path in (f"users/{user['uuid']}/lines/{line['id']}", f"lines/{line['id']}/extensions/{number}",
                     f"extensions/{number}", f"lines/{line['id']}/endpoints/sip/{endpoint}", f"endpoints/sip/{endpoint}",
                     f"lines/{line['id']}", f"users/{user['uuid']}"):
            self.assertEqual(self.ask("DELETE", path)[0], 204, path)
        self.assertEqual(self.rules(self.office.incall)[0][3], 'do=refuse;code=404;reason="Not Found"')
        self.assertEqual(self.ask("DELETE", f"trunks/{self.office.trunk['id']}")[0], 204)
        self.assertIn(("^9.+$", "^.{1}(.*)$", "+\\\\1", 'do=refuse;code=503;reason="Service Unavailable"'),
                      self.rules(self.office.internal))
        self.assertNotIn("127.0.0.2", (self.engine.directory / "address").read_text())

    def test_settings_of_the_engine(self):
        ranges = {"rtpstart": "10000", "rtpend": "20000"}
        self.assertEqual(self.ask("GET", "asterisk/rtp/general"), (200, {"options": ranges}))
        self.office.put("asterisk/rtp/general", options={"rtpstart": "12000"})
        self.assertEqual(self.ask("GET", "asterisk/rtp/general"), (200, {"options": {"rtpstart": "12000"}}))
        self.office.put("ha", node_type="master", remote_address="10.0.0.2")
        self.assertEqual(self.ask("GET", "registrars/default")[1]["proxy_backup_host"], "10.0.0.2")
        self.office.put("ha", node_type="disabled")
        self.assertIsNone(self.ask("GET", "registrars/default")[1]["backup_host"])
        self.office.put("localization", country="US")
        self.assertEqual(self.ask("GET", "localization"), (200, {"country": "US"}))
        transport = next(t for t in self.ask("GET", "sip/transports")[1]["items"] if t["name"] == "transport-udp")
        path = f"sip/transports/{transport['uuid']}"
        self.assertEqual(self.ask("PUT", path, {"options": []})[0], 400)
        options = [*transport["options"], ["local_net", "10.0.0.0/16"]]
        self.office.put(path, name="transport-udp", options=options)
        self.assertEqual(self.ask("GET", path)[1]["options"], options)


if __name__ == "__main__":
    unittest.main()
