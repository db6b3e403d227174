"""Reading a log that other processes write, while they write it.

DESCRIPTION
    A line comes a moment after what it tells of: the message is in the mailbox, the reply has been read, and whoever
    logs it still waits for the processor.  So whoever asserts something about a line waits for that very line:

        line = the_line(system, r"to=<alice@one\\.test>")
        assert "status=sent" in line

    `since` are characters that had been logged before: `len(system.log())`.
"""

import re
import uuid
from typing import Protocol

from fakes.host import Host
from fakes.mail_system import PATIENCE, until


class Logging(Protocol):
    """Whatever has a log: a mail system, a host, a server."""

    def log(self) -> str:
        """All of it so far."""
        ...


def lines_with(logging: Logging, pattern: str, *, since: int = 0) -> list[str]:
    """Whole lines of the log, as it stands, in which a regular expression is found."""
    lines = logging.log()[since:].split("\n")[:-1]
    return [line for line in lines if re.search(pattern, line)]


def until_logged(
    logging: Logging, pattern: str, *, count: int = 1, since: int = 0, seconds: float = PATIENCE
) -> list[str]:
    """The lines in which a regular expression is found, once there are so many, or more."""

    def found() -> list[str]:
        lines = lines_with(logging, pattern, since=since)
        return lines if len(lines) >= count else []

    return until(
        found,
        what=lambda: f"{count} lines with {pattern}, in\n{logging.log()[since:][-5000:]}",
        seconds=seconds,
    )


def until_whole(host: Host) -> str:
    """The log, once it holds all that the daemons have sent: postlogd(8) may be some seconds late, but keeps order."""
    mark = f"mark {uuid.uuid4()}"
    host.output(f"postlog -t postfix/mark {mark}")
    until_logged(host, mark)
    return host.log()


def the_line(logging: Logging, pattern: str, *, since: int = 0) -> str:
    """The one line in which a regular expression is found, once it is there."""
    lines = until_logged(logging, pattern, since=since)
    assert len(lines) == 1, lines
    return lines[0]
