"""Scenes that are played with a mail store, and what they need."""

from collections.abc import Awaitable, Callable

from pillarbox.mailstore.mailbox import (
    Account,
    FlagAction,
    FlagChange,
    Mailbox,
    NewMessage,
)
from pillarbox.vocabulary.flags import Flag

Scene = Callable[[Account], Awaitable[None]]


Play = Callable[[Scene], None]


def message(number: int, flags: Flag = Flag.NONE, *keywords: bytes) -> NewMessage:
    """A message that can be told from others."""
    return NewMessage(
        b"Subject: %d\r\n\r\nbody %d\r\n" % (number, number), flags, keywords, 1_700_000_000.0 + number
    )


def add(flags: Flag, *keywords: bytes) -> FlagChange:
    """+FLAGS"""
    return FlagChange(FlagAction.ADD, flags, keywords)


def flags_of(mailbox: Mailbox, uid: int) -> tuple[Flag, set[bytes]]:
    """Flags and keywords as the table has them."""
    row = mailbox.messages.row(uid)
    assert row is not None
    bits = mailbox.messages.keywords[row]
    return Flag(mailbox.messages.flags[row]), {
        name for bit, name in enumerate(mailbox.keywords) if bits >> bit & 1
    }
