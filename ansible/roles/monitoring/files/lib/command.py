"""Other programs, and a bound on the time that anything takes."""

import contextlib
import signal
import subprocess


class TooLong(Exception):
    pass


@contextlib.contextmanager
def within(seconds):
    """End what runs inside after that many seconds, child processes too. For the main thread."""

    def late(*_):
        raise TooLong(f"no answer within {seconds} s")

    before = signal.signal(signal.SIGALRM, late)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def output(*command, **options):
    """What a program prints. An error has the first line of what it said."""
    done = subprocess.run(command, capture_output=True, text=True, errors="replace", stdin=subprocess.DEVNULL, check=False, **options)
    if done.returncode:
        said = (done.stderr.strip() or done.stdout.strip() or "no word why").splitlines()[0]
        raise RuntimeError(f"{command[0]} ended with code {done.returncode}: {said}")
    return done.stdout
