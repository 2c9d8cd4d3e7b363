"""Certificates: when each of them ends."""

import calendar
import glob
import os
import time

from command import output
from samples import sample


def collect(settings):
    """Files that do not exist are left out: which roles a machine has decides about that. One that is no certificate counts
    as ended."""
    for path in sorted({path for pattern in settings["paths"] for path in glob.glob(pattern)}):
        if os.path.isdir(path):
            continue
        try:
            text = output("openssl", "x509", "-noout", "-enddate", "-in", path).strip().removeprefix("notAfter=")
            end = calendar.timegm(time.strptime(text, "%b %d %H:%M:%S %Y GMT"))
        except (RuntimeError, ValueError):
            end = 0
        yield sample("calldata_certificate_end_seconds", end, path=path)
