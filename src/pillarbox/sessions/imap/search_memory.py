"""What SEARCH and FETCH of a mailbox keep for the next ones, and when that is worth it.

DESCRIPTION
    What all messages say in a field, or a number that each of them has, is found a hundred times as fast as by
    reading message after message, but all of them are read for it first.  Many at once are worth it, and so are few
    again and again: when as many have been read one by one as the mailbox has, all are read and kept, so that
    nobody ever pays more than twice.
"""

from collections.abc import Hashable
from typing import Final

from pillarbox.mailstore.mailbox import Mailbox

MANY: Final = 256
"""Messages from which on it is worth keeping what they say."""
FEW: Final = 8
"""Of so many messages one alone is read for itself: what all of them say is not wanted for that."""
MAX_COUNTED: Final = 32
"""Fields and numbers of a mailbox of which it is known how many messages were read."""


class ReadOneByOne:
    """How many messages were read for what is not kept, by what that is."""

    def __init__(self) -> None:
        self._counts: dict[Hashable, int] = {}

    def note(self, what: Hashable, messages: int) -> int:
        """So many messages more; how many that makes."""
        count = self._counts.pop(what, 0) + messages
        if len(self._counts) == MAX_COUNTED:
            del self._counts[next(iter(self._counts))]
        self._counts[what] = count
        return count

    def forget(self, what: Hashable) -> None:
        """It is kept from now on."""
        self._counts.pop(what, None)


def make_room(mailbox: Mailbox, kind: type, most: int) -> None:
    """Forget the oldest of what is kept of a kind, so that there are `most` with the next."""
    memo = mailbox.lasting_memo
    there = [name for name, value in memo.items() if isinstance(value, kind)]
    for name in there[: max(0, len(there) + 1 - most)]:
        del memo[name]


def is_worth_keeping(mailbox: Mailbox, what: Hashable, asked: int, known: int) -> bool:
    """Whether something is to be read for all `known` messages, of which `asked` are wanted now."""
    memo = mailbox.lasting_memo
    counts = memo.get(ReadOneByOne)
    if not isinstance(counts, ReadOneByOne):
        counts = memo[ReadOneByOne] = ReadOneByOne()
    if asked >= max(MANY, known // FEW) or counts.note(what, asked) >= max(MANY, known):
        counts.forget(what)
        return True
    return False
