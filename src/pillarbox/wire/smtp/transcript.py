"""What was said in an SMTP session, for postmaster to read: `In:` what came, `Out:` what went.

DESCRIPTION
    A session that nothing goes wrong in has its lines recorded and forgotten again; so a line is one append.  Of a
    long session the last lines are kept.  Passwords are not: AUTH shows its mechanism alone, and what is said
    until it is over shows nothing.

STANDARDS
    notify_classes of Postfix, whose notices have this form
"""

from collections import deque
from collections.abc import Callable
from typing import Final

_MOST_LINES: Final = 200
_LONGEST: Final = 1000  # octets of a line
_HIDDEN: Final = b"..."


class Transcript:
    """The lines of one session."""

    def __init__(self, *, kept: bool = True) -> None:
        """Not `kept`: only `trace` sees the lines."""
        self._lines: deque[tuple[bytes, bytes]] = deque(maxlen=_MOST_LINES if kept else 0)
        self.is_kept = kept
        self.trace: Callable[[str, bytes], None] | None = None
        """Told of each line, `<` or `>` first (debug_peer_list)."""

    def came(self, line: bytes) -> None:
        """A line of the peer's, without its end."""
        self._lines.append((b"In:  ", line))
        if self.trace is not None:
            self.trace("<", line)

    def went(self, line: bytes) -> None:
        """A line of ours."""
        self._lines.append((b"Out: ", line))
        if self.trace is not None:
            self.trace(">", line)

    def replied(self, reply: bytes) -> None:
        """Lines of ours, each with its end."""
        for line in reply[:-2].split(b"\r\n"):
            self._lines.append((b"Out: ", line))
            if self.trace is not None:
                self.trace(">", line)

    def clear(self) -> None:
        """Forget what was said."""
        self._lines.clear()

    def __len__(self) -> int:
        return len(self._lines)

    @property
    def lines(self) -> list[bytes]:
        """What was said, oldest first, each line with its direction."""
        return [direction + line[:_LONGEST] for direction, line in self._lines]


def without_secrets(line: bytes, *, in_login: bool) -> bytes:
    """A client's command as others may read it; `in_login`: it answers a challenge."""
    if in_login:
        return _HIDDEN
    if line[:5].upper() != b"AUTH ":
        return line
    mechanism, blank, _ = line[5:].partition(b" ")
    return b"%s %s %s" % (line[:4], mechanism, _HIDDEN) if blank else line
