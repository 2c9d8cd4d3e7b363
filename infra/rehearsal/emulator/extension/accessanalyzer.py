"""IAM Access Analyzer: not in moto at all, so it is answered in front of it."""

import json
from urllib.parse import parse_qs, unquote

from moto.core import DEFAULT_ACCOUNT_ID
from moto.core.utils import utcnow

from .hooks import store


class AccessAnalyzer:
    """WSGI application that answers requests signed for access-analyzer, and hands on all others."""

    def __init__(self, app):
        self.app = app

    def __call__(self, environ, start_response):
        authorization = environ.get("HTTP_AUTHORIZATION", "")
        if "/access-analyzer/" not in authorization:
            return self.app(environ, start_response)
        region = authorization.split("Credential=")[1].split("/")[2]
        length = int(environ.get("CONTENT_LENGTH") or 0)
        body = json.loads(environ["wsgi.input"].read(length) or b"{}")
        query = parse_qs(environ.get("QUERY_STRING", ""))
        answer = _answer(region, environ["REQUEST_METHOD"], unquote(environ["PATH_INFO"]), query, body)
        headers = [("Content-Type", "application/json")]
        if answer is None:
            start_response("404 Not Found", [*headers, ("x-amzn-ErrorType", "ResourceNotFoundException")])
            return [json.dumps({"message": "no such analyzer"}).encode()]
        start_response("200 OK", headers)
        return [json.dumps(answer).encode()]


def _answer(region, method, path, query, body):
    """The answer to a call, None when the analyzer does not exist."""
    analyzers = store("analyzers", DEFAULT_ACCOUNT_ID, region)
    tags = store("analyzer-tags", DEFAULT_ACCOUNT_ID, region)
    if path == "/analyzer" and method == "PUT":
        name = body["analyzerName"]
        arn = f"arn:aws:access-analyzer:{region}:{DEFAULT_ACCOUNT_ID}:analyzer/{name}"
        analyzers[name] = {
            "arn": arn,
            "name": name,
            "type": body["type"],
            "createdAt": utcnow().strftime("%Y-%m-%dT%H:%M:%SZ"),
            "status": "ACTIVE",
        }
        tags[arn] = body.get("tags") or {}
        return {"arn": arn}
    if path == "/analyzer":
        return {"analyzers": list(analyzers.values())}
    if path.startswith("/tags/"):
        arn = path.removeprefix("/tags/")
        if method == "POST":
            tags.setdefault(arn, {}).update(body["tags"])
        elif method == "DELETE":
            for key in query.get("tagKeys", []):
                tags.get(arn, {}).pop(key, None)
        return {"tags": tags.get(arn, {})} if method == "GET" else {}
    name = path.removeprefix("/analyzer/")
    if name not in analyzers:
        return None
    if method == "DELETE":
        del analyzers[name]
        return {}
    return {"analyzer": {**analyzers[name], "tags": tags.get(analyzers[name]["arn"], {})}}
