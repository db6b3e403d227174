"""BODY[…] of FETCH."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pillarbox.message.header_fields import header_end, select_fields
from pillarbox.sessions.imap.sections import MAX_ALTERNATIVES, SectionRenderer
from pillarbox.wire.imap.fetch_items import Section, SectionPart

MESSAGE = b"Subject: x\r\nTo: a\r\nX-To: b\r\nTO : c\r\n d\r\n\r\nbody\0end"
FIELDS = SectionPart.HEADER_FIELDS

CASES = [
    ("everything", Section(b"BODY[]"), b"BODY[] {50}\r\n" + MESSAGE.replace(b"\0", b"\x80")),
    ("the header", Section(b"H", part=SectionPart.HEADER), b"H {42}\r\n" + MESSAGE[:42]),
    ("the text, NUL made 0x80", Section(b"T", part=SectionPart.TEXT), b"T {8}\r\nbody\x80end"),
    ("a field, folded and twice", Section(b"F", part=FIELDS, fields=(b"to",)), b"F {21}\r\nTo: a\r\nTO : c\r\n d\r\n\r\n"),
    ("no such field", Section(b"F", part=FIELDS, fields=(b"cc",)), b"F {2}\r\n\r\n"),
    (
        "all fields but",
        Section(b"F", part=SectionPart.HEADER_FIELDS_NOT, fields=(b"To", b"x-to")),
        b"F {14}\r\nSubject: x\r\n\r\n",
    ),
    ("a piece", Section(b"BODY[]", partial=(1, 3)), b"BODY[]<1> {3}\r\nubj"),
    ("a piece past the end", Section(b"BODY[]", partial=(99, 3)), b"BODY[]<99> {0}\r\n"),
    ("the only part", Section(b"BODY[1]", (1,)), b"BODY[1] {8}\r\nbody\x80end"),
    ("a part that is not there", Section(b"BODY[2]", (2,)), b"BODY[2] {0}\r\n"),
]  # fmt: skip


@pytest.mark.parametrize(("section", "expected"), [row[1:] for row in CASES], ids=[row[0] for row in CASES])
def test_sections(section: Section, expected: bytes) -> None:
    """RFC 3501 §6.4.5; what is not there is empty, as with Dovecot."""
    assert expected == b"".join(*SectionRenderer([section]).from_content(MESSAGE))


def test_sections_of_the_header_need_no_more() -> None:
    """The header from the cache is enough, and gives the same."""
    sections = [section for _, section, _ in CASES[1:2] + CASES[3:6]]
    renderer = SectionRenderer(sections)
    assert renderer.needs_only_header
    expected = b" ".join([label + text for label, text in renderer.from_content(MESSAGE)])
    assert [expected] * 2 == renderer.from_headers([MESSAGE[:42]] * 2)
    assert not SectionRenderer([*sections, Section(b"BODY[]")]).needs_only_header


PIECES = [
    b"From",
    b": x",
    b"\r\n",
    b" fold",
    b"to ",
    b":",
    b"\r",
    b"Subject",
    b"\t",
    b"FROM:",
    b"from",
    b"\r\n\r\n",
    b"Received: by a\r\n\tx\r\n",
    b"]x:",
    b"-a: b\r\n",
]
NAMES = [b"From", b"TO", b"]X", b"^x", b"-a", b"a%d"]


@given(
    st.lists(st.sampled_from(PIECES), max_size=12).map(b"".join),
    st.sets(st.sampled_from(NAMES), min_size=1),
    st.sampled_from([0, MAX_ALTERNATIVES]),
)
def test_the_fast_way_to_fields_is_the_plain_one(text: bytes, names: set[bytes], others: int) -> None:
    """One expression over the header finds what the reader of fields finds, whatever the names, and however many."""
    header = text + b"\r\n\r\n"
    header = header[: header_end(header)]
    expected = select_fields(header, {name.lower() for name in names})
    asked = (*names, *(b"Absent-%d" % number for number in range(others)))
    renderer = SectionRenderer([Section(b"F", part=FIELDS, fields=asked)])
    assert [b"F {%d}\r\n%b" % (len(expected), expected)] == renderer.from_headers([header])
    assert [expected] == [text + b"\r\n" for text in renderer.fields_of([header])]


def test_when_some_fields_are_all_that_is_asked_for() -> None:
    """One section, whole; not its size, a piece, or that of a part."""
    fields = (b"to",)
    assert b"F" == SectionRenderer([Section(b"F", part=FIELDS, fields=fields)]).only_fields
    for others in (
        [Section(b"F", part=FIELDS, fields=fields, partial=(0, 5))],
        [Section(b"F", part=FIELDS, fields=fields, only_size=True)],
        [Section(b"F", (1,), part=FIELDS, fields=fields)],
        [Section(b"F", part=SectionPart.HEADER)],
        [Section(b"F", part=FIELDS, fields=fields)] * 2,
    ):
        assert SectionRenderer(others).only_fields is None


@pytest.mark.parametrize(
    ("message", "all_but_subject"),
    [
        (b"Subject: a\r\nTo: b\r\n\r\nbody", b"To: b\r\n\r\n"),
        (b"Subject: a\r\nTo: b\r\n\r\n", b"To: b\r\n\r\n"),
        (b"Subject: a\r\nTo: b\r\n", b"To: b\r\n"),
        (b"Subject: a\r\n", b""),
        (b"\r\nbody", b"\r\n"),
        (b"only a line", b"only a line"),
    ],
)
def test_the_empty_line_is_there_only_if_the_message_has_it(message: bytes, all_but_subject: bytes) -> None:
    """HEADER.FIELDS.NOT, of a message without a body (RFC 3501 §6.4.5)."""
    section = Section(b"BODY[]", part=SectionPart.HEADER_FIELDS_NOT, fields=(b"Subject",))
    [(label, text)] = SectionRenderer([section]).from_content(message)
    assert (label, text) == (b"BODY[] {%d}\r\n" % len(all_but_subject), all_but_subject)
