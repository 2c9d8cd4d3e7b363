"""Serve moto with the extension: python -m extension HOST PORT.

Port 0 takes a free one. The first line on standard output is {"port": N}, once connections are accepted.
"""

import importlib
import json
import signal
import sys

from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import make_server

from . import lifecycle
from .accessanalyzer import AccessAnalyzer

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
    """What time alone changes has changed before a request is answered."""

    def call(environ, start_response):
        lifecycle.advance()
        return app(environ, start_response)

    return call


def main(host, port):
    for name in SERVICES:
        importlib.import_module("." + name, __package__)
    app = present(AccessAnalyzer(DomainDispatcherApplication(create_backend_app)))
    server = make_server(host, port, app, threaded=True)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    print(json.dumps({"port": server.server_port}), flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
