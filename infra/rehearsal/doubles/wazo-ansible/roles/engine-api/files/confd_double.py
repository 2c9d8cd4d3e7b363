"""The part of wazo-confd that playbooks and checks use: wizard, tenants, contexts, users with lines, SIP endpoints."""

import datetime
import re
import uuid

import auth_double
from http_double import Api, Problem

# confd hears of a new tenant over the message bus: callers have to wait a moment. Seconds.
TENANT_DELAY = 1.0


class Confd:
    """wazo-confd's API over a store, with wazo-auth to check tokens."""

    def __init__(self, store, auth):
        self.store, self.auth = store, auth
        one = "([^/]+)"
        self.api = Api([
            ("GET", "/1.1/wizard", self.get_wizard),
            ("POST", "/1.1/wizard", self.run_wizard),
            ("GET", "/1.1/infos", self.infos),
            ("GET", "/1.1/status", self.status),
            ("GET", f"/1.1/tenants/{one}", self.get_tenant),
            ("GET", "/1.1/contexts", self.list_contexts),
            ("POST", "/1.1/contexts", self.make_context),
            ("GET", "/1.1/users", self.list_users),
            ("POST", "/1.1/users", self.make_user),
            ("GET", "/1.1/endpoints/sip", self.list_endpoints),
            ("GET", f"/1.1/endpoints/sip/{one}", self.get_endpoint),
            ("PUT", f"/1.1/endpoints/sip/{one}", self.change_endpoint),
        ])

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
            return 200, {name: tenant[name] for name in
                         ("uuid", "slug", "global_sip_template_uuid", "webrtc_sip_template_uuid")}

    # Contexts.

    def list_contexts(self, call):
        with self.store as state:
            tenant = self.tenant(call, "confd.contexts.read")
            return 200, listing(state["contexts"], tenant, call.query, ("name", "label"))

    def make_context(self, call):
        body = call.json()
        if body.get("type") not in ("internal", "incall", "outcall", "services", "others"):
            raise Problem(400, "Input Error - type: internal, incall, outcall, services or others")
        ranges = body.get("user_ranges", [])
        for limits in ranges:
            if not all(re.fullmatch(r"\d+", str(limits.get(side, ""))) for side in ("start", "end")) \
                    or len(limits["start"]) != len(limits["end"]) or limits["start"] > limits["end"]:
                raise Problem(400, f"Input Error - user_ranges: {limits}")
        with self.store as state:
            tenant = self.tenant(call, "confd.contexts.create")
            context = {
                "id": self.store.next_id(), "uuid": str(uuid.uuid4()), "tenant_uuid": tenant["uuid"],
                "label": body.get("label"), "type": body["type"], "user_ranges": ranges, "enabled": True,
            }
            # The server makes the name: callers must use the one that comes back.
            context["name"] = f"ctx-{tenant['slug']}-{context['type']}-{context['uuid']}"
            state["contexts"].append(context)
            return 201, context

    # Users with their lines.

    def list_users(self, call):
        with self.store as state:
            tenant = self.tenant(call, "confd.users.read")
            return 200, listing(state["confd_users"], tenant, call.query, ("firstname", "lastname"))

    def make_user(self, call):
        """Make a user with lines, endpoints and extensions in one call: all of it, or nothing."""
        body = call.json()
        if not isinstance(body.get("firstname"), str) or not body["firstname"]:
            raise Problem(400, "Input Error - firstname: Missing data for required field.")
        with self.store as state:
            tenant = self.tenant(call, "confd.users.create")
            made = {"lines": [], "endpoints": [], "extensions": []}
            for line in body.get("lines", []):
                self.plan_line(state, tenant, line, made)
            user = {"id": self.store.next_id(), "uuid": str(uuid.uuid4()), "tenant_uuid": tenant["uuid"],
                    "firstname": body["firstname"], "lastname": body.get("lastname"), "lines": made["lines"]}
            for kind, items in made.items():
                state[kind].extend(items)
            state["confd_users"].append(user)
            return 201, user

    def plan_line(self, state, tenant, line, made):
        context = next((c for c in state["contexts"]
                        if c["name"] == line.get("context") and c["tenant_uuid"] == tenant["uuid"]), None)
        if context is None:
            raise Problem(400, f"Input Error - field 'context': Context {line.get('context')!r} was not found")
        endpoint = self.plan_endpoint(state, tenant, line.get("endpoint_sip") or {}, made)
        number = self.store.next_id()
        extensions = []
        for wanted in line.get("extensions", []):
            exten = str(wanted.get("exten", ""))
            if not any(len(r["start"]) == len(exten) and r["start"] <= exten <= r["end"] for r in context["user_ranges"]):
                raise Problem(400, f"Input Error - extension {exten!r} is outside of the ranges of {context['label']!r}")
            if any(e["exten"] == exten and e["context"] == context["name"]
                   for e in state["extensions"] + made["extensions"]):
                raise Problem(400, f"Resource Error - Extension {exten} already exists in {context['label']!r}")
            extension = {"id": self.store.next_id(), "exten": exten, "context": context["name"]}
            extensions.append(extension)
            made["extensions"].append(extension)
        made["endpoints"].append(endpoint)
        made["lines"].append({"id": number, "context": context["name"], "tenant_uuid": tenant["uuid"],
                              "extensions": extensions,
                              "endpoint_sip": {"uuid": endpoint["uuid"], "name": endpoint["name"]}})

    def plan_endpoint(self, state, tenant, wanted, made):
        options = wanted.get("auth_section_options", [])
        check_auth(options, state["endpoints"] + made["endpoints"])
        key = str(uuid.uuid4())
        name = wanted.get("name") or key[:8]
        if any(e["name"] == name for e in state["endpoints"] + made["endpoints"]):
            raise Problem(400, f"Resource Error - SIPEndpoint already exists ('name': '{name}')")
        for template in wanted.get("templates", []):
            if template.get("uuid") not in (tenant["global_sip_template_uuid"], tenant["webrtc_sip_template_uuid"]):
                raise Problem(400, f"Input Error - template {template.get('uuid')!r} was not found")
        return {"uuid": key, "name": name, "label": wanted.get("label"), "tenant_uuid": tenant["uuid"],
                "auth_section_options": options, "templates": wanted.get("templates", [])}

    def list_endpoints(self, call):
        with self.store as state:
            tenant = self.tenant(call, "confd.endpoints.sip.read")
            return 200, listing(state["endpoints"], tenant, call.query, ("name", "label"))

    def endpoint(self, state, tenant, key):
        for item in state["endpoints"]:
            if item["uuid"] == key and item["tenant_uuid"] == tenant["uuid"]:
                return item
        raise Problem(404, f"Resource Not Found - SIPEndpoint was not found ('uuid': '{key}')")

    def get_endpoint(self, call, key):
        with self.store as state:
            return 200, self.endpoint(state, self.tenant(call, "confd.endpoints.sip.read"), key)

    def change_endpoint(self, call, key):
        body = call.json()
        with self.store as state:
            item = self.endpoint(state, self.tenant(call, "confd.endpoints.sip.update"), key)
            if "auth_section_options" in body:
                check_auth(body["auth_section_options"], [e for e in state["endpoints"] if e is not item])
            item.update({name: body[name] for name in ("label", "auth_section_options") if name in body})
            return 204, None


def check_auth(options, others):
    """Options are pairs of strings; a SIP user name belongs to one endpoint."""
    if not isinstance(options, list) or not all(
            isinstance(pair, list) and len(pair) == 2 and all(isinstance(side, str) for side in pair)
            for pair in options):
        raise Problem(400, "Input Error - auth_section_options: a list of pairs of strings")
    name = dict(options).get("username")
    if name is not None and not re.fullmatch(r"[\w.+-]{1,64}", name, re.ASCII):
        raise Problem(400, "Input Error - auth_section_options: username has characters that the double cannot store")
    if name is not None and any(dict(e["auth_section_options"]).get("username") == name for e in others):
        raise Problem(400, f"Resource Error - SIP username {name!r} is taken")


def listing(items, tenant, query, columns):
    """A page of the tenant's items, as confd answers it."""
    own = [item for item in items if item["tenant_uuid"] == tenant["uuid"]]
    search = query.get("search", "").lower()
    hits = [item for item in own if any(search in str(item.get(column) or "").lower() for column in columns)]
    return {"items": hits, "total": len(hits)}
