"""Serve moto with the extension: python -m extension HOST PORT.

Port 0 takes a free one. The first line on standard output is {"port": N}, once connections are accepted.
"""

import importlib
import json
import signal
import sys

from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from waitress import create_server

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
    "motoapi",
    "rds",
    "refresh",
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
        # moto reads the path as it was sent, under the name that werkzeug's server has for it.
        environ["RAW_URI"] = environ["REQUEST_URI"]
        return app(environ, start_response)

    return call


def main(host, port):
    for name in SERVICES:
        importlib.import_module("." + name, __package__)
    app = present(AccessAnalyzer(DomainDispatcherApplication(create_backend_app)))
    # werkzeug's server, moto's own, closes the connection after each answer. Under load, a client then finds the
    # connection closed in the middle of an answer every few thousand calls.
    server = create_server(app, host=host, port=port, threads=32, connection_limit=1000, channel_timeout=3600)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    print(json.dumps({"port": int(server.effective_port)}), flush=True)
    server.run()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
