"""The dialplan that follows from what confd's double remembers: tables for Kamailio, in the format of its module db_text.

A context is a number for Kamailio's module dialplan. Its rules are the context's own extensions first, then those of the
contexts that it includes, as in Asterisk. What a rule does stands in its attributes, which kamailio.cfg reads.
"""

import hashlib
import ipaddress
import re

REALM = "asterisk"
# Every internal context includes this one (Wazo's feature codes).
FEATURES = "xivo-features"
HEADERS = {
    "subscriber": "username(string) domain(string,null) ha1(string) endpoint(string)",
    "endpoint": "key_name(string) key_type(int) value_type(int) key_value(string) expires(int)",
    "address": "id(int) grp(int) ip_addr(string) mask(int) port(int) tag(string)",
    "dialplan": "id(int) dpid(int) pr(int) match_op(int) match_exp(string) match_len(int) subst_exp(string) "
                "repl_exp(string) attrs(string)",
}
EQUAL, REGEX = 0, 1  # match_op of Kamailio's module dialplan
NOT_FOUND = 'do=refuse;code=404;reason="Not Found"'
CAUSES = {  # what Asterisk answers before it has answered the call
    "busy": 'do=refuse;code=486;reason="Busy Here"',
    "congestion": 'do=refuse;code=503;reason="Service Unavailable"',
    "normal": 'do=refuse;code=603;reason="Decline"',
}


def answered_extensions(directory):
    """Read the dialplan files: which extensions of each context are answered, by Echo() or by Wait()."""
    found = {}
    for path in sorted(directory.glob("*.conf")):
        context = exten = None
        for line in path.read_text(encoding="utf-8").splitlines():
            line = line.split(";", 1)[0].strip()
            if section := re.fullmatch(r"\[([^\]]+)\](\(\+\))?", line):
                context, exten = section[1], None
                continue
            step = re.fullmatch(r"(exten|same)\s*=>?\s*(.*)", line)
            if not step or context is None:
                continue
            parts = step[2].split(",", 2)
            if step[1] == "exten":
                exten, application = parts[0].strip(), parts[-1]
            else:
                application = step[2].split(",", 1)[-1]
            if exten and (name := re.match(r"\s*(Echo|Wait)\(", application)):
                found.setdefault(context, {})[exten] = "do=echo" if name[1] == "Echo" else "do=answer"
    return found


def as_regex(pattern):
    """Turn an extension of Asterisk, a pattern when it begins with an underscore, into (match_op, expression)."""
    if not pattern.startswith("_"):
        return EQUAL, pattern
    special = {"X": "[0-9]", "Z": "[1-9]", "N": "[2-9]", ".": ".+", "!": ".*", "-": ""}
    out = []
    for token in re.findall(r"\[[^\]]*\]|.", pattern[1:]):
        if token.startswith("[") and len(token) > 1:
            out.append(token)
        else:
            out.append(special.get(token.upper() if token in "xzn" else token, re.escape(token)))
    return REGEX, "^" + "".join(out) + "$"


def options(endpoint, section):
    return endpoint.get(section + "_section_options") or []


def option(endpoint, section, name):
    return dict(options(endpoint, section)).get(name)


class Dialplan:
    """The tables, made from a state and the extensions of the dialplan files."""

    def __init__(self, state, answered):
        self.state, self.answered = state, answered
        self.contexts = {context["name"]: context for context in state["contexts"]}
        self.endpoints = {endpoint["uuid"]: endpoint for endpoint in state["endpoints"]}
        self.trunks = {trunk["id"]: trunk for trunk in state["trunks"]}
        self.lines = {line["id"]: line for line in state["lines"]}

    def tables(self):
        """Answer the text of every table by its name."""
        rows = {name: [] for name in HEADERS}
        for line in self.state["lines"]:
            self.account(rows, line)
        for trunk in self.state["trunks"]:
            self.addresses(rows["address"], trunk)
        for context in self.state["contexts"]:
            for priority, (exten, does, strip, prefix) in enumerate(self.rules(context), 1):
                operation, expression = as_regex(exten)
                rows["dialplan"].append([len(rows["dialplan"]) + 1, context["id"], priority, operation, expression, 0,
                                         "^.{%d}(.*)$" % strip, prefix + "\\1", does])
        return {name: "\n".join([HEADERS[name], *(":".join(map(escape, row)) for row in table)]) + "\n"
                for name, table in rows.items()}

    def account(self, rows, line):
        endpoint = self.endpoints.get((line.get("endpoint_sip") or {}).get("uuid"))
        context = self.contexts.get(line["context"])
        if endpoint is None or context is None:
            return
        rows["endpoint"].append([endpoint["name"], 0, 0, context["id"], 0])
        name, password = option(endpoint, "auth", "username"), option(endpoint, "auth", "password")
        if name is None or password is None:
            return
        ha1 = hashlib.md5(f"{name}:{REALM}:{password}".encode(), usedforsecurity=False).hexdigest()
        rows["subscriber"].append([name, "", ha1, endpoint["name"]])

    def addresses(self, rows, trunk):
        endpoint = self.endpoints.get((trunk.get("endpoint_sip") or {}).get("uuid"))
        context = self.contexts.get(trunk.get("context"))
        if endpoint is None or context is None:
            return
        for key, value in options(endpoint, "identify"):
            for text in value.split(",") if key == "match" else ():
                try:
                    network = ipaddress.ip_network(text.strip(), strict=False)
                except ValueError:
                    continue  # a host name: the double does not ask DNS
                rows.append([len(rows) + 1, 1, network.network_address, network.prefixlen, 0, context["id"]])

    def rules(self, context):
        """Yield (extension, what it does, digits to strip, prefix) in the order of precedence."""
        seen, names = set(), [context["name"]]
        while names:
            name = names.pop(0)
            if name in seen:
                continue
            seen.add(name)
            yield from sorted(self.own_rules(name), key=lambda rule: rule[0].startswith("_"))
            included = self.contexts.get(name, {})
            by_id = {c["id"]: c["name"] for c in self.state["contexts"]}
            names += [by_id[i] for i in included.get("contexts", []) if i in by_id]
            if included.get("type") == "internal":
                names.append(FEATURES)

    def own_rules(self, name):
        for exten, does in sorted(self.answered.get(name, {}).items()):
            yield exten, does, 0, ""
        for extension in self.state["extensions"]:
            if extension["context"] != name:
                continue
            for line in self.state["lines"]:
                if extension["id"] in line["extensions"]:
                    yield extension["exten"], self.line(line), 0, ""
            for incall in self.state["incalls"]:
                if extension["id"] in incall["extensions"]:
                    yield extension["exten"], self.destination(incall["destination"]), 0, ""
            for outcall in self.state["outcalls"]:
                for way in outcall["extensions"]:
                    if way["id"] == extension["id"]:
                        yield (extension["exten"], self.trunk(outcall, way), way.get("strip_digits") or 0,
                               way.get("prefix") or "")

    def line(self, line):
        endpoint = self.endpoints.get((line.get("endpoint_sip") or {}).get("uuid"))
        user = next((u for u in self.state["confd_users"] if line["id"] in u["lines"]), None)
        if endpoint is None or user is None:
            return NOT_FOUND
        # Wazo takes 0 for "no limit"; a day is one here.
        return f"do=line;name={endpoint['name']};ring={user.get('ring_seconds', 30) or 86400}"

    def trunk(self, outcall, way):
        hosts = []
        for key in outcall["trunks"]:
            endpoint = self.endpoints.get((self.trunks.get(key, {}).get("endpoint_sip") or {}).get("uuid"))
            contact = option(endpoint, "aor", "contact") if endpoint else None
            if contact and (uri := re.fullmatch(r"sips?:(?:[^@;]*@)?([\w.:\[\]-]+)(?:;.*)?", contact, re.ASCII)):
                hosts.append(uri[1])
        if not hosts:
            return CAUSES["congestion"]
        return f"do=trunk;to={'/'.join(hosts)};from={way.get('caller_id') or ''}"

    def destination(self, destination):
        kind = destination["type"]
        if kind == "user":
            user = next((u for u in self.state["confd_users"] if u["id"] == destination["user_id"]), None)
            if user and user["lines"] and user["lines"][0] in self.lines:
                return self.line(self.lines[user["lines"][0]])
        elif kind == "extension":
            return self.resolve(destination["context"], destination["exten"])
        elif kind == "custom":
            goto = re.fullmatch(r"Goto\(([\w-]+),([0-9*#]+),1\)", destination["command"])
            if goto:
                return self.resolve(goto[1], goto[2])
        elif kind == "hangup":
            return CAUSES[destination.get("cause", "normal")]
        return NOT_FOUND

    def resolve(self, name, exten):
        context = self.contexts.get(name)
        rules = self.rules(context) if context else ((e, d, 0, "") for e, d in self.answered.get(name, {}).items())
        # An incoming call does not leave again: what a DID may reach are extensions, not outgoing routes.
        return next((does for pattern, does, _, _ in rules if pattern == exten), NOT_FOUND)


def escape(value):
    text = str(value)
    for plain, escaped in (("\\", "\\\\"), (":", "\\:"), ("\n", "\\n"), ("\r", "\\r"), ("\t", "\\t")):
        text = text.replace(plain, escaped)
    return text
