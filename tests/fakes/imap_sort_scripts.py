"""Mail whose subjects, dates and message ids are odd, and what both IMAP servers are asked about its order."""

from collections.abc import Iterator
from typing import Final

from fakes.imap_exchanges import Exchange

SUBJECTS: Final = (
    "a",
    "Re: a",
    "RE:a",
    "re [x]: a",
    "Re[2]: a",
    "re[2] : a",
    "Fw: a",
    "FWD: a",
    "fwd [b] [c]: a",
    "[l] a",
    "[l] Re: a",
    "[l][m] a",
    "[l] [m] Re: [n] a",
    "Re: [l] Re: a (fwd)",
    "a (FWD)",
    "a (fwd) (fwd)",
    "a(fwd)",
    "(fwd)",
    "(fwd) a",
    "[fwd: a]",
    "[Fwd: Re: a]",
    "[fwd: [fwd: a]]",
    "[fwd: a] (fwd)",
    "Re: [fwd: a (fwd)]",
    "[fwd: ]",
    "[fwd:]",
    "[fwd: [l] a]",
    "[fwd:a",
    "[fwd: a] b",
    "[l]",
    "[l] ",
    "Re: [l]",
    "[l] [m]",
    "[ab",
    "[a[b] a",
    "[a]b] a",
    "[]",
    "[] a",
    "Re:",
    "Re: ",
    "Re: Re:",
    "fwd:fwd:",
    "re",
    "re a",
    "re : a",
    "re\t: a",
    " \t a  \t b",
    "a  b",
    "a\r\n b",
    "a\r\n\tb",
    "a\tb",
    "=?utf-8?q?Re:_a?=",
    "=?utf-8?q?Re=3A?= a",
    "=?utf-8?b?UmU6IGE=?=",
    "=?utf-8?q?=5Bfwd=3A_a=5D?=",
    "=?utf-8?q?a?= =?utf-8?q?b?=",
    "=?utf-8?q?a_?= b",
    "Re: =?iso-8859-1?q?=E9?=",
    "=?utf-8?q?=C3=89?=",
    "=?utf-8?q?e=CC=81?=",
    "Re: \xe9",
    "=?utf-8?q?a?=(fwd)",
    "=?utf-8?q?a=0D=0Ab?=",
    "=?utf-8?q?a=09b?=",
    "",
    "   ",
    "AW: a",
    "Sv: a",
    "re [a] [b]: a",
    "re [a]b: a",
    "[a]re: b",
    "[a] re [b] : [c] d",
    "re:re:re: a",
    "[fwd: re: [x] fw [y]: a ] ",
    "\xdf",
    "SS",
    "ss",
    "\u0131",
    "i",
    "I",
    "[RE: x] a",
    "[Re: a",
    "Fwdx: a",
    "fwd(fwd): a",
    "a (fwd) x",
    "a ( fwd)",
    "a (fwd)   ",
    "Re: (fwd)",
    "[fwd: (fwd)]",
    "[fwd: Re:]",
    "=?utf-8?q?=C2=A0a?=",
    "re\xa0: a",
    "\u3000a",
)
"""Base subjects behind replies, forwards, list names, encoded words and blanks of all kinds."""
DATES: Final = (
    "Mon, 1 Jan 2024 10:00:00 +0100",
    "Mon, 1 Jan 2024 10:00:00 EST",
    "Mon, 1 Jan 2024 10:00:00 Z",
    "Mon, 1 Jan 2024 10:00:00 -0000",
    "Mon, 1 Jan 2024 10:00 +0000",
    "1 Jan 24 10:00:00 +0000",
    "1 Jan 2024",
    "1 Jan 2024 10:00:00",
    "Mon, 1 Jan 2024 25:00:00 +0000",
    "Mon, 32 Jan 2024 10:00:00 +0000",
    "nonsense",
    "",
    "Tue, 1 Jan 2024 10:00:00 +0000 (c)",
    "Mon, 1 Jan 2024 10:00:60 +0000",
    "Mon, 1 Jan 2024 10:00:00 +9999",
    "Mon, 1 Jan 2100 10:00:00 +0000",
    "Mon, 1 January 2024 10:00:00 +0000",
    "2024-01-01T10:00:00Z",
    "Mon, 1 Jan 2024 10:00:00 PDT",
    "Mon, 29 Feb 2023 10:00:00 +0000",
    "Mon,1 Jan 2024 10:00:00 +0000",
    " (c) Mon, 1 Jan 2024 10:00:00 UT",
    "Mon, 1 Jan 2024 9:0:0 +0000",
    "Mon, 01 Jan 49 10:00:00 +0000",
    "Mon 1 Jan 2024 10:00:00 +0000",
    "Mon, 1 Jan 2024 24:00:00 +0000",
    "Mon, 1 Jan 2024 10:00:00 +00",
    "Mon, 1 Jan 2024 9:00:00 +0000",
)
"""Dates of which some are none: then INTERNALDATE counts (RFC 5256 §2.2)."""
THREADS: Final = {
    "dup ids": (
        ("<1@x>", "", "", "a", 1),
        ("<1@x>", "", "", "b", 2),
        ("<2@x>", "<1@x>", "", "c", 3),
        ("<2@x>", "<9@x>", "", "d", 1),
    ),
    "loops": (
        ("<1@x>", "<2@x>", "", "a", 1),
        ("<2@x>", "<1@x>", "", "b", 2),
        ("<3@x>", "<3@x>", "", "c", 3),
        ("<4@x>", "<1@x> <4@x> <2@x>", "", "d", 1),
    ),
    "no ids": (
        (None, "", "", "a", 2),
        (None, "<1@x>", "", "a", 1),
        ("<1@x>", "", "", "Re: a", 5),
        ("garbage", "", "", "b", 4),
        ("<noat>", "<noat>", "", "b", 3),
    ),
    "in-reply-to": (
        ("<1@x>", "", "", "a", 1),
        ("<2@x>", "", "<1@x> <3@x>", "b", 2),
        ("<3@x>", "", "", "c", 3),
        ("<4@x>", "", "text of <3@x>", "d", 1),
        ("<5@x>", "", "joe@x <1@x>", "e", 1),
        ("<6@x>", "nothing", "<1@x>", "f", 1),
        ("<7@x>", "<noat>", "<3@x>", "g", 2),
    ),
    "quoted ids": (
        ('<"1"@x>', "", "", "a", 1),
        ("<2@x>", "<1@x>", "", "b", 2),
        ("<3@x>", '<"2"@x>', "", "c", 3),
        ("<4@x>", '<"a b"@x>', "", "d", 1),
        ('<"a b"@x>', "", "", "e", 1),
        ("<5@x>", '<"\\1"@x>', "", "f", 4),
        ("<6@[1.2.3.4]>", "<A@x>", "", "g", 1),
        ("<7@x>", "<6@[1.2.3.4]> <a@x>", "", "h", 1),
        ("< 8 @ x >", "<7@x>", "", "i", 2),
        ("<9@x>", "<8@x>", "", "j", 3),
        ("<10@x", "<9@x>", "", "k", 1),
    ),
    "dummies": (
        ("<3@x>", "<1@x> <2@x>", "", "a", 3),
        ("<4@x>", "<1@x> <2@x>", "", "b", 2),
        ("<5@x>", "<1@x>", "", "c", 1),
        ("<6@x>", "<10@x> <11@x> <12@x>", "", "d", 9),
        ("<7@x>", "<20@x>", "", "e", 7),
        ("<8@x>", "<20@x>", "", "f", 5),
    ),
    "gather": (
        ("<1@x>", "", "", "Re: a", 1),
        ("<2@x>", "", "", "a", 2),
        ("<3@x>", "", "", "a", 3),
        ("<4@x>", "", "", "Fwd: a", 1),
        ("<5@x>", "<50@x>", "", "a", 1),
        ("<6@x>", "<50@x>", "", "b", 2),
        ("<7@x>", "<70@x>", "", "Re: b", 8),
        ("<8@x>", "<70@x>", "", "x", 9),
        ("<9@x>", "", "", "b", 7),
        ("<10@x>", "", "", "Re: b", 6),
    ),
    "gather2": (
        ("<1@x>", "", "", "Re: a", 5),
        ("<2@x>", "", "", "Re: a", 2),
        ("<3@x>", "", "", "[l] a", 3),
        ("<4@x>", "<3@x>", "", "other", 1),
        ("<5@x>", "", "", "other", 4),
        ("<6@x>", "", "", "", 4),
        ("<7@x>", "", "", "Re:", 3),
        ("<8@x>", "", "", None, 2),
        ("<9@x>", "<8@x>", "", "Re: ", 2),
        ("<10@x>", "", "", "a (fwd)", 1),
    ),
}
"""Message-ID, References, In-Reply-To, Subject and the day in January, of each message."""


def _append(date: str, *fields: tuple[str, str | None]) -> bytes:
    header = "".join(f"{name}: {value}\r\n" for name, value in fields if value is not None)
    content = f"{header}\r\nx\r\n".encode()
    return b'x APPEND Trash "%b" {%d+}\r\n%b' % (date.encode(), len(content), content)


def orders() -> Iterator[Exchange]:
    """SORT and THREAD of all of them."""
    yield Exchange(
        "subjects and dates",
        (
            *(
                _append("01-Feb-2024 10:00:00 +0000", ("Subject", subject), ("Date", "Mon, 1 Jan 2024 10:00"))
                for subject in SUBJECTS
            ),
            *(
                _append(f"{day:02}-Jan-2024 12:00:00 -0300", ("Date", date), ("Subject", f"d{day}"))
                for day, date in enumerate(DATES, 1)
            ),
            b"x SELECT Trash",
            *(b"x SORT (%b) UTF-8 ALL" % keys for keys in (b"SUBJECT", b"REVERSE SUBJECT DATE", b"DATE")),
            b"x SORT (REVERSE DATE SUBJECT) UTF-8 ALL",
            *(b"x THREAD %b UTF-8 ALL" % name for name in (b"REFERENCES", b"ORDEREDSUBJECT")),
        ),
    )
    for name, messages in THREADS.items():
        yield Exchange(
            name,
            (
                *(
                    _append(
                        "01-Jan-2024 10:00:00 +0000",
                        ("Message-ID", message_id),
                        ("References", references or None),
                        ("In-Reply-To", in_reply_to or None),
                        ("Subject", subject),
                        ("Date", f"Mon, {day} Jan 2024 10:00:00 +0000"),
                    )
                    for message_id, references, in_reply_to, subject, day in messages
                ),
                b"x SELECT Trash",
                b"x THREAD REFERENCES UTF-8 ALL",
                b"x THREAD ORDEREDSUBJECT UTF-8 ALL",
                b"x THREAD REFERENCES UTF-8 NOT 1",
                b"x UID THREAD REFERENCES UTF-8 2:4",
            ),
        )
