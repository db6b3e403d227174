"""Commands that are spoilt in every way, to our IMAP server and to Debian's Dovecot: OK, NO or BAD from both; mailboxes with odd
names, too.

DESCRIPTION
    What kind of answer differs, and may, stands in `imap_malformed_differences.txt`, one rule a line; a difference
    that none of them says fails.  `MALFORMED_IMAP=SEED,COUNT` has other commands, COUNT of each.
"""

import asyncio
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final, NamedTuple

import pytest

from fakes.doveadm import Doveadm
from fakes.imap_exchanges import Both
from fakes.malformed_imap import kind, malformed
from fakes.odd_mailbox_names import commands, odd_names

pytestmark = [
    pytest.mark.system,
    pytest.mark.peer("dovecot"),
    pytest.mark.skipif(not Doveadm.is_installed(), reason="doveadm is not installed"),
]

_LIST: Final = Path(__file__).with_name("imap_malformed_differences.txt")
_LISTED: Final = re.compile(rb'^\* (?:LIST|LSUB) \([^)]*\) "/" ([^\r]+)', re.MULTILINE)
_INBOX: Final = re.compile(rb"\Ainbox(?=/|\Z)", re.IGNORECASE)
"""INBOX is always spelled so, where Dovecot says it as the client has."""


class Rule(NamedTuple):
    """Commands whose answers may be of these kinds."""

    command: re.Pattern[str]
    theirs: list[str]
    ours: list[str]

    def allows(self, command: str, theirs: str, ours: str) -> bool:
        """Whether a difference is one of these."""
        return theirs in self.theirs and ours in self.ours and self.command.search(command) is not None


def rules() -> list[Rule]:
    """What the list says."""
    found: list[Rule] = []
    for line in _LIST.read_text(encoding="utf-8").split("\n"):
        if not line or line.startswith("#"):
            continue
        command, theirs, ours, _, reason = line.split(" | ")
        assert reason, line
        found.append(Rule(re.compile(command, re.IGNORECASE), theirs.split("/"), ours.split("/")))
    return found


def shown(line: bytes) -> str:
    """A command as the list has it."""
    return repr(line)[2:-1]


def compare(both: Both, lines: Iterator[bytes], seen: Callable[[bytes], object]) -> None:
    """What is seen of the answers is the same, or a rule allows it."""

    def goes_on(line: bytes, theirs: bytes, ours: bytes) -> bool:
        """Not behind a difference, the end of a session, or a literal that Dovecot may have read as a command."""
        spoilt = b"\r\n" in line and kind(theirs) == "BAD"
        return seen(theirs) == seen(ours) and kind(theirs) in ("OK", "NO", "BAD") and not spoilt

    had = asyncio.run(both.side_by_side(lines, goes_on))
    known = rules()
    found = [
        f"{shown(line)}\n    Dovecot: {theirs!r}\n    ours:    {ours!r}"
        for line, theirs, ours in had
        if seen(theirs) != seen(ours)
        and not any(rule.allows(shown(line), kind(theirs), kind(ours)) for rule in known)
    ]
    assert not found, f"{len(found)} of {len(had)}\n" + "\n".join(found)


def test_malformed_commands_get_the_kind_of_answer_that_dovecot_gives(both: Both) -> None:
    """But for what a rule of the list says."""
    seed, of_each = map(int, os.environ.get("MALFORMED_IMAP", "1,4").split(","))
    compare(both, malformed(seed, of_each), kind)


def test_odd_names_are_taken_and_refused_as_dovecot_does(both: Both) -> None:
    """CREATE, RENAME, LIST and the rest: the same kind of answer, the same mailboxes listed; ODD_NAMES=SEED,COUNT."""
    seed, count = map(int, os.environ.get("ODD_NAMES", "5,30").split(","))
    compare(both, commands(odd_names(seed, count)), kind_and_names)


def kind_and_names(answer: bytes) -> tuple[str, list[bytes]]:
    """Of an answer; how a name is quoted is the server's choice, and what attributes Dovecot gives differs by the moment."""
    listed = [found[1] for found in _LISTED.finditer(answer)]
    return kind(answer), sorted(_INBOX.sub(b"INBOX", name.translate(None, b'"\\')) for name in listed)
