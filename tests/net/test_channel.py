"""Frames between processes: whole, in order, with the descriptors that belong to them."""

import os
import socket

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pillarbox.net.channel import MAX_DESCRIPTORS, ChannelClosed, FrameReader, FrameWriter, receive_available


class Note(msgspec.Struct, frozen=True, tag=True):
    """A frame."""

    text: str


def octets_of(notes: list[str]) -> bytes:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        writer = FrameWriter()
        for note in notes:
            writer.put(Note(note))
        writer.write_to(ours)
        ours.close()
        return b"".join(iter(lambda: theirs.recv(65536), b""))


def new_reader() -> FrameReader[Note]:
    return FrameReader(msgspec.msgpack.Decoder(Note))


@given(st.lists(st.text(max_size=20), max_size=8), st.integers(1, 30))
def test_any_chunking_gives_the_same_frames(notes: list[str], step: int) -> None:
    """In order, each once."""
    sent = octets_of(notes)
    reader = new_reader()
    got = [frame.text for at in range(0, len(sent), step) for frame, _ in reader.feed(sent[at : at + step])]
    assert got == notes


def test_descriptors_come_with_their_frame() -> None:
    """Whatever frames are around it; the sender keeps its own."""
    ours, theirs = socket.socketpair()
    read_end, write_end = os.pipe()
    with ours, theirs:
        writer = FrameWriter()
        writer.put(Note("before"))
        writer.put(Note("with"), [write_end])
        writer.put(Note("after"))
        writer.write_to(ours)
        assert not writer.pending
        theirs.setblocking(False)
        reader = new_reader()
        got: list[tuple[Note, list[int]]] = []
        while len(got) < 3:
            data, descriptors = receive_available(theirs)
            got += reader.feed(data, descriptors)
        assert [(frame.text, len(passed)) for frame, passed in got] == [
            ("before", 0),
            ("with", 1),
            ("after", 0),
        ]
        os.write(got[1][1][0], b"x")
        os.close(got[1][1][0])
        assert os.read(read_end, 9) == b"x"
        os.close(write_end)
        os.close(read_end)


def test_descriptors_go_as_many_as_one_call_may_carry() -> None:
    """Twenty frames with one each take three calls, and each frame has its own."""
    ours, theirs = socket.socketpair()
    numbered = [os.memfd_create(str(number)) for number in range(20)]
    for number, descriptor in enumerate(numbered):
        os.write(descriptor, b"%d" % number)
    with ours, theirs:
        writer = FrameWriter()
        for number, descriptor in enumerate(numbered):
            writer.put(Note(str(number)), [descriptor])
        writer.write_to(ours)
        ours.shutdown(socket.SHUT_WR)
        reader = new_reader()
        calls = [receive_available(theirs) for _ in range(3)]
        got = [pair for data, passed in calls for pair in reader.feed(data, passed)]
        assert [len(passed) for _, passed in calls] == [MAX_DESCRIPTORS, MAX_DESCRIPTORS, 4]
        assert not any(os.get_inheritable(descriptor) for _, (descriptor,) in got)
        assert [os.pread(descriptor, 9, 0).decode() for _, (descriptor,) in got] == [
            frame.text for frame, _ in got
        ]
    for descriptor in (*numbered, *(descriptor for _, (descriptor,) in got)):
        os.close(descriptor)


BAD = [
    ("too long", b"\xff\xff\xff\xff\0"),
    ("descriptors that did not come", b"\0\0\0\1\1\xc0"),
    ("no msgpack", b"\0\0\0\1\0\xc1"),
    ("another type", b"\0\0\0\1\0\x01"),
]


@pytest.mark.parametrize("octets", [row[1] for row in BAD], ids=[row[0] for row in BAD])
def test_what_is_no_frame_closes_the_channel(octets: bytes) -> None:
    """A peer that speaks another language is gone for us."""
    with pytest.raises(ChannelClosed):
        new_reader().feed(octets)
