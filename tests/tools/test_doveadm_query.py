"""Queries of doveadm: what they ask of which mailbox, and what is wrong with them."""

import shlex

import pytest

from pillarbox.tools.doveadm_commands.faults import Fatal
from pillarbox.tools.doveadm_commands.query import parse
from pillarbox.vocabulary.flags import Flag
from pillarbox.vocabulary.number_set import NumberSet
from pillarbox.wire.imap.search_keys import (
    AddressHas,
    All,
    And,
    Arrived,
    DateTest,
    HasFlags,
    HeaderHas,
    Not,
    Numbers,
    Or,
    Saved,
    SearchKey,
    Sent,
    Size,
    Uids,
)

NOW = 1_795_640_000
GUID = "98399d1376e6026b574a000083ecc375"
FROM_A, FROM_B = AddressHas(b"FROM", "a"), AddressHas(b"FROM", "b")
SEEN = HasFlags(Flag.SEEN, wanted=True)
QUERIES: list[tuple[str, SearchKey | None]] = [
    ("all", All()),
    ("mailbox Trash", None),
    ("mailbox INBOX seen", SEEN),
    ("mailbox inbox seen", SEEN),
    ("mailbox I* seen", SEEN),
    (f"mailbox-guid {GUID} seen", SEEN),
    ("mailbox-guid 00 seen", None),
    ("not mailbox INBOX", None),
    ("not mailbox Trash seen", SEEN),
    ("not seen", Not(SEEN)),
    ("not not seen", SEEN),
    ("from a from b", And((FROM_A, FROM_B))),
    ("from a or from b", Or(FROM_A, FROM_B)),
    ("seen ( from a or from b )", And((SEEN, Or(FROM_A, FROM_B)))),
    ("from a from b or seen", Or(Or(FROM_A, FROM_B), SEEN)),
    ("( mailbox Trash from a ) or ( mailbox INBOX from b )", FROM_B),
    ("( mailbox Trash or mailbox INBOX ) from b", FROM_B),
    ("1:3", Numbers(NumberSet(((1, 3),)))),
    ("subject x", HeaderHas(b"SUBJECT", "x")),
    ("uid 7", Uids(NumberSet(((7, 7),)))),
    ("larger 1k", Size(1024, larger=True)),
    ("before 2024-01-02", Arrived(DateTest.BEFORE, 19724)),
    ("sentsince 2-Jan-2024", Sent(DateTest.SINCE, 19724)),
    ("savedon 864000", Saved(DateTest.ON, 10, utc=True)),
    ("savedbefore 10d", Saved(DateTest.BEFORE, (NOW - 864000) / 86400, utc=True)),
]
FAULTS = [
    ("frob", "Unknown argument FROB"),
    ("since", "Missing parameter for search key (for search key: SINCE)"),
    ("since foo", "Invalid search date parameter: foo"),
    ("since 2024-13-01", "Invalid search date parameter: 2024-13-01"),
    ("since 3", None),
    ("uid x", "Invalid UID messageset"),
    ("larger x", "Invalid search size parameter"),
    ("younger 0", "Invalid search interval parameter"),
    ("not", "Missing argument"),
    ("( seen", "Missing ')'"),
    ("seen )", "Unexpected ')'"),
    ("( )", "Missing argument"),
    ("from a or", "Missing argument"),
    ("or from a from b", "Use parenthesis when mixing ANDs and ORs"),
    ("( " * 60, "Too many nested search keys"),
]
EXPUNGES = [
    ("all", "search query must contain MAILBOX in all search branches"),
    ("( mailbox A all ) or all", "search query must contain MAILBOX in all search branches"),
    ("not mailbox A all", "search query must contain MAILBOX in all search branches"),
    ("mailbox A", "something else besides MAILBOX"),
    ("mailbox A or mailbox B", "something else besides MAILBOX"),
    ("mailbox A all", None),
    ("( mailbox A or mailbox-guid B ) seen", None),
    ("( mailbox A all ) or ( mailbox B seen )", None),
]


@pytest.mark.parametrize(("text", "key"), QUERIES, ids=[text for text, _ in QUERIES])
def test_what_is_asked_of_inbox(text: str, key: SearchKey | None) -> None:
    """The key for INBOX; None if it is not looked into."""
    assert parse(text.split(), now=NOW).within("INBOX", GUID) == key


@pytest.mark.parametrize(("text", "fault"), FAULTS, ids=[text[:20] for text, _ in FAULTS])
def test_faults(text: str, fault: str | None) -> None:
    """In Dovecot's words."""
    if fault is None:
        parse(shlex.split(text), now=NOW)
        return
    with pytest.raises(Fatal) as told:
        parse(shlex.split(text), now=NOW)
    assert (str(told.value), told.value.status) == (fault, 75)


@pytest.mark.parametrize(("text", "fault"), EXPUNGES, ids=[text for text, _ in EXPUNGES])
def test_expunge_is_careful(text: str, fault: str | None) -> None:
    """No branch without a mailbox, none without anything else."""
    query = parse(text.split(), now=NOW)
    if fault is None:
        query.check_expunge()
        return
    with pytest.raises(Fatal, match=fault) as told:
        query.check_expunge()
    assert told.value.status == 64
