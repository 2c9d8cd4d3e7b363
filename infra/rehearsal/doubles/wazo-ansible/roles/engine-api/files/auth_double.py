"""The part of wazo-auth that playbooks and checks use: status, tokens, tenants, users, policies."""

import base64
import binascii
import datetime
import re
import secrets
import threading
import uuid

from http_double import Api, Problem
from store import check_password, hash_password

DEFAULT_LIFETIME = 7200  # seconds, as wazo-auth's


class Auth:
    """wazo-auth's API over a store. Tokens live in memory: a restart takes them back."""

    def __init__(self, store):
        self.store = store
        self.tokens = {}
        self.lock = threading.Lock()
        one = "([^/]+)"
        self.api = Api([
            # Wazo has HEAD only here; anything else is 405.
            ("HEAD", "/0.1/status", lambda call: (200, None)),
            ("GET", "/0.1/backends", lambda call: (200, {"data": ["wazo_user"]})),
            ("POST", "/0.1/token", self.make_token),
            ("GET", f"/0.1/token/{one}", self.get_token),
            ("HEAD", f"/0.1/token/{one}", self.check_token),
            ("DELETE", f"/0.1/token/{one}", self.delete_token),
            ("GET", "/0.1/tenants", self.list_tenants),
            ("POST", "/0.1/tenants", self.make_tenant),
            ("GET", f"/0.1/tenants/{one}", self.get_tenant),
            ("GET", "/0.1/users", self.list_users),
            ("POST", "/0.1/users", self.make_user),
            ("GET", "/0.1/policies", self.list_policies),
            ("POST", "/0.1/policies", self.make_policy),
            ("GET", f"/0.1/users/{one}/policies", self.list_user_policies),
            ("PUT", f"/0.1/users/{one}/policies/{one}", self.give_policy),
        ])

    # Who is asking.

    def require(self, call, need):
        """Answer the token of the call, or refuse. need is an access such as "auth.tenants.read"."""
        token = self.find(call.headers.get("X-Auth-Token", ""))
        if token is None:
            raise Problem(401, "Unauthorized")
        service = need.split(".", 1)[0]
        if not {"#", service + ".#", need} & set(token["acl"]):
            raise Problem(403, "Forbidden", need)
        return token

    def find(self, key):
        with self.lock:
            token = self.tokens.get(key)
            if token and token["expires"] <= datetime.datetime.now(datetime.timezone.utc):
                del self.tokens[key]
                token = None
            return token

    def make_token(self, call):
        name, password = credentials(call.headers.get("Authorization", ""))
        lifetime = call.json().get("expiration", DEFAULT_LIFETIME)
        if not isinstance(lifetime, int) or isinstance(lifetime, bool) or lifetime <= 0:
            raise Problem(400, "expiration must be a positive number of seconds")
        with self.store as state:
            user = next((u for u in state["users"] if u["username"] == name), None)
            if user is None or not check_password(password, user["password"]):
                raise Problem(401, "Authentication Failed")
            acl = [access for policy in state["policies"] if policy["uuid"] in user["policies"]
                   for access in policy["acl"]]
        now = datetime.datetime.now(datetime.timezone.utc)
        key = str(uuid.uuid4())
        token = {"user": user, "acl": acl, "issued": now, "expires": now + datetime.timedelta(seconds=lifetime)}
        with self.lock:
            self.tokens[key] = token
        return 200, {"data": self.show(key, token)}

    def show(self, key, token):
        user = token["user"]
        return {
            "token": key, "acl": token["acl"], "session_uuid": key, "auth_id": user["uuid"],
            "xivo_uuid": self.store.data["uuid"], "remote_addr": "",
            "utc_issued_at": token["issued"].replace(tzinfo=None).isoformat(),
            "utc_expires_at": token["expires"].replace(tzinfo=None).isoformat(),
            "metadata": {"uuid": user["uuid"], "tenant_uuid": user["tenant_uuid"], "auth_id": user["uuid"],
                         "purpose": user["purpose"]},
        }

    def get_token(self, call, key):
        token = self.find(key)
        if token is None:
            raise Problem(404, "No such token")
        return 200, {"data": self.show(key, token)}

    def check_token(self, call, key):
        if self.find(key) is None:
            raise Problem(404, "No such token")
        return 204, None

    def delete_token(self, call, key):
        with self.lock:
            self.tokens.pop(key, None)
        return 200, {"data": {"message": "success"}}

    # Tenants, users, policies.

    def list_tenants(self, call):
        self.require(call, "auth.tenants.read")
        with self.store as state:
            items = [t for t in state["tenants"] if call.query.get("search", "").lower() in (t["name"] or "").lower()]
            return 200, {"items": items, "total": len(state["tenants"]), "filtered": len(items)}

    def get_tenant(self, call, key):
        self.require(call, "auth.tenants.read")
        with self.store as state:
            return 200, find(state["tenants"], key, "tenant")

    def make_tenant(self, call):
        self.require(call, "auth.tenants.create")
        body = call.json()
        name, slug = body.get("name"), body.get("slug")
        if slug is not None and not re.fullmatch(r"[a-zA-Z0-9_]{1,10}", str(slug)):
            raise Problem(400, "slug: 1 to 10 of letters, digits and underscore")
        with self.store as state:
            taken = {t["slug"] for t in state["tenants"]}
            if slug in taken:
                raise Problem(409, f"slug: {slug} is taken")
            # Names need not be unique: a second run of the wizard's block makes a second tenant, as upstream does.
            tenant = new_tenant(name, slug or free_slug(taken), master(state)["uuid"])
            state["tenants"].append(tenant)
            return 200, tenant

    def list_users(self, call):
        self.require(call, "auth.users.read")
        with self.store as state:
            items = [shown(u) for u in state["users"] if call.query.get("search", "") in u["username"]]
            return 200, {"items": items, "total": len(state["users"]), "filtered": len(items)}

    def make_user(self, call):
        self.require(call, "auth.users.create")
        body = call.json()
        with self.store as state:
            tenant = call.headers.get("Wazo-Tenant") or body.get("tenant_uuid") or master(state)["uuid"]
            return 200, shown(add_user(state, body, find(state["tenants"], tenant, "tenant")["uuid"]))

    def list_policies(self, call):
        self.require(call, "auth.policies.read")
        with self.store as state:
            items = [p for p in state["policies"] if call.query.get("search", "") in p["name"]]
            return 200, {"items": items, "total": len(state["policies"]), "filtered": len(items)}

    def list_user_policies(self, call, user):
        self.require(call, "auth.users.policies.read")
        with self.store as state:
            held = find(state["users"], user, "user")["policies"]
            items = [p for p in state["policies"] if p["uuid"] in held]
            return 200, {"items": items, "total": len(items), "filtered": len(items)}

    def make_policy(self, call):
        self.require(call, "auth.policies.create")
        body = call.json()
        if not isinstance(body.get("name"), str) or not isinstance(body.get("acl", []), list):
            raise Problem(400, "name is required, acl is a list")
        with self.store as state:
            if any(p["name"] == body["name"] for p in state["policies"]):
                raise Problem(409, f"name: {body['name']} is taken")
            policy = {"uuid": str(uuid.uuid4()), "name": body["name"], "acl": body.get("acl", [])}
            state["policies"].append(policy)
            return 200, policy

    def give_policy(self, call, user, policy):
        self.require(call, "auth.users.policies.edit")
        with self.store as state:
            chosen = find(state["policies"], policy, "policy")["uuid"]
            held = find(state["users"], user, "user")["policies"]
            if chosen not in held:
                held.append(chosen)
            return 204, None


def credentials(header):
    """Read HTTP Basic credentials (RFC 7617)."""
    scheme, _, value = header.partition(" ")
    try:
        name, colon, password = base64.b64decode(value, validate=True).decode("utf-8").partition(":")
    except (binascii.Error, UnicodeDecodeError) as error:
        raise Problem(401, "Authentication Failed") from error
    if scheme.lower() != "basic" or not colon:
        raise Problem(401, "Authentication Failed")
    return name, password


def find(items, key, kind):
    for item in items:
        if item["uuid"] == key:
            return item
    raise Problem(404, f"No such {kind}")


def master(state):
    return next(t for t in state["tenants"] if t["slug"] == "master")


def free_slug(taken):
    while True:
        slug = secrets.token_hex(3)[:5]
        if slug not in taken:
            return slug


def new_tenant(name, slug, parent):
    key = str(uuid.uuid4())
    made = datetime.datetime.now(datetime.timezone.utc).isoformat()
    return {"uuid": key, "name": name, "slug": slug, "parent_uuid": parent or key, "created": made,
            **{f"{name}_sip_template_uuid": str(uuid.uuid4()) for name in
               ("global", "webrtc", "meeting_guest", "registration_trunk", "twilio_trunk")}}


def add_user(state, body, tenant):
    """Make a login from a body, or refuse: names are unique in the engine."""
    for key in ("username", "password"):
        if not isinstance(body.get(key), str) or not body[key]:
            raise Problem(400, f"{key} is required")
    if body.get("purpose", "user") not in ("user", "internal", "external_api"):
        raise Problem(400, "purpose: user, internal or external_api")
    if any(u["username"] == body["username"] for u in state["users"]):
        raise Problem(409, f"username: {body['username']} is taken")
    user = new_user(body["username"], body["password"], body.get("purpose", "user"), tenant)
    user["uuid"] = body.get("uuid") or user["uuid"]
    state["users"].append(user)
    return user


def new_user(name, password, purpose, tenant):
    return {"uuid": str(uuid.uuid4()), "username": name, "password": hash_password(password), "purpose": purpose,
            "tenant_uuid": tenant, "policies": []}


def shown(user):
    return {key: value for key, value in user.items() if key not in ("password", "policies")}


def bootstrap(state, root_password):
    """What the wizard makes in wazo-auth: the master tenant, and user root who may do everything."""
    tenant = new_tenant("master", "master", None)
    everything = {"uuid": str(uuid.uuid4()), "name": "wazo_default_master_user_policy", "acl": ["#"]}
    root = new_user("root", root_password, "user", tenant["uuid"])
    root["policies"].append(everything["uuid"])
    state["tenants"].append(tenant)
    state["policies"].append(everything)
    state["users"].append(root)
