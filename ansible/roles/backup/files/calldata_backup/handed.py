"""Backups of another bucket, handed over: a file with a URL for each object, which somebody who may read them has signed.

The machine itself gets no permission. A URL is good for reading one object, and only for a time.
"""

import contextlib
import http.client
import json
import os
import re
import ssl
import time
import urllib.error
import urllib.request
import xml.etree.ElementTree

from .store import ATTEMPTS, Body, Forbidden, Missing
from .system import Failure, Refusal

# What S3 is to be asked again after, of what it answers. Source: Amazon S3 API Reference, "Error responses".
PASSING = (500, 502, 503, 504)
# What urllib takes. Of what it does not take, its errors have the text.
URL = re.compile(r"https?://[!-~]+")
# Seconds before a request is repeated for the first time; then twice as long each time.
PAUSE = 1
# Seconds that the server may be silent.
SILENCE = 60

HEADERS = {"Range": "Range", "IfMatch": "If-Match"}
BROKEN = (OSError, http.client.HTTPException)


class Handed:
    """The objects of the file: {"where": TEXT, "objects": {KEY: URL}}."""

    def __init__(self, name):
        try:
            with open(name, encoding="utf-8") as file:
                mode = os.fstat(file.fileno()).st_mode
                if mode & 0o077:
                    raise Refusal(f"{name} has mode {mode & 0o777:04o}, others can read with its URLs: chmod 600 it")
                content = json.load(file)
            self.where = str(content["where"])
            self.objects = dict(content["objects"])
            if not all(URL.fullmatch(url) for url in self.objects.values()):
                raise ValueError
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:  # its text is not shown: it has the URLs
            reason = error.strerror if isinstance(error, OSError) else "it is not what `calldata backup restore --from` hands over"
            raise Refusal(f"{name}: {reason}") from None

    @contextlib.contextmanager
    def get(self, key):
        with self.errors(key):
            body = Body(lambda headers: self.ask(key, headers), BROKEN, lambda: self.errors(key))
        with contextlib.closing(body):
            yield body

    def ask(self, key, headers):
        if key not in self.objects:
            raise Missing(f"{key} was not handed over from {self.where}")
        request = urllib.request.Request(self.objects[key], headers={HEADERS[name]: value for name, value in headers.items()})
        for attempt in range(ATTEMPTS):
            try:
                answer = urllib.request.urlopen(request, timeout=SILENCE, context=ssl.create_default_context())
                return Stream(answer), answer.headers["ETag"]
            except BROKEN as error:
                if attempt + 1 == ATTEMPTS or getattr(error, "code", PASSING[0]) not in PASSING:
                    raise
            time.sleep(PAUSE * 2**attempt)
        raise AssertionError("the last attempt answers or raises")

    def list(self, prefix=""):
        return dict.fromkeys(key for key in self.objects if key.startswith(prefix))

    def put(self, key, _stream):
        raise Forbidden(f"{key}: what was handed over from {self.where} is for reading")

    def delete(self, key):
        raise Forbidden(f"{key}: what was handed over from {self.where} is for reading")

    @contextlib.contextmanager
    def errors(self, key):
        """Errors in our own words, without the URL."""
        what = f"{self.where}, {key}"
        try:
            yield
        except urllib.error.HTTPError as error:
            code, message = said(error)
            if code == "NoSuchKey":
                raise Missing(f"{what} does not exist") from None
            if error.code == 403:
                raise Forbidden(f"{what}: {message}; what was handed over is good for a time only: run the command that handed it over again") from None
            raise Failure(f"{what}: {message}") from None
        except BROKEN as error:
            raise Failure(f"{what}: {getattr(error, 'reason', None) or error}") from None


class Stream:
    """What a server sends, which http.client takes to be over when the line breaks."""

    def __init__(self, answer):
        self.answer, self.left = answer, int(answer.headers["Content-Length"])

    def read(self, size):
        block = self.answer.read(min(size, self.left)) if self.left else b""
        if not block and self.left:
            raise ConnectionError(f"the connection ended {self.left} bytes early")
        self.left -= len(block)
        return block

    def close(self):
        self.answer.close()


def said(error):
    """Code and message of an answer of S3's."""
    try:
        tree = xml.etree.ElementTree.fromstring(error.read(1 << 16))
        code, message = tree.findtext("Code", ""), tree.findtext("Message", "")
    except (xml.etree.ElementTree.ParseError, *BROKEN):
        code, message = "", ""
    return code, f"HTTP {error.code} {code or error.reason} {message}".strip()
