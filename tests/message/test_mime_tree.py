"""Parts, their places, BODYSTRUCTURE and BODY[section]."""

from unittest import mock

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pillarbox.message import mime_tree
from pillarbox.message.body_structure import render
from pillarbox.message.line_ends import to_crlf
from pillarbox.message.mime_tree import MAX_DEPTH, MAX_PARTS, Part, parse
from pillarbox.message.sections import Section, Text, locate

MIXED = to_crlf(b"""Content-Type: multipart/mixed; boundary=b
Subject: s

preamble
--b
Content-Type: text/html; charset=utf-8
Content-Disposition: attachment; filename="x y"

<p>
--b
Content-Type: message/rfc822

Subject: inner
From: a@b

inner text
--b
Content-Type: multipart/mixed; boundary=c

--c

one
--c

two
--c--
--b--
epilogue
""")

STRUCTURES = [
    ("empty", b"", b'("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 0 0)'),
    ("plain", b"Subject: x\n\na\nb\n", b'("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 6 2)'),
    (
        "encoding means nothing without MIME",
        b"Content-Transfer-Encoding: base64\n\na\n",
        b'("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 3 1)',
    ),
    (
        "encoding with version",
        b"MIME-Version: 1.0\nContent-Transfer-Encoding: base64\n\na\n",
        b'("text" "plain" ("charset" "us-ascii") NIL NIL "base64" 3 1)',
    ),
    (
        "case kept",
        b"Content-Type: TEXT/Html; Charset=X\n\n",
        b'("TEXT" "Html" ("Charset" "X") NIL NIL "7bit" 0 0)',
    ),
    (
        "not text",
        b'Content-Type: image/png; name="a b"\n\nx',
        b'("image" "png" ("name" "a b") NIL NIL "7bit" 1)',
    ),
    (
        "the defaults in capitals",
        b"Content-Type: Text/PLAIN; CHARSET=US-ASCII\nContent-Transfer-Encoding: 7BIT\n\nx\n",
        b'("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 3 1)',
    ),
    (
        "more than the defaults in capitals",
        b"Content-Type: TEXT/PLAIN; CHARSET=US-ASCII; X=y\n\nx\n",
        b'("TEXT" "PLAIN" ("CHARSET" "US-ASCII" "X" "y") NIL NIL "7bit" 3 1)',
    ),
    (
        "a part with the defaults in capitals",
        b"Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: TEXT/PLAIN\n\nx\n--b--\n",
        b'(("TEXT" "PLAIN" ("charset" "us-ascii") NIL NIL "7bit" 1 0) "mixed")',
    ),
    ("broken type", b"Content-Type: text/\n\nx", b'("" "" NIL NIL NIL "7bit" 1)'),
    (
        "multipart of no kind",
        b"Content-Type: multipart\n\nx",
        b'("application" "octet-stream" NIL NIL NIL "7bit" 1)',
    ),
    ("no subtype", b"Content-Type: text; charset=x\n\nx", b'("" "" NIL NIL NIL "7bit" 1)'),
    (
        "no semicolon",
        b"Content-Type: multipart/mixed boundary=b\n\n--b\n\nx\n",
        b'("" "" NIL NIL NIL "7bit" 10)',
    ),
    ("a comment that does not close", b"Content-Type: a (b\n\n", b'("a" "" NIL NIL NIL "7bit" 0)'),
    ("one behind the subtype", b"Content-Type: a/b (c\n\n", b'("" "" NIL NIL NIL "7bit" 0)'),
    (
        "more parameters than are read",
        b"Content-Type: a/b" + b"; c=(d)e" * 130 + b"\n\n",
        b'("a" "b" (%b) NIL NIL "7bit" 0)' % b" ".join([b'"c" "e"'] * 128),
    ),
    (
        "more breaks than are read over",
        b"Content-Type: a/b; c=d " + b":" * 126 + b"; e=f; g=h\n\n",
        b'("a" "b" ("c" "d" "e" "f") NIL NIL "7bit" 0)',
    ),
    ("RFC 2231", b"Content-Type: a/b; n*0=x; n*1*=%20\n\n", b'("a" "b" ("n*" "\'\'x%20") NIL NIL "7bit" 0)'),
    (
        "RFC 2231 with a gap",
        b"Content-Type: a/b; n*0=x; n*2=y\n\n",
        b'("a" "b" ("n*0" "x" "n*2" "y") NIL NIL "7bit" 0)',
    ),
    (
        "bare encoded word",
        b"Content-Type: a/b; n==?q?x?=; m=1\n\n",
        b'("a" "b" ("n" "=?q?x?=" "m" "1") NIL NIL "7bit" 0)',
    ),
    (
        "no boundary",
        b"Content-Type: multipart/mixed\n\n--x\n",
        b'(("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 0 0) "mixed")',
    ),
    (
        "no final boundary",
        b"Content-Type: multipart/mixed; boundary=b\n\n--b\n\na\n",
        b'(("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 3 1) "mixed")',
    ),
    (
        "the boundary that is a prefix of another",
        b"Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: multipart/mixed; boundary=bb\n\n"
        b"--bb\n\nx\n--bb--\n--b--\n",
        b'((("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 1 0) "mixed") "mixed")',
    ),
    (
        "boundary in a header",
        b"Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-ID: <1>\n--b\n\nx\n--b--\n",
        b'(("text" "plain" ("charset" "us-ascii") "<1>" NIL "7bit" 0 0)'
        b'("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 1 0) "mixed")',
    ),
    (
        "digest",
        b"Content-Type: multipart/digest; boundary=b\n\n--b\n\nSubject: i\n\nx\n--b--\n",
        b'(("message" "rfc822" NIL NIL NIL "7bit" 15 (NIL "i" NIL NIL NIL NIL NIL NIL NIL NIL) '
        b'("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 1 0) 2) "digest")',
    ),
]


@pytest.mark.parametrize(("name", "message", "expected"), STRUCTURES, ids=[row[0] for row in STRUCTURES])
def test_body(name: str, message: bytes, expected: bytes) -> None:
    """BODY, byte for byte what Dovecot 2.3 answers."""
    content = to_crlf(message)
    assert expected == render(content, parse(content))[0]


def test_body_structure_with_extension_data() -> None:
    """RFC 3501 §7.4.2: MD5, disposition, language, location follow."""
    message = to_crlf(
        b"Content-Type: text/plain\nContent-MD5: m\nContent-Disposition: attachment; filename=x\n"
        b"Content-Language: de, en\nContent-Location: http://x/\nContent-Description: d\nContent-ID: <i>\n\n"
    )
    expected = (
        b'("text" "plain" ("charset" "us-ascii") "<i>" "d" "7bit" 0 0 "m" ("attachment" ("filename" "x")) '
        b'("de" "en") "http://x/")'
    )
    assert expected == render(message, parse(message))[1]


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (b"a (b) , c", b'("a" "c")'),
        (b"a, b (c", b'("a")'),
        (b"a (b", b"NIL"),
        (b"a b", b'("a")'),
        (b"(a", b"NIL"),
    ],
)
def test_languages(value: bytes, told: bytes) -> None:
    """Content-Language; what an unclosed comment follows is left out."""
    message = b"Content-Language: " + value + b"\r\nContent-Type: a/b\r\n\r\n"
    assert b'("a" "b" NIL NIL NIL "7bit" 0 NIL NIL %b NIL)' % told == render(message, parse(message))[1]


SECTIONS = [
    ("whole", (), Text.ALL, MIXED),
    ("text", (), Text.TEXT, MIXED[MIXED.index(b"preamble") :]),
    ("header", (), Text.HEADER, MIXED[: MIXED.index(b"preamble")]),
    ("first part", (1,), Text.ALL, b"<p>"),
    (
        "its MIME header",
        (1,),
        Text.MIME,
        b'Content-Type: text/html; charset=utf-8\r\nContent-Disposition: attachment; filename="x y"\r\n\r\n',
    ),
    ("no message, no header", (1,), Text.HEADER, None),
    ("inner message", (2,), Text.ALL, b"Subject: inner\r\nFrom: a@b\r\n\r\ninner text"),
    ("its header", (2,), Text.HEADER, b"Subject: inner\r\nFrom: a@b\r\n\r\n"),
    ("its text", (2,), Text.TEXT, b"inner text"),
    ("its only part", (2, 1), Text.ALL, b"inner text"),
    ("no second part in it", (2, 2), Text.ALL, None),
    ("part of a part", (3, 2), Text.ALL, b"two"),
    ("its MIME header is empty", (3, 2), Text.MIME, b"\r\n"),
    ("no such part", (4,), Text.ALL, None),
    ("1 of a part of a multipart is that part", (1, 1), Text.ALL, b"<p>"),
    ("but that is the end", (1, 1, 1), Text.ALL, None),
    ("no other parts in text", (1, 2), Text.ALL, None),
    ("no part of a message's only part", (2, 1, 1), Text.ALL, None),
    ("MIME needs a part", (), Text.MIME, None),
]


@pytest.mark.parametrize(("name", "path", "text", "expected"), SECTIONS, ids=[row[0] for row in SECTIONS])
def test_sections(name: str, path: tuple[int, ...], text: Text, expected: bytes | None) -> None:
    """RFC 3501 §6.4.5: part numbers and what can be asked of a part."""
    place = locate(parse(MIXED), Section(path, text))
    assert expected == (None if place is None else MIXED[place[0] : place[1]])


MULTIPART_IN_B = (
    b"Content-Type: multipart/mixed; boundary=b\r\n\r\n"
    b"--b\r\nContent-Type: multipart/mixed; boundary=i\r\n\r\n"
)


@pytest.mark.parametrize(
    ("content", "path", "text", "expected"),
    [
        (MULTIPART_IN_B + b"--i--\r\n--b--\r\n", (1,), Text.ALL, b"--i--\r\n"),
        (MULTIPART_IN_B + b"--i--\r\nend\r\n--b--\r\n", (1,), Text.ALL, b"--i--\r\nend"),
        (MULTIPART_IN_B + b"--i\r\n\r\n--b--\r\n", (1,), Text.ALL, b"--i\r\n\r\n"),
        (MULTIPART_IN_B + b"--i\r\n\r\n--i--\r\n--b--\r\n", (1, 1), Text.MIME, b""),
    ],
    ids=["no epilogue", "an epilogue", "empty part, cut", "empty part"],
)
def test_line_ends_before_boundaries(
    content: bytes, path: tuple[int, ...], text: Text, expected: bytes
) -> None:
    """RFC 2046 §5.1.1: the CRLF before a boundary is the boundary's; but a final boundary's line has an end."""
    place = locate(parse(content), Section(path, text))
    assert place is not None
    assert expected == content[place[0] : place[1]]


def test_the_only_part_is_number_one() -> None:
    """RFC 3501 §6.4.5: "Every message has at least one part number"."""
    content = b"Subject: x\r\n\r\ntext"
    assert (14, 18) == locate(parse(content), Section((1,)))
    assert (0, 14) == locate(parse(content), Section((1,), Text.MIME))
    assert locate(parse(content), Section((2,))) is None


def _depth(part: Part) -> int:
    depth = 0
    while part.children:
        part = part.children[0]
        depth += 1
    return depth + 1


@pytest.mark.parametrize(
    "layer",
    [b"Content-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\n", b"Content-Type: message/rfc822\r\n\r\n"],
)
def test_nesting_is_limited(layer: bytes) -> None:
    """What lies deeper than the limit is one part without children."""
    content = layer * 5000
    tree = parse(content)
    assert MAX_DEPTH >= _depth(tree)
    body, _ = render(content, tree)
    assert b'"application" "octet-stream"' in body or b"multipart" not in layer


def test_parts_are_limited() -> None:
    """The last part that is counted goes on to the end."""
    content = b"Content-Type: multipart/mixed; boundary=b\r\n\r\n" + b"--b\r\n\r\nx\r\n" * (MAX_PARTS + 100)
    assert MAX_PARTS - 1 == len(parse(content).children)


class _Searched:
    """Content that counts the octets that are searched."""

    def __init__(self, octets: bytes) -> None:
        self.octets = octets
        self.count = octets.count
        self.startswith = octets.startswith
        self.searched = 0

    def __len__(self) -> int:
        return len(self.octets)

    def __getitem__(self, key: slice, /) -> bytes:
        return self.octets[key]

    def find(self, sub: bytes, start: int = 0, end: int | None = None, /) -> int:
        found = self.octets.find(sub, start, end)
        self.searched += (found if found >= 0 else len(self) if end is None else end) - start
        return found


def test_headers_that_do_not_end_are_read_once() -> None:
    """Each of many headers is cut short by a boundary, and the only empty line is far behind all of them."""
    top = b"Content-Type: multipart/mixed; boundary=b\r\n\r\n"
    content = _Searched(top + b"--b\r\nX: a\r\n" * 2000 + b"y" * 1_000_000 + b"\r\n\r\n")
    assert len(parse(content).children) == 2000
    assert content.searched < 30 * len(content)  # 2,000 times before


def _check(part: Part, start: int, end: int) -> None:
    assert start <= part.header_start <= part.body_start <= part.body_end <= end
    position = part.body_start
    for child in part.children:
        assert child.header_start >= position
        _check(child, part.body_start, part.body_end)
        position = child.body_end


LINES = [
    b"Content-Type: multipart/mixed; boundary=b",
    b"Content-Type: multipart/digest; boundary=bb",
    b"Content-Type: message/rfc822",
    b"Content-Type: text/plain; x=",
    b"MIME-Version: 1.0",
    b"--b",
    b"--b--",
    b"--bb",
    b"--bb--",
    b"",
    b"text",
]


CONTENTS = st.lists(st.sampled_from(LINES), max_size=30).map(b"\r\n".join)


@given(CONTENTS, st.integers(1, 40))
def test_the_steps_in_which_a_header_is_read_change_nothing(content: bytes, step: int) -> None:
    """The end of a header, or of a boundary in it, may lie where a step ends."""
    with mock.patch.object(mime_tree, "_FIRST_STEP", step):
        tree = parse(content)
    assert tree == parse(content)


@given(CONTENTS)
def test_parts_lie_within_their_parents(content: bytes) -> None:
    """Any message has a tree whose parts follow each other inside their parent, and both renderings."""
    tree = parse(content)
    _check(tree, 0, len(content))
    body, extended = render(content, tree)
    assert body.startswith(b"(")
    assert len(extended) >= len(body)
