"""Serve moto with the extension: python -m extension HOST PORT.

Port 0 takes a free one. The first line on standard output is {"port": N}, once connections are accepted.
"""

import importlib
import io
import json
import signal
import sys

from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import make_server

from . import lifecycle
from .absent import Absent
from .retries import Retries

SERVICES = (
    "account",
    "addresses",
    "autoscaling",
    "backup",
    "budgets",
    "cloudtrail",
    "cloudwatch",
    "console",
    "costexplorer",
    "ec2",
    "elbv2",
    "guardduty",
    "logs",
    "motoapi",
    "rds",
    "refresh",
    "roles",
    "route53",
    "s3",
    "securityhub",
    "ssm",
    "volumes",
)


def present(app):
    """What time alone changes has changed before a request is answered, and requests are answered one after the other.

    moto has no locks: a list that a second request changes ends the first in a 500 after half of its work, and the caller's
    second try then finds what the first one made.
    """

    def call(environ, start_response):
        whole(environ)
        with lifecycle.LOCK:
            lifecycle.advance()
            return app(environ, start_response)

    return call


def whole(environ):
    """Read the body before it is the request's turn: a machine that dies while it sends holds nobody up."""
    if environ.get("CONTENT_LENGTH"):
        environ["wsgi.input"] = io.BytesIO(environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"])))


def main(host, port):
    for name in SERVICES:
        importlib.import_module("." + name, __package__)
    app = present(Retries(Absent(DomainDispatcherApplication(create_backend_app))))
    server = make_server(host, port, app, threaded=True)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    print(json.dumps({"port": server.server_port}), flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
