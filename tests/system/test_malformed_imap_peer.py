"""Commands that are spoilt in every way, to our IMAP server and to Debian's Dovecot: OK, NO or BAD from both.

DESCRIPTION
    What kind of answer differs, and may, stands in `imap_malformed_differences.txt`, one rule a line; a difference
    that none of them says fails.  `MALFORMED_IMAP=SEED,COUNT` has other commands, COUNT of each.
"""

import asyncio
import os
import re
from pathlib import Path
from typing import Final, NamedTuple

import pytest

from fakes.doveadm import Doveadm
from fakes.imap_exchanges import Both
from fakes.malformed_imap import kind, malformed

pytestmark = [
    pytest.mark.system,
    pytest.mark.peer("dovecot"),
    pytest.mark.skipif(not Doveadm.is_installed(), reason="doveadm is not installed"),
]

_LIST: Final = Path(__file__).with_name("imap_malformed_differences.txt")


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


def differ(line: bytes, theirs: bytes, ours: bytes) -> bool:
    return kind(theirs) != kind(ours)


def goes_on(line: bytes, theirs: bytes, ours: bytes) -> bool:
    """Not behind a difference, the end of a session, or a literal that Dovecot may have read as a command."""
    return not differ(line, theirs, ours) and "BYE" not in kind(theirs) and b"\r\n" not in line


def test_malformed_commands_get_the_kind_of_answer_that_dovecot_gives(both: Both) -> None:
    """But for what a rule of the list says."""
    seed, of_each = map(int, os.environ.get("MALFORMED_IMAP", "1,5").split(","))
    had = asyncio.run(both.side_by_side(malformed(seed, of_each), goes_on))
    known = rules()
    found = [
        f"{shown(line)}\n    Dovecot: {theirs!r}\n    ours:    {ours!r}"
        for line, theirs, ours in had
        if differ(line, theirs, ours)
        and not any(rule.allows(shown(line), kind(theirs), kind(ours)) for rule in known)
    ]
    assert not found, f"{len(found)} of {len(had)}\n" + "\n".join(found)
