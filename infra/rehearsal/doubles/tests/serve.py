"""Serves the doubles' APIs on free ports of loopback, for tests in other languages: prints {"auth": port, "confd": port,
"setupd": port} and ends with its standard input."""

import json
import sys
import tempfile
import threading

from support import Engine

import confd_double
import http_double
import setupd_double

confd_double.TENANT_DELAY = 0.2
with tempfile.TemporaryDirectory() as directory:
    engine = Engine(directory)
    (engine.dialplan / "features.conf").write_text("[xivo-features]\nexten = *12,1,Answer()\nsame = n,Wait(9)\n",
                                                   encoding="utf-8")
    setupd_double.CONFD = engine.confd
    setupd = http_double.serve(("127.0.0.1", 0), setupd_double.Setupd(lambda: None).api)
    threading.Thread(target=setupd.serve_forever, daemon=True).start()
    print(json.dumps({"auth": engine.auth[1], "confd": engine.confd[1], "setupd": setupd.server_address[1],
                      "directory": directory}), flush=True)
    sys.stdin.read()
