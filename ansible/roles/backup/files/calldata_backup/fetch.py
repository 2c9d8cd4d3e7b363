"""Bring parts of a backup here, and look at each byte on the way."""

import contextlib
import os
import subprocess
import tempfile

from .stream import BLOCK, Counted, opened
from .system import Failure, Refusal, last_words


def chosen(manifest, names):
    """The parts of a backup that were asked for, or all."""
    found = {p["name"]: p for p in manifest["parts"]}
    if unknown := set(names or ()) - set(found):
        lost = f"; failed when it was made: {', '.join(manifest['failed'])}" if manifest["failed"] else ""
        raise Refusal(f"{manifest['id']} has no part {', '.join(sorted(unknown))}, it has {', '.join(found)}{lost}")
    return [p for p in found.values() if not names or p["name"] in names]


def need_identity(manifest, identity):
    if manifest["encryption"] == "age" and identity is None:
        raise Refusal(f"{manifest['id']} is encrypted: name the file of the private key with --identity, or its secret with --identity-secret")


def download(store, manifest, part, file):
    """Write what is stored for a part to file. Refuses what is not what was stored."""
    what = f"{manifest['id']}, part {part['name']}"
    with store.get(f"{manifest['id']}/{part['object']}") as stored:
        stream = Counted(stored)
        while block := stream.read(BLOCK):
            file.write(block)
    if stream.bytes != part["bytes"]:
        raise Refusal(f"{what}: {stream.bytes} bytes are stored, {part['bytes']} were: it is truncated or another file")
    if stream.sha256() != part["sha256"]:
        raise Refusal(f"{what}: the SHA-256 of what is stored is {stream.sha256()}, it was {part['sha256']}: it is damaged")


def unseal(manifest, part, file, identity, tree=None, tar_file=None):
    """Decrypt and decompress a downloaded part, compare, and extract it below tree or write the tar to tar_file."""
    what = f"{manifest['id']}, part {part['name']}"
    tar = None
    with tempfile.TemporaryFile() as errors:
        if tree is not None:
            tar = subprocess.Popen(["tar", "--extract", "--directory", tree, "--preserve-permissions", "--same-owner", "--xattrs", "--acls"],
                                   stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=errors)
        sink = tar.stdin if tar else tar_file
        try:
            with opened(file, manifest["encryption"] == "age", identity) as stream:
                while block := stream.read():
                    if sink:
                        sink.write(block)
                stream.finish()
        except (Failure, BrokenPipeError) as error:
            raise Refusal(f"{what}: {error}{'' if identity is None else '; is this the key that it was made for?'}") from error
        finally:
            if tar:
                with contextlib.suppress(OSError):
                    tar.stdin.close()
                tar.wait()
        if tar and tar.returncode:
            raise Refusal(f"{what}: tar: {last_words(errors)} (code {tar.returncode})")
    if (stream.bytes, stream.sha256()) != (part["plain_bytes"], part["plain_sha256"]):
        raise Refusal(f"{what}: what came out of it is not what went in, by its SHA-256")


def verify(store, manifest, part, identity, work):
    """Look at a part without keeping it: what is stored, and with an identity what is in it."""
    if identity is None and manifest["encryption"] == "age":
        with open(os.devnull, "wb") as nowhere:
            return download(store, manifest, part, nowhere)
    with open(os.path.join(work, part["object"]), "w+b") as file:
        download(store, manifest, part, file)
        file.seek(0)
        unseal(manifest, part, file, identity)
    os.unlink(file.name)
    return None
