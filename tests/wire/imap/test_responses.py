"""Untagged data and response codes as they go on the wire."""

import pytest

from pillarbox.vocabulary.flags import Flag
from pillarbox.wire.imap import responses as r
from pillarbox.wire.imap.commands import StatusItem
from pillarbox.wire.imap.search_keys import ResultOptions, SearchResult

EVERY = SearchResult.MIN | SearchResult.MAX | SearchResult.ALL | SearchResult.COUNT
CASES = [
    ("an atom", r.astring(b"Sent"), b"Sent"),
    ("a blank is quoted", r.astring(b"x y"), b'"x y"'),
    ("empty is quoted", r.astring(b""), b'""'),
    ("NIL is no atom", r.astring(b"nil"), b'"nil"'),
    ("brackets are quoted", r.astring(b"a]"), b'"a]"'),
    ("8-bit is a literal", r.astring(b"\xc3\xbc"), b"{2}\r\n\xc3\xbc"),
    ("a name", r.mailbox(b"Entw&APw-rfe"), b"Entw&APw-rfe"),
    ("a name in UTF-8", r.mailbox("Entw\"ü\\".encode()), b'"Entw\\"\xc3\xbc\\\\"'),
    ("a name that cannot be quoted", r.mailbox("ü\n".encode()), b"{3}\r\n\xc3\xbc\n"),
    ("MAILBOXID", r.mailbox_id(b"F1"), b"[MAILBOXID (F1)]"),
    ("STATUS of other kinds", r.status(b"a", [(StatusItem.APPENDLIMIT, None), (StatusItem.MAILBOXID, b"(F1)")]), b"STATUS a (APPENDLIMIT NIL MAILBOXID (F1))"),
    ("flags", r.flag_names(int(Flag.SEEN | Flag.RECENT | Flag.ANSWERED), (b"$x",)), b"\\Answered \\Seen \\Recent $x"),
    ("no flags", r.flag_names(0), b""),
    ("FLAGS", r.flags([b"k"]), b"FLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft k)"),
    (
        "PERMANENTFLAGS",
        r.permanent_flags([], read_only=False, more=True),
        b"OK [PERMANENTFLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft \\*)] Flags permitted.",
    ),
    (
        "PERMANENTFLAGS of a full mailbox",
        r.permanent_flags([b"k"], read_only=False, more=False),
        b"OK [PERMANENTFLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft k)] Flags permitted.",
    ),
    (
        "PERMANENTFLAGS of EXAMINE",
        r.permanent_flags([b"k"], read_only=True, more=True),
        b"OK [PERMANENTFLAGS ()] Read-only mailbox.",
    ),
    ("ID", r.identification([("name", "x"), ("os", None)]), b'ID ("name" "x" "os" NIL)'),
    ("ID without fields", r.identification([]), b"ID NIL"),
    ("LIST", r.listing(b"LIST", [b"\\HasNoChildren", b"\\Sent"], b"x y"), b'LIST (\\HasNoChildren \\Sent) "/" "x y"'),
    (
        "LIST with CHILDINFO",
        r.listing(b"LIST", [], b"a", child_info=True),
        b'LIST () "/" a (CHILDINFO ("SUBSCRIBED"))',
    ),
    (
        "STATUS",
        r.status(b"a b", [(StatusItem.MESSAGES, 3), (StatusItem.UNSEEN, 0)]),
        b'STATUS "a b" (MESSAGES 3 UNSEEN 0)',
    ),
    ("APPENDUID", r.append_uid(7, [3, 4, 6]), b"[APPENDUID 7 3:4,6]"),
    ("COPYUID", r.copy_uid(7, [(1, 8), (2, 9), (5, 10)]), b"[COPYUID 7 1:2,5 8:10]"),
    ("SEARCH", r.search([1, 3]), b"SEARCH 1 3"),
    ("SEARCH without result", r.search([]), b"SEARCH"),
    (
        "ESEARCH",
        r.extended_search(b"x", [2, 3, 7], ResultOptions(EVERY), by_uid=True),
        b'ESEARCH (TAG "x") UID MIN 2 MAX 7 ALL 2:3,7 COUNT 3',
    ),
    ("ESEARCH without result", r.extended_search(b"x", [], ResultOptions(EVERY), by_uid=False), b'ESEARCH (TAG "x") COUNT 0'),
]  # fmt: skip


@pytest.mark.parametrize(("written", "expected"), [row[1:] for row in CASES], ids=[row[0] for row in CASES])
def test_responses(written: bytes, expected: bytes) -> None:
    """What RFC 3501 §9 allows, in Dovecot's preference."""
    assert expected == written
