"""Where backups are kept: a bucket of S3, or a directory of a mounted disk. Keys are paths with slashes."""

import contextlib
import os
import shutil

from .system import Failure, Refusal, aws, path

# S3 takes at most 10,000 parts of one upload: 16 MiB allow 156 GiB, and keep the memory of an upload small.
# Source: Amazon S3 User Guide, "Amazon S3 multipart upload limits".
CHUNK = 16 << 20


class Missing(Refusal):
    """There is no such object."""


class Forbidden(Failure):
    """The store does not let this machine do it."""


def open_store(settings):
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
        # S3 compares the checksum with what arrived; a bucket with a lock takes nothing without one.
        self.extra = {"ChecksumAlgorithm": "SHA256"}
        if settings.get("kms_key_arn"):
            self.extra |= {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": settings["kms_key_arn"]}

    def put(self, key, stream):
        from boto3.exceptions import S3UploadFailedError
        from boto3.s3.transfer import TransferConfig

        config = TransferConfig(multipart_threshold=CHUNK, multipart_chunksize=CHUNK, max_concurrency=2)
        with self.errors(key):
            try:
                self.client.upload_fileobj(stream, self.bucket, self.prefix + key, ExtraArgs=self.extra, Config=config)
            except S3UploadFailedError as error:
                raise Failure(f"s3://{self.bucket}/{self.prefix}{key}: {error}") from error

    @contextlib.contextmanager
    def get(self, key):
        with self.errors(key):
            body = self.client.get_object(Bucket=self.bucket, Key=self.prefix + key)["Body"]
        with contextlib.closing(body):
            yield _Body(self, key, body)

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


class _Body:
    """What S3 sends. A connection that breaks off is an error of the store like others."""

    def __init__(self, bucket, key, body):
        self.bucket, self.key, self.body = bucket, key, body

    def read(self, size):
        with self.bucket.errors(self.key):
            return self.body.read(size)
