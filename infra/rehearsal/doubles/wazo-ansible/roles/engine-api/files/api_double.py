#!/usr/bin/python3
"""Double of wazo-auth and wazo-confd for a rehearsal: their HTTP APIs on their ports, on loopback, over one state.

SIGHUP reads the dialplan anew, as `asterisk -rx "dialplan reload"` would.
"""

import logging
import signal
import threading

from auth_double import Auth
from confd_double import Confd
from http_double import serve
from store import Store

AUTH_ADDRESS = ("127.0.0.1", 9497)
CONFD_ADDRESS = ("127.0.0.1", 9486)


def main():
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s")
    store = Store()
    auth = Auth(store)
    servers = [serve(AUTH_ADDRESS, auth.api), serve(CONFD_ADDRESS, Confd(store, auth).api)]
    for server in servers:
        threading.Thread(target=server.serve_forever, daemon=True).start()
    logging.info("wazo-auth on %s:%d, wazo-confd on %s:%d", *AUTH_ADDRESS, *CONFD_ADDRESS)
    wanted = {signal.SIGHUP, signal.SIGTERM, signal.SIGINT}
    while (number := signal.sigwait(wanted)) == signal.SIGHUP:
        try:
            store.save()
            logging.info("dialplan reloaded")
        except (OSError, UnicodeDecodeError):
            logging.exception("dialplan not reloaded")
    logging.info("stopping on %s", signal.Signals(number).name)


if __name__ == "__main__":
    # Before any thread starts, so that every thread leaves the signals to sigwait.
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGHUP, signal.SIGTERM, signal.SIGINT})
    main()
