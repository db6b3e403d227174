"""Attributes of queue files as the messages before had them: read at once, and held once.

DESCRIPTION
    Most attributes of most messages are alike, and stand in the same order: who the client is takes up half of an
    envelope, and is the same for all messages of its session.  `known_run()` finds the records of several
    attributes, one after the other, that some message before had, by comparing octets; `known_attribute()` finds
    a single one.

    Runs are learnt from what is known attribute by attribute.  One that another message has only the beginning of
    is cut there, so that messages of different clients share what they have in common.

LIMITS
    So many texts, attributes and runs are kept; whoever sends many different ones makes us begin anew.
"""

from typing import Final

import msgspec

from pillarbox.queue.records import ATTRIBUTE

_MOST: Final = 2000
_MOST_RUNS: Final = 500
_LONGEST: Final = 60
"""Octets of what is worth keeping."""
_OF_ONE_MESSAGE: Final = frozenset((b"log_ident", b"message_id"))
"""No other message has the same."""


class AttributeRun(msgspec.Struct, frozen=True, gc=False):
    """Attribute records in a row, and what they say."""

    records: bytes
    attributes: dict[bytes, bytes]


_SHARED: Final[dict[bytes, bytes]] = {}
_KNOWN: Final[dict[bytes, tuple[bytes, bytes]]] = {}
_RUNS: Final[dict[bytes, AttributeRun]] = {}
"""By their first records."""


def shared(text: bytes) -> bytes:
    """The same octets, as messages before had them."""
    if len(text) > _LONGEST:
        return text
    if len(_SHARED) >= _MOST:
        _SHARED.clear()
    return _SHARED.setdefault(text, text)


def known_attribute(payload: bytes) -> tuple[bytes, bytes] | None:
    """Name and value of an attribute that is nothing but kept, if a message before had it."""
    return _KNOWN.get(payload)


def note_attribute(payload: bytes, name: bytes, value: bytes) -> None:
    """A record has been read, and the attribute is to be kept as it is."""
    if name in _OF_ONE_MESSAGE or len(payload) > _LONGEST:
        return
    if len(_KNOWN) >= _MOST:
        _KNOWN.clear()
    _KNOWN[payload] = name, value


def known_run(window: bytes, at: int) -> AttributeRun | None:
    """The attributes whose records stand from `at` on, if messages before had them.

    A record that begins there is a short attribute: its length takes one octet, and it is not cut off.
    """
    first = window[at : at + 2 + window[at + 1]]
    run = _RUNS.get(first)
    if run is not None and window.startswith(run.records, at):
        return run
    if first[2:] not in _KNOWN:
        return None
    run = _common_run(window, at, run.records if run is not None else None)
    if len(_RUNS) >= _MOST_RUNS:
        _RUNS.clear()
    _RUNS[first] = run
    return run


def _common_run(window: bytes, begin: int, before: bytes | None) -> AttributeRun:
    """The known attributes from there on, as far as the run before has them, too."""
    attributes: dict[bytes, bytes] = {}
    at, size = begin, len(window)
    while at + 2 <= size and window[at] == ATTRIBUTE:
        following = at + 2 + window[at + 1]
        known = _KNOWN.get(window[at + 2 : following]) if following <= size else None
        if known is None or (before is not None and not before.startswith(window[begin:following])):
            break
        attributes[known[0]] = known[1]
        at = following
    return AttributeRun(window[begin:at], attributes)
