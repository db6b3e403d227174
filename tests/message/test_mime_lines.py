"""Which header a field stands in: what hides an attachment's header from one reader must not hide it from us."""

import pytest

from pillarbox.message.mime_lines import MimeLines, Place, encoding_of

PARTS = [  # name, value of Content-Type, line, whether a part's header begins
    ("plain", "multipart/mixed; boundary=b", "--b", True),
    ("another subtype", "multipart/x-whatever; boundary=b", "--b", True),
    ("no subtype", "multipart; boundary=b", "--b", True),
    ("blanks", "multipart / mixed ; boundary = b", "--b", True),
    ("letters", "MultiPart/Mixed; BOUNDARY=b", "--b", True),
    ("comments", "(a) multipart(b;)/(c) mixed; (d\\)) boundary(e)=(f) b", "--b", True),
    ("comments in comments", "multipart/mixed; (a (b) ;) boundary=b", "--b", True),
    ("in quotes", 'multipart/mixed; boundary="a b"', "--a b", True),
    ("quoted pairs", 'multipart/mixed; boundary="a\\b\\""', '--ab"', True),
    ("open quotes", 'multipart/mixed; boundary="b', "--b", True),
    ("a boundary within quotes", 'multipart/mixed; x="; boundary=no"; boundary=b', "--b", True),
    ("the same, its text", 'multipart/mixed; x="; boundary=no"; boundary=b', "--no", False),
    ("the first of two", "multipart/mixed; boundary=a; boundary=b", "--a", True),
    ("the second of two", "multipart/mixed; boundary=a; boundary=b", "--b", True),
    ("up to a special character", "multipart/mixed; boundary=a=b", "--a", True),
    ("up to a slash", "multipart/mixed; boundary=a/b", "--a", True),
    ("up to a blank", "multipart/mixed; boundary=a b", "--a", True),
    ("folded", "multipart/mixed;\n boundary=b", "--b", True),
    ("folded within quotes", 'multipart/mixed; boundary="a \n b"', "--a b", True),
    ("text behind it", "multipart/mixed; boundary=b", "--bxyz", True),
    ("a blank in front", "multipart/mixed; boundary=b", "-- b", False),
    ("nothing", 'multipart/mixed; boundary=""', "--x", True),
    ("nothing, of nothing", 'multipart/mixed; boundary=""', "--", False),
    ("no semicolon", "multipart/mixed boundary=b", "--b", False),
    ("no equals sign", "multipart/mixed; boundary b", "--b", False),
    ("another type", "text/plain; boundary=b", "--b", False),
    ("a quoted type", '"multipart"/mixed; boundary=b', "--b", False),
]


@pytest.mark.parametrize(
    ("value", "line", "found"), [row[1:] for row in PARTS], ids=[row[0] for row in PARTS]
)
def test_boundaries(value: str, line: str, found: bool) -> None:
    """What Postfix takes for one."""
    mime = MimeLines()
    mime.field(b"content-type", b" " + value.encode())
    mime.end_of_header()
    assert mime.in_body
    assert mime.is_boundary(line.encode()) is found
    assert (mime.place is Place.PART) is found


HEADERS = [  # name, fields of Content-Type, whether the line behind the header is empty, where it leads
    ("an attached message", ["message/rfc822"], True, Place.NESTED),
    ("with a parameter", ["message / RFC822; x=y"], True, Place.NESTED),
    ("of addresses in UTF-8", ["message/global"], True, Place.NESTED),
    ("without an empty line", ["message/rfc822"], False, Place.BODY),
    ("a piece of one", ["message/partial"], True, Place.BODY),
    ("one elsewhere", ["message/external-body"], True, Place.BODY),
    ("something behind it", ["message/rfc822/x"], True, Place.NESTED),
    ("the last field counts", ["message/rfc822", "text/plain"], True, Place.BODY),
    ("one that says nothing", ["message/rfc822", ""], True, Place.BODY),
    ("another type does not take it back", ["message/rfc822", "image/png"], True, Place.NESTED),
]


@pytest.mark.parametrize(
    ("values", "empty", "place"), [row[1:] for row in HEADERS], ids=[row[0] for row in HEADERS]
)
def test_what_follows_a_header(values: list[str], empty: bool, place: Place) -> None:
    """Another header, or a body."""
    mime = MimeLines()
    for value in values:
        mime.field(b"content-type", value.encode())
    mime.end_of_header(at_empty_line=empty)
    assert mime.place is place


def test_a_part_of_a_digest_is_a_message() -> None:
    """RFC 2046 §5.1.5; what follows the last boundary is body."""
    mime = MimeLines()
    mime.field(b"content-type", b"multipart/digest; boundary=b")
    mime.end_of_header()
    assert mime.is_boundary(b"--b")
    mime.end_of_header()
    assert mime.place is Place.NESTED
    assert mime.is_boundary(b"--b--")
    assert mime.in_body
    assert not mime.is_boundary(b"--b")


def test_boundaries_of_a_multipart_that_says_two_types() -> None:
    """All that was said counts."""
    mime = MimeLines()
    mime.field(b"content-type", b"multipart/mixed; boundary=a")
    mime.field(b"content-type", b"text/plain")
    mime.end_of_header()
    assert mime.is_boundary(b"--a")


def test_an_outer_boundary_ends_the_inner_ones() -> None:
    """A part whose own end is missing."""
    mime = MimeLines()
    for name in (b"a", b"b", b"c"):
        mime.field(b"content-type", b"multipart/mixed; boundary=" + name)
        mime.end_of_header()
        assert mime.is_boundary(b"--" + name)
    assert mime.is_boundary(b"--a")
    assert not mime.is_boundary(b"--c")


def test_limits() -> None:
    """Of the depth, and of a boundary's length."""
    mime = MimeLines(max_nesting=2, max_boundary=3)
    for number in range(4):
        mime.field(b"content-type", b"multipart/mixed; boundary=ab%d5678" % number)
        mime.end_of_header()
        assert mime.is_boundary(b"--ab%d" % number)
    assert not mime.is_too_deep
    mime.field(b"content-type", b"multipart/mixed; boundary=x")
    assert mime.is_too_deep


@pytest.mark.parametrize(
    ("value", "encoding"),
    [
        (" 8bit", b"8bit"),
        ("\n\t(x) Binary; y", b"binary"),
        (' "8bit"', b""),
        (" ", b""),
        (" base64.x", b"base64"),
    ],
)
def test_encodings(value: str, encoding: bytes) -> None:
    """RFC 2045 §6.1, with comments."""
    assert encoding_of(value.encode()) == encoding
