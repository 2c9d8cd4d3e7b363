"""The part of wazo-confd that playbooks, `calldata setup` and checks use: wizard, tenants, contexts, users with lines, SIP
endpoints and their templates, trunks, incalls, outcalls, extensions, transports, and the engine's settings.

Associations are kept as ids; views resolve them. POST makes and answers 201, PUT changes what it names and answers 204,
DELETE answers 204. A resource of another tenant is not found.
"""

import datetime
import ipaddress
import re
import uuid

import auth_double
from http_double import Api, Problem

# confd hears of a new tenant over the message bus: callers have to wait a moment. Seconds.
TENANT_DELAY = 1.0

CONTEXT_TYPES = ("internal", "incall", "outcall", "services", "others")
RANGES = ("user_ranges", "group_ranges", "queue_ranges", "conference_room_ranges", "incall_ranges")
SECTIONS = tuple(name + "_section_options" for name in (
    "aor", "auth", "endpoint", "identify", "registration", "registration_outbound_auth", "outbound_auth"))
TEMPLATES = ("global", "webrtc", "meeting_guest", "registration_trunk", "twilio_trunk")
EXTEN = r"_[*#0-9_XxZzNn\[\].!-]{1,39}|[*#0-9]{1,40}"
EXTEN_OUTCALL = r"_?\+?[*#0-9_XxZzNn\[\].!-]*"
# Settings of the whole engine: path, defaults.
SETTINGS = {
    "asterisk/rtp/general": {"options": {"rtpstart": "10000", "rtpend": "20000"}},
    "asterisk/rtp/ice_host_candidates": {"options": {}},
    "asterisk/pjsip/global": {"options": {"endpoint_identifier_order": "auth_username,username,ip"}},
    "asterisk/pjsip/system": {"options": {}},
    "registrars/default": {
        "id": "default", "name": "local", "main_host": "127.0.0.1", "main_port": None, "backup_host": None,
        "backup_port": None, "proxy_main_host": "127.0.0.1", "proxy_main_port": None, "proxy_backup_host": None,
        "proxy_backup_port": None, "outbound_proxy_host": None, "outbound_proxy_port": None},
    "ha": {"node_type": "disabled", "remote_address": ""},
    "provisioning/networking": {"provision_host": None, "provision_http_port": 8667, "provision_http_base_url": None},
}
TRANSPORTS = {
    "transport-udp": [["protocol", "udp"], ["bind", "0.0.0.0:5060"]],
    "transport-wss": [["protocol", "wss"], ["bind", "0.0.0.0:5060"]],
}


class Confd:
    """wazo-confd's API over a store, with wazo-auth to check tokens."""

    def __init__(self, store, auth):
        self.store, self.auth = store, auth
        one = "([^/]+)"
        routes = [
            ("GET", "/1.1/wizard", self.get_wizard),
            ("POST", "/1.1/wizard", self.run_wizard),
            ("GET", "/1.1/infos", self.infos),
            ("GET", "/1.1/status", self.status),
            ("GET", f"/1.1/tenants/{one}", self.get_tenant),
            ("GET", "/1.1/localization", self.get_localization),
            ("PUT", "/1.1/localization", self.put_localization),
            ("PUT", f"/1.1/contexts/{one}/contexts", self.include_contexts),
            ("PUT", f"/1.1/users/{one}/lines/{one}", self.give_line),
            ("PUT", f"/1.1/lines/{one}/endpoints/sip/{one}", self.give_endpoint("lines")),
            ("PUT", f"/1.1/trunks/{one}/endpoints/sip/{one}", self.give_endpoint("trunks")),
            ("PUT", f"/1.1/lines/{one}/extensions/{one}", self.give_line_extension),
            ("PUT", f"/1.1/incalls/{one}/extensions/{one}", self.give_incall_extension),
            ("PUT", f"/1.1/outcalls/{one}/extensions/{one}", self.give_outcall_extension),
            ("DELETE", f"/1.1/users/{one}/lines/{one}", self.take_line),
            ("DELETE", f"/1.1/lines/{one}/endpoints/sip/{one}", self.take_endpoint),
            ("DELETE", f"/1.1/lines/{one}/extensions/{one}", self.take_extension("lines")),
            ("DELETE", f"/1.1/incalls/{one}/extensions/{one}", self.take_extension("incalls")),
            ("DELETE", f"/1.1/outcalls/{one}/extensions/{one}", self.take_extension("outcalls")),
            ("PUT", f"/1.1/outcalls/{one}/trunks", self.give_trunks),
        ]
        for path in SETTINGS:
            routes += [("GET", f"/1.1/{path}", self.get_setting(path)), ("PUT", f"/1.1/{path}", self.put_setting(path))]
        # "endpoints/sip/templates" before "endpoints/sip/{uuid}".
        for kind in (Templates, Contexts, Users, Lines, Endpoints, Trunks, Incalls, Outcalls, Extensions, Transports):
            resource = kind(self)
            routes += [("GET", f"/1.1/{kind.path}", resource.list), ("POST", f"/1.1/{kind.path}", resource.make),
                       ("GET", f"/1.1/{kind.path}/{one}", resource.get), ("PUT", f"/1.1/{kind.path}/{one}", resource.change),
                       ("DELETE", f"/1.1/{kind.path}/{one}", resource.delete)]
        self.api = Api(routes)

    # The engine.

    def get_wizard(self, call):
        with self.store as state:
            return 200, {"configured": state["configured"], "configurable": True,
                         "configurable_status": {"wazo-provd": "ok", "wazo-auth": "ok"}}

    def run_wizard(self, call):
        body = call.json()
        password = body.get("admin_password")
        if body.get("license") is not True:
            raise Problem(400, "license must be true")
        if body.get("language") not in ("en_US", "fr_FR"):
            raise Problem(400, "language must be en_US or fr_FR")
        if not isinstance(password, str) or not re.fullmatch(r"[!-}]{4,64}", password):
            raise Problem(400, "admin_password must have 4 to 64 characters, no space and no tilde")
        with self.store as state:
            if state["configured"]:
                raise Problem(403, "Wazo is already configured")
            auth_double.bootstrap(state, password)
            state["configured"] = True
            return 200, {"xivo_uuid": state["uuid"]}

    def infos(self, call):
        self.auth.require(call, "confd.infos.read")
        return 200, {"uuid": self.store.data["uuid"], "wazo_version": "double"}

    def status(self, call):
        self.auth.require(call, "confd.status.read")
        component = {"status": "ok"}
        return 200, {"rest_api": component, "bus_consumer": component, "master_tenant": component,
                     "service_token": component}

    def get_setting(self, path):
        def get(call):
            self.auth.require(call, f"confd.{path.replace('/', '.')}.read")
            with self.store as state:
                return 200, state["settings"].get(path, SETTINGS[path])
        return get

    def put_setting(self, path):
        def put(call):
            self.auth.require(call, f"confd.{path.replace('/', '.')}.update")
            body = call.json()
            with self.store as state:
                now = dict(state["settings"].get(path, SETTINGS[path]))
                if "options" in now:
                    options = body.get("options")
                    if not isinstance(options, dict) or not all(isinstance(v, str) for v in options.values()):
                        raise Problem(400, "Input Error - options: a map of strings")
                    now = {"options": options}
                else:
                    now.update({name: body[name] for name in now if name in body and name != "id"})
                    check_setting(path, body, now)
                state["settings"][path] = now
                if path == "ha":
                    peer = now["remote_address"] if now["node_type"] == "master" else None
                    registrar = dict(state["settings"].get("registrars/default", SETTINGS["registrars/default"]))
                    registrar.update(backup_host=peer, proxy_backup_host=peer)
                    state["settings"]["registrars/default"] = registrar
                return 204, None
        return put

    # Tenants.

    def tenant(self, call, need):
        """Answer the tenant that the call is about: that of Wazo-Tenant, or else the token's own."""
        token = self.auth.require(call, need)
        key = call.headers.get("Wazo-Tenant") or token["user"]["tenant_uuid"]
        tenant = next((t for t in self.store.data["tenants"] if t["uuid"] == key), None)
        own = token["user"]["tenant_uuid"]
        if tenant is None or own not in (key, auth_double.master(self.store.data)["uuid"]):
            raise Problem(401, "Unauthorized", f"tenant {key}")
        return tenant

    def get_tenant(self, call, key):
        self.auth.require(call, "confd.tenants.read")
        with self.store as state:
            tenant = auth_double.find(state["tenants"], key, "tenant")
            age = datetime.datetime.now(datetime.timezone.utc) - datetime.datetime.fromisoformat(tenant["created"])
            if age.total_seconds() < TENANT_DELAY:
                raise Problem(404, f"Resource Not Found - Tenant was not found ('uuid': '{key}')")
            return 200, {"uuid": key, "slug": tenant["slug"],
                         **{f"{name}_sip_template_uuid": tenant[f"{name}_sip_template_uuid"] for name in TEMPLATES}}

    def get_localization(self, call):
        with self.store as state:
            tenant = self.tenant(call, "confd.localization.read")
            return 200, {"country": state["localization"].get(tenant["uuid"])}

    def put_localization(self, call):
        country = call.json().get("country")
        if country is not None and not re.fullmatch(r"[A-Z]{2}", str(country)):
            raise Problem(400, "Input Error - country: two capital letters (ISO 3166-1)")
        with self.store as state:
            state["localization"][self.tenant(call, "confd.localization.update")["uuid"]] = country
            return 204, None

    # Associations.

    def find(self, kind, tenant, key):
        """Answer the tenant's item of a kind by id or uuid, or say that there is none."""
        for item in self.store.data[kind]:
            if key in (str(item.get("id")), item.get("uuid")) and item.get("tenant_uuid") == tenant["uuid"]:
                return item
        raise Problem(404, f"Resource Not Found - {NAMES.get(kind, kind)} was not found ('id': '{key}')")

    def include_contexts(self, call, key):
        with self.store:
            tenant = self.tenant(call, "confd.contexts.update")
            context = self.find("contexts", tenant, key)
            wanted = call.json().get("contexts")
            if not isinstance(wanted, list):
                raise Problem(400, "Input Error - contexts: Missing data for required field.")
            context["contexts"] = [existing(self, "contexts", tenant, c)["id"] for c in wanted]
            return 204, None

    def give_line(self, call, user, line):
        with self.store as state:
            tenant = self.tenant(call, "confd.users.lines.update")
            user, line = self.find("confd_users", tenant, user), self.find("lines", tenant, line)
            if line["endpoint_sip"] is None:
                raise Problem(400, "Resource Error - Line is not associated with Endpoint")
            if any(line["id"] in other["lines"] for other in state["confd_users"] if other is not user):
                raise Problem(400, "Resource Error - Line is already associated with User")
            if line["id"] not in user["lines"]:
                user["lines"].append(line["id"])
            return 204, None

    def give_endpoint(self, kind):
        def give(call, key, endpoint):
            with self.store as state:
                tenant = self.tenant(call, f"confd.{kind}.endpoints.sip.update")
                item, endpoint = self.find(kind, tenant, key), self.find("endpoints", tenant, endpoint)
                for other in state["lines"] + state["trunks"]:
                    if other is not item and (other["endpoint_sip"] or {}).get("uuid") == endpoint["uuid"]:
                        raise Problem(400, "Resource Error - Endpoint is already associated")
                if item["endpoint_sip"] and item["endpoint_sip"]["uuid"] != endpoint["uuid"]:
                    raise Problem(400, f"Resource Error - {NAMES[kind]} is already associated with Endpoint")
                item["endpoint_sip"] = {"uuid": endpoint["uuid"]}
                return 204, None
        return give

    def give_line_extension(self, call, line, extension):
        with self.store:
            tenant = self.tenant(call, "confd.lines.extensions.update")
            line, extension = self.find("lines", tenant, line), self.find("extensions", tenant, extension)
            self.check_extension(extension, "internal", "user_ranges", line)
            if extension["id"] not in line["extensions"]:
                line["extensions"].append(extension["id"])
            return 204, None

    def give_incall_extension(self, call, incall, extension):
        with self.store:
            tenant = self.tenant(call, "confd.incalls.extensions.update")
            incall, extension = self.find("incalls", tenant, incall), self.find("extensions", tenant, extension)
            self.check_extension(extension, "incall", "incall_ranges", incall)
            if extension["id"] not in incall["extensions"]:
                incall["extensions"].append(extension["id"])
            return 204, None

    def give_outcall_extension(self, call, outcall, extension):
        body = call.json()
        if not isinstance(body.get("strip_digits", 0), int) or not re.fullmatch(r"[0-9+*#]*", str(body.get("prefix") or "")):
            raise Problem(400, "Input Error - strip_digits: a number, prefix: digits")
        with self.store:
            tenant = self.tenant(call, "confd.outcalls.extensions.update")
            outcall, extension = self.find("outcalls", tenant, outcall), self.find("extensions", tenant, extension)
            self.check_extension(extension, "outcall", None, outcall)
            outcall["extensions"] = [way for way in outcall["extensions"] if way["id"] != extension["id"]]
            outcall["extensions"].append({"id": extension["id"], **{
                name: body.get(name, default) for name, default in
                (("strip_digits", 0), ("prefix", ""), ("external_prefix", ""), ("caller_id", ""))}})
            return 204, None

    def take_extension(self, kind):
        def take(call, key, extension):
            with self.store:
                tenant = self.tenant(call, f"confd.{kind}.extensions.delete")
                item, extension = self.find(kind, tenant, key), self.find("extensions", tenant, extension)
                item["extensions"] = [e for e in item["extensions"]
                                      if (e["id"] if isinstance(e, dict) else e) != extension["id"]]
                return 204, None
        return take

    def take_line(self, call, user, line):
        with self.store:
            tenant = self.tenant(call, "confd.users.lines.delete")
            user, line = self.find("confd_users", tenant, user), self.find("lines", tenant, line)
            user["lines"] = [key for key in user["lines"] if key != line["id"]]
            return 204, None

    def take_endpoint(self, call, line, endpoint):
        with self.store as state:
            tenant = self.tenant(call, "confd.lines.endpoints.sip.delete")
            line, _ = self.find("lines", tenant, line), self.find("endpoints", tenant, endpoint)
            if any(line["id"] in user["lines"] for user in state["confd_users"]):
                raise Problem(400, "Resource Error - Line is associated with User")
            line["endpoint_sip"] = None
            return 204, None

    def give_trunks(self, call, outcall):
        with self.store:
            tenant = self.tenant(call, "confd.outcalls.trunks.update")
            outcall = self.find("outcalls", tenant, outcall)
            wanted = call.json().get("trunks")
            if not isinstance(wanted, list):
                raise Problem(400, "Input Error - trunks: Missing data for required field.")
            outcall["trunks"] = [existing(self, "trunks", tenant, t)["id"] for t in wanted]
            return 204, None

    def check_extension(self, extension, kind, ranges, owner):
        context = next(c for c in self.store.data["contexts"] if c["name"] == extension["context"])
        if context["type"] != kind:
            raise Problem(400, f"Input Error - field 'context.type': {context['type']!r} cannot be used, {kind!r} can")
        if ranges and not extension["exten"].startswith("_"):
            check_range(context, ranges, extension["exten"])
        for group, item in owners(self.store.data, extension["id"]):
            if item is not owner:
                raise Problem(400, f"Resource Error - Extension is associated with {NAMES[group]}")


class Resource:
    """One kind of item: its path, where it is kept, how it is checked and shown."""

    path, kind, columns = "", "", ()

    def __init__(self, confd):
        self.confd, self.store = confd, confd.store

    def need(self, action):
        return f"confd.{self.path.replace('/', '.')}.{action}"

    def list(self, call):
        with self.store as state:
            tenant = self.confd.tenant(call, self.need("read"))
            search, query = call.query.get("search", "").lower(), call.query
            hits = [item for item in state[self.kind] if item.get("tenant_uuid") == tenant["uuid"]
                    and any(search in str(item.get(column) or "").lower() for column in self.columns)
                    and all(str(item.get(name)) == query[name] for name in self.columns if name in query)]
            begin = int(query.get("offset", 0))
            end = begin + int(query["limit"]) if "limit" in query else None
            return 200, {"items": [self.show(state, item) for item in hits[begin:end]], "total": len(hits)}

    def get(self, call, key):
        with self.store as state:
            return 200, self.show(state, self.confd.find(self.kind, self.confd.tenant(call, self.need("read")), key))

    def make(self, call):
        with self.store as state:
            tenant = self.confd.tenant(call, self.need("create"))
            item = self.fresh(state, tenant, call.json())
            state[self.kind].append(item)
            return 201, self.show(state, item)

    def change(self, call, key):
        with self.store as state:
            tenant = self.confd.tenant(call, self.need("update"))
            item = self.confd.find(self.kind, tenant, key)
            item.update(self.checked(state, tenant, call.json(), item))
            return 204, None

    def delete(self, call, key):
        with self.store as state:
            item = self.confd.find(self.kind, self.confd.tenant(call, self.need("delete")), key)
            self.forget(state, item, call)
            state[self.kind].remove(item)
            return 204, None

    def fresh(self, state, tenant, body):
        return {"id": self.store.next_id(), "tenant_uuid": tenant["uuid"], **self.defaults(),
                **self.checked(state, tenant, body, None)}

    def defaults(self):
        return {}

    def checked(self, state, tenant, body, item):
        """Answer the fields of the body that the resource has, or refuse. item is None for a new one."""
        raise NotImplementedError

    def show(self, state, item):
        return item

    def forget(self, state, item, call):
        """Refuse to delete the item, or take back what depends on it."""


class Contexts(Resource):
    path, kind, columns = "contexts", "contexts", ("name", "label", "type")

    def defaults(self):
        return {"uuid": str(uuid.uuid4()), "label": None, "description": None, "enabled": True, "contexts": [],
                **{name: [] for name in RANGES}}

    def fresh(self, state, tenant, body):
        context = super().fresh(state, tenant, body)
        # The server makes the name: callers must use the one that comes back.
        context["name"] = f"ctx-{tenant['slug']}-{context['type']}-{context['uuid']}"
        return context

    def checked(self, state, tenant, body, item):
        if (item is None or "type" in body) and body.get("type") not in CONTEXT_TYPES:
            raise Problem(400, "Input Error - type: internal, incall, outcall, services or others")
        for name in RANGES:
            for limits in body.get(name, []):
                if not all(re.fullmatch(r"\d+", str(limits.get(side, ""))) for side in ("start", "end")) \
                        or len(limits["start"]) != len(limits["end"]) or limits["start"] > limits["end"]:
                    raise Problem(400, f"Input Error - {name}: {limits}")
        return {name: body[name] for name in ("label", "type", "description", "enabled", *RANGES) if name in body}

    def show(self, state, item):
        names = {c["id"]: c for c in state["contexts"]}
        return {**item, "contexts": [{key: names[i][key] for key in ("id", "name", "label")} for i in item["contexts"]]}

    def forget(self, state, item, call):
        if any(e["context"] == item["name"] for e in state["extensions"]):
            raise Problem(400, "Resource Error - Context is associated with Extension")
        for other in state["contexts"]:
            other["contexts"] = [i for i in other["contexts"] if i != item["id"]]


class Users(Resource):
    path, kind, columns = "users", "confd_users", ("firstname", "lastname", "email")
    fields = ("firstname", "lastname", "email", "caller_id", "outgoing_caller_id", "ring_seconds", "language", "enabled",
              "description", "userfield", "timezone", "mobile_phone_number", "username")

    def defaults(self):
        return {"uuid": str(uuid.uuid4()), "ring_seconds": 30, "enabled": True, "outgoing_caller_id": "default", "lines": [],
                **{name: None for name in ("lastname", "email", "language", "description", "userfield", "timezone",
                                           "mobile_phone_number", "username")}}

    def checked(self, state, tenant, body, item):
        if (item is None or "firstname" in body) and not (isinstance(body.get("firstname"), str) and body["firstname"]):
            raise Problem(400, "Input Error - firstname: Missing data for required field.")
        ring = body.get("ring_seconds", 30)
        if not isinstance(ring, int) or not 0 <= ring <= 10800:
            raise Problem(400, "Input Error - ring_seconds: 0 to 10800")
        if body.get("caller_id") is not None and not re.fullmatch(r'"(.*)"( <\+?\d+>)?', body["caller_id"]):
            raise Problem(400, "Input Error - caller_id: String does not match expected pattern.")
        if body.get("email") and any(u["email"] == body["email"] for u in state["confd_users"] if u is not item):
            raise Problem(400, f"Resource Error - User already exists ('email': '{body['email']}')")
        return {name: body[name] for name in self.fields if name in body}

    def fresh(self, state, tenant, body):
        """Make a user with lines, endpoints, extensions and login in one call: all of it, or nothing."""
        user = super().fresh(state, tenant, body)
        user.setdefault("caller_id", '"%s"' % " ".join(filter(None, (user["firstname"], user["lastname"]))))
        for wanted in body.get("lines", []):
            line = Lines(self.confd).fresh(state, tenant, wanted)
            state["lines"].append(line)
            endpoint = Endpoints(self.confd).fresh(state, tenant, wanted.get("endpoint_sip") or {})
            state["endpoints"].append(endpoint)
            line["endpoint_sip"] = {"uuid": endpoint["uuid"]}
            for number in wanted.get("extensions", []):
                extension = Extensions(self.confd).fresh(state, tenant, {**number, "context": line["context"]})
                state["extensions"].append(extension)
                self.confd.check_extension(extension, "internal", "user_ranges", line)
                line["extensions"].append(extension["id"])
            user["lines"].append(line["id"])
        if auth := body.get("auth"):
            auth_double.add_user(state, {**auth, "uuid": user["uuid"]}, tenant["uuid"])
        return user

    def show(self, state, item):
        lines = [line for key in item["lines"] for line in state["lines"] if line["id"] == key]
        return {**item, "lines": [Lines(self.confd).show(state, line) for line in lines],
                "incalls": [{"id": i["id"], "extensions": numbers(state, i["extensions"])} for i in state["incalls"]
                            if i["destination"].get("user_id") == item["id"]]}

    def forget(self, state, item, call):
        if item["lines"]:
            raise Problem(400, "Resource Error - User is associated with Line")
        state["users"] = [u for u in state["users"] if u["uuid"] != item["uuid"]]


class Lines(Resource):
    path, kind, columns = "lines", "lines", ("context",)

    def defaults(self):
        return {"endpoint_sip": None, "extensions": []}

    def checked(self, state, tenant, body, item):
        if item is None or "context" in body:
            own_context(state, tenant, body.get("context"))
        return {name: body[name] for name in ("context", "caller_id_name", "caller_id_num") if name in body}

    def show(self, state, item):
        return {**item, "endpoint_sip": short_endpoint(state, item), "extensions": numbers(state, item["extensions"]),
                "users": [{"uuid": u["uuid"], "firstname": u["firstname"]} for u in state["confd_users"]
                          if item["id"] in u["lines"]]}

    def forget(self, state, item, call):
        if item["endpoint_sip"] or item["extensions"] or any(item["id"] in u["lines"] for u in state["confd_users"]):
            raise Problem(400, "Resource Error - Line is associated")


class Endpoints(Resource):
    path, kind, columns = "endpoints/sip", "endpoints", ("name", "label")

    def defaults(self):
        key = str(uuid.uuid4())
        return {"uuid": key, "name": key[:8], "label": None, "templates": [], "transport": None, "asterisk_id": None,
                **{section: [] for section in SECTIONS}}

    def fresh(self, state, tenant, body):
        endpoint = super().fresh(state, tenant, body)
        del endpoint["id"]
        return endpoint

    def checked(self, state, tenant, body, item):
        others = [e for e in state["endpoints"] if e is not item]
        for section in SECTIONS:
            if section in body:
                check_options(section, body[section])
        if "auth_section_options" in body:
            check_account(body["auth_section_options"], others)
        if "name" in body:
            if not re.fullmatch(r"[\w-]{1,79}", str(body["name"]), re.ASCII):
                raise Problem(400, "Input Error - name: Not a valid PJSIP section name")
            if any(e["name"] == body["name"] for e in others):
                raise Problem(400, f"Resource Error - SIPEndpoint already exists ('name': '{body['name']}')")
        ensure_templates(state, tenant)
        known = {t["uuid"] for t in state["templates"] if t["tenant_uuid"] == tenant["uuid"]}
        for template in body.get("templates", []):
            if template.get("uuid") not in known:
                raise Problem(400, f"Input Error - field 'templates': SIPEndpointTemplate was not found "
                                   f"('uuid': '{template.get('uuid')}')")
        if body.get("transport") and all(t["uuid"] != body["transport"].get("uuid") for t in transports(state)):
            raise Problem(400, "Input Error - field 'transport': Transport was not found")
        return {name: body[name] for name in ("name", "label", "templates", "transport", "asterisk_id", *SECTIONS)
                if name in body}

    def show(self, state, item):
        def owner(kind):
            return next(({"id": i["id"]} for i in state[kind]
                         if (i["endpoint_sip"] or {}).get("uuid") == item["uuid"]), None)
        return {**item, "line": owner("lines"), "trunk": owner("trunks")}

    def forget(self, state, item, call):
        for other in state["lines"] + state["trunks"]:
            if (other["endpoint_sip"] or {}).get("uuid") == item["uuid"]:
                raise Problem(400, "Resource Error - SIPEndpoint is associated")


class Templates(Endpoints):
    path, kind = "endpoints/sip/templates", "templates"

    def list(self, call):
        with self.store as state:
            ensure_templates(state, self.confd.tenant(call, self.need("read")))
            return super().list(call)

    def get(self, call, key):
        self.list(call)
        return super().get(call, key)

    def change(self, call, key):
        self.list(call)
        return super().change(call, key)

    def show(self, state, item):
        return item

    def forget(self, state, item, call):
        if any({"uuid": item["uuid"]} in e["templates"] for e in state["endpoints"]):
            raise Problem(400, "Resource Error - SIPEndpointTemplate is in use")


class Trunks(Resource):
    path, kind, columns = "trunks", "trunks", ("context",)

    def defaults(self):
        return {"context": None, "endpoint_sip": None, "outgoing_caller_id_format": "+E164"}

    def checked(self, state, tenant, body, item):
        if body.get("context") is not None:
            own_context(state, tenant, body["context"])
        if body.get("outgoing_caller_id_format", "+E164") not in ("+E164", "E164", "national"):
            raise Problem(400, "Input Error - outgoing_caller_id_format: +E164, E164 or national")
        return {name: body[name] for name in ("context", "outgoing_caller_id_format") if name in body}

    def show(self, state, item):
        return {**item, "endpoint_sip": short_endpoint(state, item),
                "outcalls": [{"id": o["id"], "name": o["name"]} for o in state["outcalls"] if item["id"] in o["trunks"]]}

    def forget(self, state, item, call):
        for outcall in state["outcalls"]:
            outcall["trunks"] = [key for key in outcall["trunks"] if key != item["id"]]
        # confd deletes the endpoint with its trunk.
        state["endpoints"] = [e for e in state["endpoints"] if e["uuid"] != (item["endpoint_sip"] or {}).get("uuid")]


class Incalls(Resource):
    path, kind, columns = "incalls", "incalls", ("description",)

    def defaults(self):
        return {"description": None, "extensions": []}

    def checked(self, state, tenant, body, item):
        if item is None or "destination" in body:
            check_destination(self.confd, tenant, body.get("destination"))
        return {name: body[name] for name in ("destination", "description") if name in body}

    def show(self, state, item):
        return {**item, "extensions": numbers(state, item["extensions"])}


class Outcalls(Resource):
    path, kind, columns = "outcalls", "outcalls", ("name", "description")

    def defaults(self):
        return {"description": None, "enabled": True, "internal_caller_id": False, "ring_time": None, "trunks": [],
                "extensions": []}

    def checked(self, state, tenant, body, item):
        if item is None or "name" in body:
            name = body.get("name")
            if not isinstance(name, str) or not 1 <= len(name) <= 128:
                raise Problem(400, "Input Error - name: Missing data for required field.")
            if any(o["name"] == name and o["tenant_uuid"] == tenant["uuid"] for o in state["outcalls"] if o is not item):
                raise Problem(400, f"Resource Error - Outcall already exists ('name': '{name}')")
        return {name: body[name] for name in ("name", "description", "enabled", "internal_caller_id", "ring_time")
                if name in body}

    def show(self, state, item):
        trunks = {t["id"]: t for t in state["trunks"]}
        extensions = {e["id"]: e for e in state["extensions"]}
        return {**item,
                "trunks": [{"id": key, "endpoint_sip": short_endpoint(state, trunks[key])} for key in item["trunks"]],
                "extensions": [{**way, "exten": extensions[way["id"]]["exten"],
                                "context": extensions[way["id"]]["context"]} for way in item["extensions"]]}


class Extensions(Resource):
    path, kind, columns = "extensions", "extensions", ("exten", "context")

    def defaults(self):
        return {"enabled": True}

    def checked(self, state, tenant, body, item):
        merged = {**(item or {}), **body}
        context = own_context(state, tenant, merged.get("context"))
        exten = merged.get("exten")
        if not isinstance(exten, str) or not re.fullmatch(EXTEN_OUTCALL if context["type"] == "outcall" else EXTEN, exten):
            raise Problem(400, "Input Error - exten: String does not match expected pattern.")
        if any(e["exten"] == exten and e["context"] == context["name"] for e in state["extensions"] if e is not item):
            raise Problem(400, f"Resource Error - Extension already exists ('exten': '{exten}', 'context': "
                               f"'{context['name']}')")
        return {name: body[name] for name in ("exten", "context", "enabled") if name in body}

    def show(self, state, item):
        has = {kind: [{"id": owner["id"]} for group, owner in owners(state, item["id"]) if group == kind]
               for kind in ("lines", "incalls", "outcalls")}
        return {**item, "lines": has["lines"], "incall": (has["incalls"] or [None])[0],
                "outcall": (has["outcalls"] or [None])[0]}

    def forget(self, state, item, call):
        for group, _ in owners(state, item["id"]):
            raise Problem(400, f"Resource Error - Extension is associated with {NAMES[group]}")


class Transports(Resource):
    path, kind, columns = "sip/transports", "transports", ("name",)

    # Transports belong to the engine, not to a tenant.
    def list(self, call):
        self.confd.auth.require(call, self.need("read"))
        with self.store as state:
            return 200, {"items": transports(state), "total": len(transports(state))}

    def find(self, state, key):
        return auth_double.find(transports(state), key, "transport")

    def get(self, call, key):
        self.confd.auth.require(call, self.need("read"))
        with self.store as state:
            return 200, self.find(state, key)

    def make(self, call):
        raise Problem(405, "Method Not Allowed")

    delete = None

    def change(self, call, key):
        self.confd.auth.require(call, self.need("update"))
        body = call.json()
        with self.store as state:
            item = self.find(state, key)
            if not isinstance(body.get("name"), str):
                raise Problem(400, "Input Error - name: Missing data for required field.")
            check_options("options", body.get("options", []))
            if not all(re.fullmatch(r"[a-zA-Z0-9_/.:-]{1,4092}", side) for pair in body.get("options", []) for side in pair):
                raise Problem(400, "Input Error - options: String does not match expected pattern.")
            item.update(name=body["name"], options=body.get("options", []))
            return 204, None


Transports.delete = Transports.make

NAMES = {"contexts": "Context", "confd_users": "User", "lines": "Line", "endpoints": "SIPEndpoint", "trunks": "Trunk",
         "templates": "SIPEndpointTemplate", "incalls": "Incall", "outcalls": "Outcall", "extensions": "Extension"}


def existing(confd, kind, tenant, reference):
    """Answer what a body's {"id": ..} refers to; unlike in a path, a wrong one is an error in the input."""
    try:
        return confd.find(kind, tenant, str((reference or {}).get("id")))
    except Problem as problem:
        raise Problem(400, f"Input Error - field '{kind}': {NAMES[kind]} was not found ('id': {reference})") from problem


def own_context(state, tenant, name):
    for context in state["contexts"]:
        if context["name"] == name and context["tenant_uuid"] == tenant["uuid"]:
            return context
    raise Problem(400, f"Input Error - field 'context': Context {name!r} was not found")


def check_range(context, ranges, exten):
    for limits in context[ranges]:
        # did_length says how many of the last digits of an incoming number count.
        length = limits.get("did_length") or len(limits["start"])
        if len(exten) == len(limits["start"]) and limits["start"][-length:] <= exten[-length:] <= limits["end"][-length:]:
            return
    raise Problem(400, f"Input Error - Extension {exten!r} is outside of the ranges of context {context['label']!r}")


def check_options(section, options):
    if not isinstance(options, list) or len(options) > 512 or not all(
            isinstance(pair, list) and len(pair) == 2 and all(isinstance(side, str) for side in pair)
            for pair in options):
        raise Problem(400, f"Input Error - {section}: a list of pairs of strings")


def check_account(options, others):
    """A SIP user name belongs to one endpoint."""
    name = dict(options).get("username")
    if name is not None and not re.fullmatch(r"[\w.+-]{1,64}", name, re.ASCII):
        raise Problem(400, "Input Error - auth_section_options: username has characters that the double cannot store")
    if name is not None and any(dict(e["auth_section_options"]).get("username") == name for e in others):
        raise Problem(400, f"Resource Error - SIP username {name!r} is taken")


def check_destination(confd, tenant, destination):
    kind = destination.get("type") if isinstance(destination, dict) else None
    if kind == "user":
        existing(confd, "confd_users", tenant, {"id": destination.get("user_id")})
    elif kind == "extension":
        for name in ("exten", "context"):
            # confd checks the extension, too, like the name of a context: no * and no #.
            if not re.fullmatch(r"[a-zA-Z0-9_-]{1,79}", str(destination.get(name, ""))):
                raise Problem(400, f"Input Error - destination: {name}: String does not match expected pattern.")
    elif kind == "custom":
        if not re.fullmatch(r"(?!(try)?system\()[a-zA-Z]{3,}\((.*)\)", str(destination.get("command", ""))):
            raise Problem(400, "Input Error - destination: command: String does not match expected pattern.")
    elif kind == "hangup":
        if destination.get("cause", "normal") not in ("busy", "congestion", "normal"):
            raise Problem(400, "Input Error - destination: cause: busy, congestion or normal")
    elif kind != "none":
        raise Problem(400, f"Input Error - destination: type {kind!r} is none that the double plays")


def check_setting(path, body, now):
    if path == "ha":
        if body.get("node_type") not in ("disabled", "master", "slave"):
            raise Problem(400, "Input Error - node_type: disabled, master or slave")
        try:
            if now["node_type"] != "disabled":
                ipaddress.ip_address(now["remote_address"])
        except ValueError as error:
            raise Problem(400, "Input Error - remote_address: an IP address") from error
    if path == "registrars/default":
        for name in ("main_host", "proxy_main_host"):
            if not isinstance(now[name], str) or not now[name]:
                raise Problem(400, f"Input Error - {name}: Not a valid string.")
    if path == "provisioning/networking" and not isinstance(now["provision_http_port"], int):
        raise Problem(400, "Input Error - provision_http_port: Not a valid integer.")


def ensure_templates(state, tenant):
    """The templates that confd makes for a tenant, under the uuids that the tenant names."""
    have = {t["uuid"] for t in state["templates"]}
    for label in TEMPLATES:
        key = tenant[f"{label}_sip_template_uuid"]
        if key not in have:
            base = [] if label == "global" else [{"uuid": tenant["global_sip_template_uuid"]}]
            state["templates"].append({
                "uuid": key, "tenant_uuid": tenant["uuid"], "name": label, "label": label, "templates": base,
                "transport": None, "asterisk_id": None, **{section: [] for section in SECTIONS},
                "endpoint_section_options": [["allow", "!all,ulaw"], ["direct_media", "no"]] if label == "global" else []})


def transports(state):
    if not state["transports"]:
        state["transports"] = [{"uuid": str(uuid.uuid4()), "name": name, "options": options}
                               for name, options in TRANSPORTS.items()]
    return state["transports"]


def owners(state, extension):
    """Yield the kind and the item that have an extension."""
    for kind in ("lines", "incalls", "outcalls"):
        for item in state[kind]:
            if extension in [e["id"] if isinstance(e, dict) else e for e in item["extensions"]]:
                yield kind, item


def numbers(state, keys):
    return [{name: e[name] for name in ("id", "exten", "context")} for key in keys for e in state["extensions"]
            if e["id"] == key]


def short_endpoint(state, item):
    key = (item["endpoint_sip"] or {}).get("uuid")
    return next(({name: e[name] for name in ("uuid", "name", "label", "auth_section_options")}
                 for e in state["endpoints"] if e["uuid"] == key), None)
