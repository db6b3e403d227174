"""Asking a supervisor how its half is (status.py answers), and waiting until it has reloaded."""

import json
import socket
import time
from collections.abc import Callable, Sequence
from typing import Final

import msgspec

_PAUSE: Final = 0.02


def ask_status(path: str) -> dict[str, object] | None:
    """What the supervisor behind a status socket says; None if there is none."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
        sock.settimeout(5)
        try:
            sock.connect(path)
            parts: Sequence[bytes] = list(iter(lambda: sock.recv(65536), b""))
        except OSError:
            return None
    try:
        answer = json.loads(b"".join(parts))
    except ValueError:
        return None
    return answer if isinstance(answer, dict) else None


class Reload(msgspec.Struct, frozen=True):
    """What is known of a reload."""

    is_done: bool = False
    """Whether every role is of the new generation, but for the faults."""
    faults: tuple[str, ...] = ()
    """Why settings of before stay."""


def reload_and_wait(path: str, signal_it: Callable[[], None], *, seconds: float) -> Reload:
    """Have a supervisor reload, and wait until every role is of the new generation.

    `signal_it` sends the signal.  Whoever has no status socket at `path` (master(8), Dovecot) is not waited for.
    """
    before = ask_status(path)
    signal_it()
    if before is None:
        return Reload()
    wanted = _count(before, "reloads_wanted") + 1  # signals of before, too, may still be waiting
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        now = ask_status(path)
        if now is None:
            return Reload()
        if _count(now, "reloads") >= wanted:
            faults = now.get("reload_faults")
            return Reload(is_done=True, faults=tuple(map(str, faults)) if isinstance(faults, list) else ())
        time.sleep(_PAUSE)
    return Reload()


def _count(status: dict[str, object], name: str) -> int:
    value = status.get(name)
    return value if isinstance(value, int) else 0
