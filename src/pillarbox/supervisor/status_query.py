"""Asking a supervisor how its half is (status.py answers)."""

import json
import socket
from collections.abc import Sequence


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
