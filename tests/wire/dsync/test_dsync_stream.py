"""Lines, streams and states of dsync, in both directions and in any pieces (wire/dsync/)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pillarbox.wire.dsync.fields import DsyncFault, divide, escape, join, unescape
from pillarbox.wire.dsync.kinds import ATTRIBUTE, CHANGE, FINISH, HANDSHAKE, MAIL, MAILBOX, NODE, greeting
from pillarbox.wire.dsync.states import CommonState, decode_states, encode_states
from pillarbox.wire.dsync.stream import DotWriter, Event, Incoming, Item, Mark, Piece

GUID = b"4b55191c92b90a6bd45b000083ecc375"
# As a Dovecot 2.3.19 wrote them.
LINES = [
    (NODE, {"name": b"Work\tSub", "existence": b"y", "mailbox_guid": GUID, "uid_validity": b"1795864980"}),
    (CHANGE, {"type": b"s", "uid": b"2", "guid": b"1.M2P3.vm,S=23", "modseq": b"8", "add_flags": b"8"}),
    (CHANGE, {"type": b"e", "uid": b"1", "guid": b"3bc1d11ab79c28ae35a6c412cc829080"}),
    (FINISH, {}),
    (ATTRIBUTE, {"type": b"p", "key": b"comment", "value": b"\x02 two\nlines\t\x01 and \0"}),
]
WRITTEN = [
    b"NWork\x01tSub\ty\t" + GUID + b"\t1795864980\n",
    b"Cs\t2\t1.M2P3.vm,S=23\t\x02\t8\t\x02\t8\n",
    b"Ce\t1\t3bc1d11ab79c28ae35a6c412cc829080\n",
    b"F\n",
    b"Ap\tcomment\t\x02\x02 two\x01nlines\x01t\x011 and \x010\n",
]


def events(octets: bytes, step: int) -> list[Event]:
    """What comes of octets that come `step` at a time; pieces of one stream put together."""
    incoming, found = Incoming(), list[Event]()
    for at in range(0, len(octets), step):
        incoming.feed(octets[at : at + step])
        while (event := incoming.next_event()) is not Mark.NEED_DATA:
            last = found[-1] if found else None
            if isinstance(event, Piece) and isinstance(last, Piece):
                found[-1] = Piece(last.octets + event.octets)
            else:
                found.append(event)
    return found


@pytest.mark.parametrize("number", range(len(LINES)))
@pytest.mark.parametrize("step", [1, 7, 10_000])
def test_lines_are_written_and_read(number: int, step: int) -> None:
    """Both ways the same."""
    kind, values = LINES[number]
    assert kind.line(values) == WRITTEN[number]
    assert events(greeting() + WRITTEN[number] + b".\nX\n", step) == [
        Item(kind, values),
        Mark.END_OF_LIST,
        Mark.DONE,
    ]


def test_keys_are_in_the_senders_order() -> None:
    """Keys that are not known are there, too."""
    heading = b"Nexistence\tfrob\tname\n"
    others = greeting().replace(NODE.heading(), heading)
    assert events(others + b"Ny\tx\tWork\n", 100) == [
        Item(NODE, {"existence": b"y", "frob": b"x", "name": b"Work"})
    ]
    assert events(greeting().replace(b"\t3\t5\n", b"\t3\t9\n") + b".\n", 100) == [Mark.END_OF_LIST]


@pytest.mark.parametrize(
    ("octets", "fault"),
    [
        (b"HELLO\n", "compatible protocol"),
        (b"VERSION\tdsync\t4\t0\n", "compatible protocol"),
        (b"VERSION\tdsync\t3\tx\n", "compatible protocol"),
        (b"VERSION\tdsync\t3\t5\nNname\n", "Header missing required field existence"),
        (b"VERSION\tdsync\t3\t5\n.\n", "Remote didn't handshake deserializer for handshake"),
        (greeting() + b"?\n", "Received unexpected input ?"),
        (greeting() + b"NWork\n", "Missing required field existence"),
        (greeting() + b"Hvm\t\n" + b"H\x02\n", "Missing required field hostname"),
    ],
)
def test_faults(octets: bytes, fault: str) -> None:
    """What the other side may not say."""
    with pytest.raises(DsyncFault, match=fault.replace("?", r"\?")):
        events(octets, 5)


@pytest.mark.parametrize(
    ("content", "sent"),
    [
        (b"", b"\r\n.\r\n"),
        (b".first\n.second\n", b".first\n..second\n\r\n.\r\n"),
        (b"a\r\n.\r\n.b", b"a\r\n..\r\n..b\r\n.\r\n"),
        (b"ends with\r", b"ends with\r\r\n.\r\n"),
        (b"a\n\n", b"a\n\n\r\n.\r\n"),
    ],
)
@pytest.mark.parametrize("step", [1, 2, 3, 100])
def test_streams(content: bytes, sent: bytes, step: int) -> None:
    """A content that follows an item."""
    writer = DotWriter()
    written = b"".join(writer.add(content[at : at + step]) for at in range(0, len(content), step))
    assert written + writer.end() == sent
    line = MAIL.line({"guid": b"g", "stream": b""})
    found = events(greeting() + line + sent + b".\n", step)
    expected: list[Event] = [Piece(content)] if content else []
    assert found[1:] == [*expected, Mark.END_OF_VALUE, Mark.END_OF_LIST]


@given(
    st.lists(
        st.binary(max_size=12).map(lambda octets: octets.translate(b".\r\n\t\x01" * 51 + b"a")), max_size=6
    )
)
def test_any_content_and_values_come_as_they_were(parts: list[bytes]) -> None:
    """In any pieces."""
    content = b"".join(parts)
    writer = DotWriter()
    written = b"".join(map(writer.add, parts)) + writer.end()
    line = MAIL.line({"guid": content, "stream": b""})
    for step in (1, 3, 1000):
        found = events(greeting() + line + written, step)
        assert found[0] == Item(MAIL, {"guid": content, "stream": b""})
        assert b"".join(one.octets for one in found if isinstance(one, Piece)) == content
        assert found[-1] is Mark.END_OF_VALUE
    assert unescape(escape(content)) == content
    if parts:
        assert divide(join([content, *parts])) == [content, *parts]


def test_states() -> None:
    """The text of -s, as a Dovecot wrote it."""
    text = (
        "AQAAAEpVGRySuQpr1FsAAIPsw3WTuQprAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAASGDWCpK5CmvEWwAAg+zDdZK5CmsGAAAADQAA"
        "AAAAAAAAAAAAAAAAAAMAAAA3V0Yv"
    )
    states = decode_states(text)
    assert states[1] == CommonState(b"4860d60a92b90a6bc45b000083ecc375", 1795864978, 6, 13, 0, 3)
    assert encode_states(states) == text
    assert decode_states("AAAAAA==") == []
    for wrong, fault in [
        ("?", "base64"),
        ("AQAA", "small"),
        ("AQAAAAAAAAAAAA==", "size"),
        ("AQAAAAAAAAA=", "CRC32"),
    ]:
        with pytest.raises(ValueError, match=fault):
            decode_states(wrong)


def test_the_greeting_is_dovecots() -> None:
    """Version and headings."""
    lines = greeting().split(b"\n")
    assert lines[0] == b"VERSION\tdsync\t3\t5"
    assert lines[1].startswith(b"Hhostname\tsync_ns_prefix\tsync_box\tsync_box_guid\tsync_type\tdebug\t")
    assert MAILBOX.heading().endswith(b"\tcache_fields\thave_guids\thave_save_guids\thave_only_guid128\n")
    assert HANDSHAKE.keys[-1] == "alt_char"
    assert lines[-2:] == [b".", b""]
