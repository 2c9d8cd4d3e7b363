"""Where backups are kept: a bucket of S3, or a directory of a mounted disk. Keys are paths with slashes."""

import base64
import contextlib
import hashlib
import os
import shutil

from .system import Failure, Refusal, aws, path

# What is larger goes to S3 in several parts, of at least 5 MiB but for the last, of which one upload has at most so many.
# Source: Amazon S3 User Guide, "Amazon S3 multipart upload limits".
PART = 16 << 20
MOST_PARTS = 10_000
# How often in a row a download that breaks off goes on from where it was, without a byte more.
ATTEMPTS = 5


def part_bytes(number):
    """Bytes of a part, counted from 1. A part is in memory as a whole: they grow by 16 MiB every thousand, to 160 MiB and 859 GiB of all."""
    return PART * (1 + (number - 1) // 1000)


class Missing(Refusal):
    """There is no such object."""


class Forbidden(Failure):
    """The store does not let this machine do it."""


def open_store(settings, handed=None):
    """The store of this machine, or what was handed over from another in the file that is named."""
    if handed:
        from .handed import Handed

        return Handed(handed)
    kind, _, rest = settings["destination"].partition("://")
    if kind == "s3":
        bucket, _, prefix = rest.partition("/")
        return Bucket(bucket, prefix, settings)
    return Directory(path(rest))


class Directory:
    def __init__(self, root):
        self.root = root

    def put(self, key, stream):
        name = os.path.join(self.root, key)
        os.makedirs(os.path.dirname(name), mode=0o700, exist_ok=True)
        try:
            with os.fdopen(os.open(name + ".new", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
                while block := stream.read(1 << 20):
                    file.write(block)
                file.flush()
                os.fsync(file.fileno())
            os.replace(name + ".new", name)
        finally:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(name + ".new")

    @contextlib.contextmanager
    def get(self, key):
        try:
            with open(os.path.join(self.root, key), "rb") as file:
                yield file
        except FileNotFoundError as error:
            raise Missing(f"{key} is not in {self.root}") from error

    def list(self, prefix=""):
        found = {}
        for folder, _, names in os.walk(self.root):
            for name in names:
                full = os.path.join(folder, name)
                key = os.path.relpath(full, self.root)
                if key.startswith(prefix) and not key.endswith(".new"):
                    found[key] = os.path.getsize(full)
        return found

    def delete(self, key):
        name = os.path.join(self.root, key)
        try:
            os.unlink(name)
            with contextlib.suppress(OSError):
                os.rmdir(os.path.dirname(name))
        except PermissionError as error:
            raise Forbidden(str(error)) from error

    def free(self):
        os.makedirs(self.root, mode=0o700, exist_ok=True)
        return shutil.disk_usage(self.root).free


class Bucket:
    def __init__(self, bucket, prefix, settings):
        self.bucket, self.prefix = bucket, prefix
        self.client = aws("s3", settings, settings.get("endpoint_url"))
        self.encryption = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": settings["kms_key_arn"]} if settings.get("kms_key_arn") else {}

    def put(self, key, stream):
        """Store a stream whose length nobody knows. It is there as a whole, or not at all.

        S3 compares each request's SHA-256, and the client repeats what S3 did not take. The stream cannot be read twice, so that there is
        nothing to resume: whatever ends it, the end of this program too, gives the upload up. A program that is killed leaves it to the
        bucket's lifecycle.
        """
        where = {"Bucket": self.bucket, "Key": self.prefix + key}
        with self.errors(key):
            block = _block(stream, part_bytes(1))
            if len(block) < part_bytes(1):
                self.client.put_object(**where, **self.encryption, **_body(block))
                return
            upload = {**where, "UploadId": self.client.create_multipart_upload(**where, **self.encryption, ChecksumAlgorithm="SHA256")["UploadId"]}
            try:
                stored = []
                while block:
                    number = len(stored) + 1
                    if number > MOST_PARTS:
                        raise Failure(f"s3://{self.bucket}/{self.prefix}{key}: it is larger than S3 takes in {MOST_PARTS} parts: save less in one part")
                    body = _body(block)
                    answer = self.client.upload_part(**upload, PartNumber=number, **body)
                    stored.append({"PartNumber": number, "ETag": answer["ETag"], "ChecksumSHA256": body["ChecksumSHA256"]})
                    block = _block(stream, part_bytes(number + 1))
                self.client.complete_multipart_upload(**upload, MultipartUpload={"Parts": stored})
            except BaseException:
                with contextlib.suppress(Failure), self.errors(key):
                    self.client.abort_multipart_upload(**upload)
                raise

    @contextlib.contextmanager
    def get(self, key):
        from botocore.exceptions import BotoCoreError

        def ask(headers):
            answer = self.client.get_object(Bucket=self.bucket, Key=self.prefix + key, **headers)
            return answer["Body"], answer["ETag"]

        with self.errors(key):
            body = Body(ask, BotoCoreError, lambda: self.errors(key))
        with contextlib.closing(body):
            yield body

    def list(self, prefix=""):
        found = {}
        with self.errors(prefix):
            for page in self.client.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=self.prefix + prefix):
                for item in page.get("Contents", []):
                    found[item["Key"][len(self.prefix):]] = item["Size"]
        return found

    def delete(self, key):
        with self.errors(key):
            self.client.delete_object(Bucket=self.bucket, Key=self.prefix + key)

    @contextlib.contextmanager
    def errors(self, key):
        """Errors of S3 in our own words. Source: Amazon S3 API Reference, "Error responses"."""
        from botocore.exceptions import BotoCoreError, ClientError

        where = f"s3://{self.bucket}/{self.prefix}{key}"
        try:
            yield
        except ClientError as error:
            code = error.response["Error"]["Code"]
            if code in ("NoSuchKey", "404"):
                raise Missing(f"{where} does not exist") from error
            if code in ("AccessDenied", "403", "InvalidRequest", "MethodNotAllowed"):
                raise Forbidden(f"{where}: {error}") from error
            raise Failure(f"{where}: {error}") from error
        except BotoCoreError as error:
            raise Failure(f"{where}: {error}") from error


def _block(stream, size):
    """So many bytes of a stream, fewer at its end."""
    block = bytearray()
    while len(block) < size and (more := stream.read(min(1 << 20, size - len(block)))):
        block += more
    return bytes(block)


def _body(block):
    """What S3 stores, with what it compares it with. A bucket with a lock takes nothing without a checksum."""
    return {"Body": block, "ChecksumAlgorithm": "SHA256", "ChecksumSHA256": base64.b64encode(hashlib.sha256(block).digest()).decode()}


class Body:
    """What S3 sends. A connection that breaks off is made anew and goes on from the same byte of the same object.

    ask makes it, with the arguments Range and IfMatch of S3's GetObject, and answers a stream and its ETag; broken is what it raises when the line
    is at fault, errors puts what is left of that into our words.
    """

    def __init__(self, ask, broken, errors):
        self.ask, self.broken, self.errors, self.at, self.etag, self.failed = ask, broken, errors, 0, None, 0
        self._open()

    def _open(self):
        self.body, self.etag = self.ask({"Range": f"bytes={self.at}-", "IfMatch": self.etag} if self.etag else {})

    def read(self, size):
        with self.errors():
            while True:
                try:
                    block = self.body.read(size)
                    break
                except self.broken:
                    self.failed += 1
                    if self.failed > ATTEMPTS:
                        raise
                    self.close()
                    self._open()
        if block:
            self.at, self.failed = self.at + len(block), 0
        return block

    def close(self):
        self.body.close()
