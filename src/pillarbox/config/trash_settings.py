"""trash.conf of the trash plugin: mailboxes whose messages may go when there is no room, and in which order.

DESCRIPTION
        # priority and name
        1 Junk
        2 Trash

    Lines that begin with `#` and those without a blank mean nothing.

FAULTS
    TrashFault  a line whose priority is no number

STANDARDS
    Dovecot 2.3, Plugins.Trash
"""

from typing import Final

import msgspec

from pillarbox.vocabulary.digits import is_decimal_text

MAX_FILE: Final = 1 << 20
"""Octets of the file that are read."""
_DIGITS: Final = 9


class TrashFault(Exception):
    """`str()` is for the log."""


class TrashMailbox(msgspec.Struct, frozen=True):
    """A line: messages of the lowest priority go first."""

    priority: int
    name: str


def parse_trash(text: str) -> list[TrashMailbox]:
    """The file's lines.  TrashFault."""
    found = []
    for number, line in enumerate(text.split("\n"), 1):
        priority, blank, name = line.partition(" ")
        if not blank or line.startswith("#"):
            continue
        if not (is_decimal_text(priority, max_digits=_DIGITS)):
            raise TrashFault(f"line {number}: Invalid priority for mailbox '{name}'")
        found.append(TrashMailbox(int(priority), name))
    return found
