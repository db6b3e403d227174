"""Patterns of LIST and LSUB."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pillarbox.sessions.imap.name_patterns import NamePattern

CASES = [
    # reference, pattern, names that match, names that do not
    (b"", b"*", [b"INBOX", b"a/b", b""], []),
    (b"", b"%", [b"INBOX", b"a"], [b"a/b"]),
    (b"", b"a/%", [b"a/b", b"a/"], [b"a", b"a/b/c", b"b/a"]),
    (b"a/", b"%", [b"a/b"], [b"b", b"a/b/c"]),
    (b"", b"inbox", [b"INBOX"], [b"inbox", b"INBOX/x"]),
    (b"", b"inbox*", [b"INBOX", b"INBOX/x"], [b"inbox"]),
    (b"", b"inboxes", [b"inboxes"], [b"INBOXes"]),
    # in names below INBOX that level is INBOX in any case, too (RFC 3501 §5.1), no other is
    (b"", b"i%x/foo", [b"INBOX/foo"], [b"INBOX/FOO", b"INBOX"]),
    (b"", b"%i%n%b%o%x%/foo", [b"INBOX/foo"], [b"INBX/foo"]),
    (b"in", b"%", [b"INBOX"], [b"INBOX/foo", b"INNER"]),
    (b"", b"%o*", [b"INBOX", b"INBOX/a", b"fo/b"], [b"INBAX/o", b"FO"]),
    (b"", b"*c", [b"c", b"a/b/c", b"cc"], [b"a/b/cd"]),
    (b"", b"%/%", [b"a/b"], [b"a", b"a/b/c"]),
    (b"", b"a*b%c", [b"abc", b"a/x/bxc", b"abbc"], [b"a/b/c", b"ab"]),
    (b"", b"**%%", [b"", b"x/y"], []),
    (b"", b"a.c", [b"a.c"], [b"abc"]),
    (b"", b"a" * 2000 + b"*", [], [b"a" * 2000]),
]


@pytest.mark.parametrize(("reference", "pattern", "matches", "others"), CASES)
def test_patterns(reference: bytes, pattern: bytes, matches: list[bytes], others: list[bytes]) -> None:
    """RFC 3501 §6.3.8: `*` is anything, `%` anything but the separator."""
    made = NamePattern(reference, pattern)
    assert all(made.matches(name) for name in matches)
    assert not any(made.matches(name) for name in others)


@given(
    pattern=st.lists(st.sampled_from([b"a", b"b", b"/", b"*", b"%"]), max_size=8).map(b"".join),
    name=st.lists(st.sampled_from([b"a", b"b", b"/"]), max_size=10).map(b"".join),
)
def test_patterns_say_what_a_regular_expression_says(pattern: bytes, name: bytes) -> None:
    """The same as a backtracking search, which a client could make slow."""
    expression = pattern.replace(b"*", b".*").replace(b"%", b"[^/]*")
    assert bool(re.fullmatch(expression, name)) is NamePattern(b"", pattern).matches(name)


def test_many_wildcards_are_no_burden() -> None:
    """All readings are followed at once: the work is the product of the lengths."""
    assert not NamePattern(b"", b"*a" * 500).matches(b"a" * 499)
