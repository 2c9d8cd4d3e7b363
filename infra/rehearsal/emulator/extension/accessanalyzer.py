"""IAM Access Analyzer.

Source: IAM Access Analyzer API Reference.
"""

from moto.core import DEFAULT_ACCOUNT_ID
from moto.core.utils import utcnow

from .hooks import store
from .refused import Refused


def answer(region, method, path, query, body):
    """The answer to a call."""
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
        raise Refused("404 Not Found", "ResourceNotFoundException", "no such analyzer")
    if method == "DELETE":
        del analyzers[name]
        return {}
    return {"analyzer": {**analyzers[name], "tags": tags.get(analyzers[name]["arn"], {})}}
