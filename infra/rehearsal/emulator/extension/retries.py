"""A request that a client sends again is carried out once.

A client that cannot read an answer to its end asks again, and finds what its first try has made. On a busy machine that
happens to Go's SDK: it closes a connection when the answer overtakes the end of its own writing (aws-sdk-go-v2, issue 2737).
AWS answers from so far away that hardly anybody sees it; the emulator is near.
"""

from collections import OrderedDict

# Answers that are kept. A client asks again within seconds.
KEPT = 1000


class Retries:
    """WSGI application that gives a later attempt of an invocation the answer of the earlier one, if that succeeded.

    SDKs say with `amz-sdk-invocation-id` which attempts belong together. Calls that only read by their method are carried out
    again.
    """

    def __init__(self, app):
        self.app = app
        self.answers = OrderedDict()

    def __call__(self, environ, start_response):
        invocation = environ.get("HTTP_AMZ_SDK_INVOCATION_ID")
        if not invocation or environ["REQUEST_METHOD"] in ("GET", "HEAD"):
            return self.app(environ, start_response)
        if invocation in self.answers:
            status, headers, body = self.answers[invocation]
        else:
            status, headers, body = self.carry_out(environ)
            if status.startswith("2"):
                self.answers[invocation] = status, headers, body
                while len(self.answers) > KEPT:
                    self.answers.popitem(last=False)
        start_response(status, headers)
        return [body]

    def carry_out(self, environ):
        begun = []
        chunks = self.app(environ, lambda status, headers, exc_info=None: begun.append((status, headers)))
        try:
            body = b"".join(chunks)
        finally:
            if hasattr(chunks, "close"):
                chunks.close()
        return *begun[-1], body
