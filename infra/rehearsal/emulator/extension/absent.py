"""Services that are not in moto at all: they are answered in front of it."""

import json
from urllib.parse import parse_qs, unquote

from . import accessanalyzer, chatbot
from .refused import Refused

# What answers for each, by the name that requests are signed for.
ANSWERS = {"access-analyzer": accessanalyzer.answer, "chatbot": chatbot.answer}


class Absent:
    """WSGI application that answers requests signed for these services, and hands on all others."""

    def __init__(self, app):
        self.app = app

    def __call__(self, environ, start_response):
        scope = environ.get("HTTP_AUTHORIZATION", "").partition("Credential=")[2].split("/")
        answer = ANSWERS.get(scope[3]) if len(scope) > 3 else None
        if answer is None:
            return self.app(environ, start_response)
        length = int(environ.get("CONTENT_LENGTH") or 0)
        body = json.loads(environ["wsgi.input"].read(length) or b"{}")
        query = parse_qs(environ.get("QUERY_STRING", ""))
        headers = [("Content-Type", "application/json")]
        try:
            found = answer(scope[2], environ["REQUEST_METHOD"], unquote(environ["PATH_INFO"]), query, body)
        except Refused as refused:
            start_response(refused.status, [*headers, ("x-amzn-ErrorType", refused.kind)])
            return [json.dumps({"message": str(refused)}).encode()]
        start_response("200 OK", headers)
        return [json.dumps(found).encode()]
