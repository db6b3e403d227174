"""The message that a POP3 client will ask for next, read while it is busy with the one that it has just got.

DESCRIPTION
    Clients of POP3 take one message after the other, and wait for each.  When two were asked for in their order,
    the third is read as soon as the second is sent, if it is small and in memory: it lies ready when the client
    asks, and the time between its commands, in which nobody else had anything to do, is used.

    Nothing is read twice but what is not asked for after all, and a session holds no more than `LARGEST` octets.
"""

from typing import Final

from pillarbox.mailstore.mailbox import Mailbox
from pillarbox.vocabulary.identifiers import Uid

LARGEST: Final = 65536
"""Octets of a message that is read ahead."""


class ReadAhead:
    """Of one session."""

    __slots__ = ("_content", "_last", "_number", "wanted")

    def __init__(self) -> None:
        self._last = -1  # number that was taken last
        self.wanted = 0
        """The number of the message to be read ahead now; 0 for none."""
        self._number = 0  # of the message whose content we have
        self._content = b""

    def take(self, number: int) -> bytes | None:
        """The message that the client wants now; None if it has to be read.  What else was read is forgotten."""
        content = self._content if self._number == number else None
        self._number, self._content = 0, b""
        self.wanted = number + 1 if number == self._last + 1 else 0
        self._last = number
        return content

    def read(self, mailbox: Mailbox, number: int, uid: int) -> None:
        """Read the message, if that takes no waiting; it is tried once."""
        self.wanted = 0
        content = mailbox.content_at_once(Uid(uid), limit=LARGEST)
        if content is not None:
            self._number, self._content = number, content
