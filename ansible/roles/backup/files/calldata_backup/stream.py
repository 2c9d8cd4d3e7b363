"""From a program's output to what is stored and back: zstd, then age, with a SHA-256 on either side.

Nothing is written on the way: a backup needs no room for itself on the disk.
"""

import contextlib
import hashlib
import os
import subprocess
import tempfile
import threading

from .system import Failure, Refusal, aws, last_words

BLOCK = 1 << 20
# Fast, and within a few per cent of the default level on configuration and dumps.
ZSTD_LEVEL = "-3"


class Counted:
    """A stream that knows what went through it."""

    def __init__(self, stream=None):
        self.stream, self.digest, self.bytes = stream, hashlib.sha256(), 0

    def add(self, block):
        self.digest.update(block)
        self.bytes += len(block)
        return block

    def read(self, size=-1):
        return self.add(self.stream.read(BLOCK if size is None or size < 0 else size))

    def sha256(self):
        return self.digest.hexdigest()


class Pipe:
    """Programs joined by pipes, the first fed by hand or with a file of its own."""

    def __init__(self, commands, first_input=subprocess.PIPE, pass_fds=()):
        self.programs, self.errors, previous = [], [], first_input
        for command in commands:
            errors = tempfile.TemporaryFile()  # noqa: SIM115 - closed by close
            self.errors.append(errors)
            try:
                program = subprocess.Popen(command, stdin=previous, stdout=subprocess.PIPE, stderr=errors, pass_fds=pass_fds)
            except OSError as error:
                self.close()
                raise Failure(f"{command[0]}: {error}") from error
            if self.programs:
                self.programs[-1].stdout.close()  # the next program alone holds it, and hears when it ends
            self.programs.append(program)
            previous = program.stdout

    @property
    def input(self):
        return self.programs[0].stdin

    @property
    def output(self):
        return self.programs[-1].stdout

    def wait(self, harmless=(0,)):
        """Wait for all, and tell which failed, the first one first: the others often fail because of it."""
        failed = []
        for program, errors in zip(self.programs, self.errors):
            if program.wait() not in harmless:
                failed.append(f"{program.args[0]}: {last_words(errors)} (code {program.returncode})")
        if failed:
            raise Failure("; ".join(failed))

    def close(self):
        for program in self.programs:
            if program.poll() is None:
                program.kill()
            for end in (program.stdin, program.stdout):
                if end:
                    with contextlib.suppress(OSError):
                        end.close()
            program.wait()
        for errors in self.errors:
            errors.close()


class Sealed:
    """What is stored for a part, to be read until its end: the tar that a command prints, compressed and encrypted.

    The end comes only when every program has succeeded; a failure is raised instead of it.
    """

    def __init__(self, tar, recipients):
        self.plain, self.stored = Counted(), Counted()
        seal = [["zstd", "-q", "-c", ZSTD_LEVEL]]
        if recipients:
            seal.append(["age", "--encrypt", "--recipients-file", recipients])
        self.source, self.seal = Pipe([tar], first_input=subprocess.DEVNULL), None
        self.seal = Pipe(seal)
        self.failure = None
        self.pump = threading.Thread(target=self._pump, daemon=True)
        self.pump.start()

    def _pump(self):
        try:
            while block := self.source.output.read(BLOCK):
                self.seal.input.write(self.plain.add(block))
            # 1: a file changed while tar read it. Source: GNU tar manual, 3.1 "General Synopsis of tar".
            self.source.wait(harmless=(0, 1))
            self.seal.input.close()
        except (OSError, ValueError, Failure) as error:
            self.failure = error
            for program in self.seal.programs:
                program.kill()

    def read(self, size=-1):
        block = self.seal.output.read(BLOCK if size is None or size < 0 else size)
        if block:
            return self.stored.add(block)
        self.pump.join()
        if isinstance(self.failure, Failure):
            raise self.failure
        self.seal.wait()
        if self.failure:
            raise Failure(str(self.failure))
        return b""

    def close(self):
        self.source.close()
        self.seal.close()


@contextlib.contextmanager
def sealed(tar, recipients):
    stream = Sealed(tar, recipients)
    try:
        yield stream
    finally:
        stream.close()


class Identity:
    """The private key of a restore, in memory and nowhere else."""

    def __init__(self, text):
        if "AGE-SECRET-KEY-" not in text:
            raise Refusal("the identity has no line AGE-SECRET-KEY-..., as age-keygen makes it")
        self.handle = os.memfd_create("identity", os.MFD_CLOEXEC)
        os.write(self.handle, text.encode())

    @classmethod
    def of(cls, options, settings):
        """The identity that was named, or None. A file must be the caller's own."""
        if options.identity:
            try:
                with open(options.identity, encoding="utf-8") as file:
                    mode = os.fstat(file.fileno()).st_mode
                    if mode & 0o077:
                        raise Refusal(f"{options.identity} has mode {mode & 0o777:04o}, others can read the key: chmod 600 it")
                    return cls(file.read())
            except (OSError, UnicodeDecodeError) as error:
                raise Refusal(f"identity: {error}") from error
        secret = options.identity_secret or settings.get("identity_secret_arn")
        if not secret:
            return None
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            return cls(aws("secretsmanager", settings).get_secret_value(SecretId=secret)["SecretString"])
        except (BotoCoreError, ClientError) as error:
            raise Refusal(f"identity: {error}") from error


@contextlib.contextmanager
def opened(file, encrypted, identity):
    """The tar of a stored part, as a stream that has counted what was read from it."""
    commands, handles = [["zstd", "-q", "-d", "-c"]], ()
    if encrypted:
        handles = (identity.handle,)
        commands.insert(0, ["age", "--decrypt", "--identity", f"/dev/fd/{identity.handle}"])
    pipe = Pipe(commands, first_input=file, pass_fds=handles)
    try:
        yield Opened(pipe)
    finally:
        pipe.close()


class Opened(Counted):
    def __init__(self, pipe):
        super().__init__(pipe.output)
        self.pipe = pipe

    def finish(self):
        while self.read():
            pass
        self.pipe.wait()
