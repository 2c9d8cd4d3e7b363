#!/usr/bin/python3
"""Double of wazo-setupd for a rehearsal: the first setup of an engine, without authentication, once.

It hands over to wazo-confd's wizard and stops itself ten seconds after success, so that nginx answers 502 from then on.
"""

import http.client
import json
import logging
import re
import sys
import threading

sys.path.insert(0, "/usr/local/lib/wazo-double")

from http_double import Api, Problem, serve  # noqa: E402

ADDRESS = ("127.0.0.1", 9302)
CONFD = ("127.0.0.1", 9486)
STOP_DELAY = 10.0  # seconds, as wazo-setupd's self_stop_delay


def confd(method, path, body=None):
    connection = http.client.HTTPConnection(*CONFD, timeout=60)
    try:
        connection.request(method, path, json.dumps(body) if body is not None else None,
                           {"Content-Type": "application/json"})
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read() or b"null")
    except OSError as error:
        raise Problem(503, f"wazo-confd does not answer: {error}") from error
    finally:
        connection.close()


def check(body):
    """Answer every reason for which the setup must be refused."""
    wrong = []
    if body.get("engine_language") not in ("en_US", "fr_FR"):
        wrong.append("engine_language: en_US or fr_FR")
    if not isinstance(body.get("engine_password"), str) or not re.fullmatch(r"[!-}]{4,64}", body["engine_password"]):
        wrong.append("engine_password: 4 to 64 characters, no space and no tilde")
    if body.get("engine_license") is not True:
        wrong.append("engine_license: must be true")
    known = {"engine_language", "engine_password", "engine_license", "engine_internal_address", "engine_instance_uuid",
             "engine_rtp_icesupport", "engine_rtp_stunaddr"}
    wrong += [f"{name}: not a field that this double knows" for name in sorted(set(body) - known)]
    return wrong


class Setupd:
    """wazo-setupd's API. stop is called some time after the first success."""

    def __init__(self, stop):
        self.stop = stop
        self.api = Api([("POST", "/1.0/setup", self.setup)])

    def setup(self, call):
        body = call.json()
        if wrong := check(body):
            raise Problem(400, *wrong)
        _, wizard = confd("GET", "/1.1/wizard")
        if not wizard["configured"]:
            code, answer = confd("POST", "/1.1/wizard", {
                "admin_password": body["engine_password"], "language": body["engine_language"], "license": True})
            if code != 200:
                raise Problem(500, f"wazo-confd answered {code}", *(answer or []))
        timer = threading.Timer(STOP_DELAY, self.stop)
        timer.daemon = True
        timer.start()
        return 201, {}


def main():
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s")
    # The server is not there yet when its API is made: the stop looks it up when it is called.
    holder = {}
    holder["server"] = serve(ADDRESS, Setupd(lambda: holder["server"].shutdown()).api)
    holder["server"].serve_forever()
    logging.info("set up: stopping")


if __name__ == "__main__":
    main()
