"""What aliases and .forward files list: a table of forms that people write."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pillarbox.delivery.local.destinations import destinations

CASES = [
    ("nothing", b"", []),
    ("blanks", b" \t ", []),
    ("one", b"alice", [b"alice"]),
    ("two", b"alice, bob@example.org", [b"alice", b"bob@example.org"]),
    ("without comma", b"alice bob", [b"alice", b"bob"]),
    ("empty members", b"alice,, bob,", [b"alice", b"bob"]),
    ("name and address", b"Bob Smith <bob@example.org>, alice", [b"bob@example.org", b"alice"]),
    ("comments", b"alice (the first) , (nobody) bob(b)", [b"alice", b"bob"]),
    ("nested comment", b"alice (a (b) \\) c) , bob", [b"alice", b"bob"]),
    ("quoted name", b'"Smith, Bob" <bob@example.org>', [b"bob@example.org"]),
    ("quoted local part", b'"a b"@example.org', [b"a b@example.org"]),
    ("quoted pair", b'"a\\"b"@example.org', [b'a"b@example.org']),
    ("backslash", b"\\alice", [b"alice"]),
    ("escaped comma", b"a\\,b", [b"a,b"]),
    ("group", b"friends: alice, bob;", [b"alice", b"bob"]),
    ("group and more", b"carol, friends: alice, bob; , dave", [b"carol", b"alice", b"bob", b"dave"]),
    ("command", b'"|/usr/bin/filter -x"', [b"|/usr/bin/filter -x"]),
    ("command without blanks", b"|/usr/bin/filter", [b"|/usr/bin/filter"]),
    ("command and quote", b'"|sh -c \\"exit 75\\""', [b'|sh -c "exit 75"']),
    ("pipe before quotes", b'|"/usr/bin/filter -x"', [b"|/usr/bin/filter -x"]),
    ("unquoted arguments", b"|/usr/bin/filter alice", [b"|/usr/bin/filter", b"alice"]),
    ("file", b"/var/mail/archive", [b"/var/mail/archive"]),
    ("file with a dot", b"/home/a.b/c", [b"/home/a.b/c"]),
    ("file with a blank", b'"/home/a b/c"', [b"/home/a b/c"]),
    ("maildir below home", b"~/Maildir/.old/", [b"~/Maildir/.old/"]),
    ("include", b":include:/etc/postfix/list", [b":include:/etc/postfix/list"]),
    ("quoted include", b'":include:/etc/postfix/a list"', [b":include:/etc/postfix/a list"]),
    ("include and user", b"alice, :include:/x", [b"alice", b":include:/x"]),
    ("route", b"@a.example,@b.example:bob@c.example", [b"@a.example", b"@b.example:bob@c.example"]),
    ("bang path", b"site!alice", [b"site!alice"]),
    ("percent", b"alice%a.example@b.example", [b"alice%a.example@b.example"]),
    ("domain literal", b"alice@[192.0.2.1]", [b"alice@[192.0.2.1]"]),
    ("UTF-8", "grün@bücher.example".encode(), ["grün@bücher.example".encode()]),
    ("open quote", b'"alice', [b"alice"]),
    ("open comment", b"alice (b", [b"alice"]),
    ("open angle", b"bob@example.org>", [b"bob@example.org"]),
    ("nothing in quotes", b'alice, ""', [b"alice", b""]),
    ("last backslash", b"alice\\", [b"alice"]),
]


@pytest.mark.parametrize(("line", "expected"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_forms(line: bytes, expected: list[bytes]) -> None:
    """Each form means what it means to Postfix."""
    assert destinations(line) == expected


@given(st.lists(st.text("abz019.-_/+", min_size=1), max_size=8))
def test_a_quoted_list_gives_its_members(words: list[str]) -> None:
    """Quoting and commas keep any words apart."""
    line = ", ".join(f'"{word}"' for word in words).encode()
    assert destinations(line) == [word.encode() for word in words]


@given(st.binary(max_size=200))
def test_any_text_means_something_of_its_own_size(line: bytes) -> None:
    """No text makes it fail, or grow."""
    found = destinations(line)
    assert sum(map(len, found)) <= len(line) + line.count(b"[")
    assert all(found) or b'"' in line or b"\\" in line
