"""What the tests of the doubles share: the APIs on free ports of loopback, and a tenant with phones and a trunk."""

import base64
import http.client
import importlib.machinery
import importlib.util
import json
import pathlib
import sys
import threading
import time

ROLES = pathlib.Path(__file__).parent.parent / "wazo-ansible" / "roles"
for role in ("engine-api", "uc-engine", "b2bua"):
    sys.path.insert(0, str(ROLES / role / "files"))

import auth_double  # noqa: E402
import confd_double  # noqa: E402
import http_double  # noqa: E402
import store  # noqa: E402

PASSWORD = "S3cret-of-root"


def program(role, name):
    """Load a program whose name has no .py."""
    loader = importlib.machinery.SourceFileLoader(name.replace("-", "_"), str(ROLES / role / "files" / name))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader(loader.name, loader))
    loader.exec_module(module)
    return module


class Engine:
    """The APIs on free ports of loopback, over a state in a directory of their own."""

    def __init__(self, directory):
        self.directory = pathlib.Path(directory)
        self.dialplan = self.directory / "extensions_extra.d"
        self.dialplan.mkdir(exist_ok=True)
        self.accounts = self.directory / "subscriber"
        self.store = store.Store(self.directory / "state.json", self.directory, self.dialplan,
                                 store.Kamailio(self.directory / "rpc.sock"))
        auth = auth_double.Auth(self.store)
        self.servers = [http_double.serve(("127.0.0.1", 0), api)
                        for api in (auth.api, confd_double.Confd(self.store, auth).api)]
        self.auth, self.confd = (server.server_address for server in self.servers)
        for server in self.servers:
            threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()

    def close(self):
        for server in self.servers:
            server.shutdown()
            server.server_close()


def ask(address, method, path, body=None, **headers):
    connection = http.client.HTTPConnection(*address, timeout=10)
    try:
        connection.request(method, path, None if body is None else json.dumps(body),
                           {name.replace("_", "-"): value for name, value in headers.items()})
        answer = connection.getresponse()
        data = answer.read()
        return answer.status, json.loads(data) if data else None
    finally:
        connection.close()


def basic(name, password):
    return "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()


class Office:
    """A tenant of an engine, made as `calldata setup` makes one: two phones, a trunk, a DID for each kind of destination."""

    def __init__(self, engine, trunk="127.0.0.2", port=5060):
        self.engine = engine
        ask(engine.confd, "POST", "/1.1/wizard", {"admin_password": PASSWORD, "language": "en_US", "license": True})
        _, answer = ask(engine.auth, "POST", "/0.1/token", {}, Authorization=basic("root", PASSWORD))
        self.headers = {"X_Auth_Token": answer["data"]["token"]}
        _, tenant = ask(engine.auth, "POST", "/0.1/tenants", {"name": "acme", "slug": "acme"}, **self.headers)
        self.headers["Wazo_Tenant"] = tenant["uuid"]
        while (answer := ask(engine.confd, "GET", f"/1.1/tenants/{tenant['uuid']}", **self.headers))[0] != 200:
            time.sleep(0.05)
        self.template = answer[1]["global_sip_template_uuid"]
        self.internal = self.make("contexts", label="internal", type="internal", user_ranges=[{"start": "1000", "end": "1999"}])
        self.incall = self.make("contexts", label="in", type="incall",
                                incall_ranges=[{"start": "14155550100", "end": "14155550199"}])
        self.outcall = self.make("contexts", label="out", type="outcall")
        self.put(f"contexts/{self.internal['id']}/contexts", contexts=[{"id": self.outcall["id"]}])
        self.users = {name: self.user(name, exten) for name, exten in (("ada", "1001"), ("bob", "1002"))}
        endpoint = self.make("endpoints/sip", name="router", label="router", templates=[{"uuid": self.template}],
                             aor_section_options=[["contact", f"sip:{trunk}:{port}"]],
                             identify_section_options=[["match", trunk]])
        self.trunk = self.make("trunks", context=self.incall["name"])
        self.put(f"trunks/{self.trunk['id']}/endpoints/sip/{endpoint['uuid']}")
        goto = f"Goto({self.internal['name']},*12,1)"
        self.did("14155550101", {"type": "user", "user_id": self.users["ada"]["id"]})
        self.did("14155550102", {"type": "extension", "exten": "1002", "context": self.internal["name"]})
        self.did("14155550112", {"type": "custom", "command": goto})
        self.did("14155550113", {"type": "hangup", "cause": "busy"})
        self.route = self.make("outcalls", name="pstn")
        self.put(f"outcalls/{self.route['id']}/trunks", trunks=[{"id": self.trunk["id"]}])
        way = self.make("extensions", exten="_9.", context=self.outcall["name"])
        self.put(f"outcalls/{self.route['id']}/extensions/{way['id']}", strip_digits=1, prefix="+", caller_id="14155550100")

    def make(self, path, **body):
        code, answer = ask(self.engine.confd, "POST", f"/1.1/{path}", body, **self.headers)
        assert code == 201, (path, code, answer)
        return answer

    def put(self, path, **body):
        code, answer = ask(self.engine.confd, "PUT", f"/1.1/{path}", body, **self.headers)
        assert code == 204, (path, code, answer)

    def user(self, name, exten):
        return self.make("users", firstname=name, ring_seconds=2, lines=[{
            "context": self.internal["name"], "extensions": [{"exten": exten}],
            "endpoint_sip": {"name": name, "label": name, "templates": [{"uuid": self.template}],
                             "auth_section_options": [["username", name], ["password", "secret-" + name]]}}])

    def did(self, number, destination):
        incall = self.make("incalls", destination=destination)
        extension = self.make("extensions", exten=number, context=self.incall["name"])
        self.put(f"incalls/{incall['id']}/extensions/{extension['id']}")
        return incall
