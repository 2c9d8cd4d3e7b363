"""A small JSON-over-HTTP server for the rehearsal's double of a Wazo engine."""

import http.server
import json
import logging
import re
import urllib.parse

log = logging.getLogger("http")

MAX_BODY = 1 << 20


class Problem(Exception):
    """An answer other than success."""

    def __init__(self, code, *reasons):
        super().__init__(code, *reasons)
        self.code, self.reasons = code, list(reasons)


class Call:
    """One request, as the handlers see it."""

    def __init__(self, method, path, query, headers, body):
        self.method, self.path, self.query, self.headers, self.body = method, path, query, headers, body

    def json(self):
        try:
            value = json.loads(self.body or b"{}")
        except ValueError as error:
            raise Problem(400, f"the body is not JSON: {error}") from error
        if not isinstance(value, dict):
            raise Problem(400, "the body is not a JSON object")
        return value


class Api:
    """Routes: a list of (method, pattern, handler). Handlers take the call and the pattern's groups, and answer
    (code, value)."""

    def __init__(self, routes):
        self.routes = [(method, re.compile(pattern), handler) for method, pattern, handler in routes]

    def handle(self, call):
        allowed = set()
        for method, pattern, handler in self.routes:
            match = pattern.fullmatch(call.path)
            if match and method == call.method:
                return handler(call, *match.groups())
            if match:
                allowed.add(method)
        if allowed:
            raise Problem(405, "Method Not Allowed")
        raise Problem(404, "The requested URL was not found on the server.")


def serve(address, api):
    """Make a server for the API. The caller runs serve_forever."""

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        server_version = "WazoDouble/1"
        sys_version = ""

        def answer(self):
            split = urllib.parse.urlsplit(self.path)
            try:
                length = int(self.headers.get("Content-Length") or 0)
            except ValueError:
                length = -1
            if not 0 <= length <= MAX_BODY:
                self.close_connection = True
                self.send(413, ["the body is too large"])
                return
            call = Call(self.command, split.path, dict(urllib.parse.parse_qsl(split.query)), self.headers,
                        self.rfile.read(length))
            try:
                code, value = api.handle(call)
            except Problem as problem:
                code, value = problem.code, problem.reasons
            except Exception:
                log.exception("%s %s", self.command, split.path)
                code, value = 500, ["Internal Server Error"]
            self.send(code, value)

        def send(self, code, value):
            data = b"" if value is None else json.dumps(value).encode()
            self.send_response(code)
            if value is not None:
                self.send_header("Content-Type", "application/json")
            if code != 204:
                self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(data)

        do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = answer  # noqa: N815

        def log_message(self, format, *args):  # noqa: A002
            # Tokens are part of some paths: they do not belong into a log.
            log.info("%s", re.sub(r"(/token/)[^ /?]+", r"\1XXX", format % args))

    server = http.server.ThreadingHTTPServer(address, Handler)
    server.daemon_threads = True
    return server
