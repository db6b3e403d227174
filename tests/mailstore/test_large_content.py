"""A huge message in its file says what the same octets in memory say."""

import asyncio
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fakes.varied_messages import varied_messages
from pillarbox.mailstore.content import large_content
from pillarbox.mailstore.content.file_content import packed_content
from pillarbox.mailstore.content.large_content import LargeContent, Span, pieces_of, searchable
from pillarbox.mailstore.mailbox import Fields, NewMessage, StoreUnavailable
from pillarbox.mailstore.maildir.account import MaildirAccount
from pillarbox.message import mime_tree
from pillarbox.message.body_structure import render
from pillarbox.message.header_fields import header_end
from pillarbox.message.line_ends import to_crlf
from pillarbox.message.message_summary import summarise
from pillarbox.message.part_content import decoded_blocks, decoded_body
from pillarbox.message.preview import preview
from pillarbox.vocabulary.identifiers import Uid

STORED = st.lists(st.sampled_from([b"\r", b"\n", b"\r\n", b".", b"-", b"a", b"--b"]), max_size=40).map(
    b"".join
)


def in_file(octets: bytes) -> LargeContent:
    """The content of a file that holds these octets."""
    descriptor = os.memfd_create("message")
    os.write(descriptor, octets)
    return LargeContent(descriptor, b"/tmp")


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """A message of a few octets has many blocks."""
    monkeypatch.setattr(large_content, "BLOCK", 7)


@given(stored=STORED, start=st.integers(0, 60), length=st.integers(0, 60), sub=STORED.filter(bool))
def test_it_is_like_bytes(stored: bytes, start: int, length: int, sub: bytes) -> None:
    """Pieces, searches and counts, wherever blocks end."""
    octets, content = to_crlf(stored), in_file(stored)
    end = start + length
    assert len(octets) == len(content)
    assert octets == b"".join(content.blocks())
    assert octets[start:end] == content[start:end]
    assert octets[start:] == content[start:]
    assert octets.find(sub, start, end) == content.find(sub, start, end)
    assert octets.find(sub, start) == content.find(sub, start)
    assert octets.count(b"\n", start, end) == content.count(b"\n", start, end)
    assert octets.startswith((sub, b"\r\n"), start) == content.startswith((sub, b"\r\n"), start)
    assert octets[start:end] == asyncio.run(joined(Span(content, 0, len(content)).cut(start, length)))
    for lines in range(4):
        expected = (
            len(b"".join(octets[start:].splitlines(keepends=True)[:lines])) if b"\r" not in stored else None
        )
        if expected is not None and start <= len(octets):
            assert start + expected == content.after_lines(start, lines)


async def joined(span: Span) -> bytes:
    """What is sent of it."""
    return b"".join([piece async for piece in pieces_of(span)])


def test_parsers_read_it_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    """Structure, summary, preview and decoded parts, of all sorts of messages."""
    monkeypatch.setattr(large_content, "BLOCK", 61)
    monkeypatch.setattr("pillarbox.message.part_content._BLOCK", 61)
    for message in varied_messages(50):
        octets, content = to_crlf(message), in_file(message)
        assert header_end(octets) == header_end(content)
        tree = mime_tree.parse(octets)
        assert tree == mime_tree.parse(content), message
        assert render(octets, tree) == render(content, tree)
        assert summarise(octets) == summarise(content), message
        assert preview(octets) == preview(content)
        waiting = [tree]
        while waiting:
            part = waiting.pop()
            waiting += part.children
            if not part.children:
                assert decoded_body(octets, part) == b"".join(decoded_blocks(content, part)), message


def test_a_piece_without_end_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """A header of more than is held in memory."""
    monkeypatch.setattr(large_content, "MAX_PIECE", 20)
    content = in_file(b"Subject: x\n" * 5)
    assert b"Subject: x\r\n" == content[:12]
    with pytest.raises(StoreUnavailable, match="wanted at once"):
        content[: header_end(content)]


def test_what_is_searched_is_the_text() -> None:
    """Attachments are left out, headers and texts are not."""
    head = b"Subject: one\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\ntext\r\n--b\r\n"
    attached = (
        b"Content-Type: image/png; name=two\r\n\r\n" + b"x" * 5000 + b"\r\n--b\r\n\r\nlast\r\n--b--\r\n"
    )
    found = searchable(in_file(head + attached))
    assert all(word in found for word in (b"Subject: one", b"\r\ntext", b"name=two", b"\r\nlast"))
    assert len(found) < 300


@pytest.fixture
def low_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Messages of a few hundred octets are huge."""
    monkeypatch.setattr("pillarbox.mailstore.content.message_files.LARGE", 300)
    monkeypatch.setattr("pillarbox.mailstore.content.spool.LARGE", 300)


@pytest.mark.usefixtures("low_limits")
@pytest.mark.parametrize("packing", [None, ("gz", 6), ("bz2", 0), ("zstd", 3), ("lz4", 0)])
def test_through_a_mailbox(
    tmp_path: Path, packing: tuple[str, int] | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Spooled, stored, read, copied into another account: the octets, sizes and the summary are those of the message."""
    octets = b"Subject: huge\r\n\r\n" + b"".join(b"line %d\r\n" % number for number in range(300))
    monkeypatch.setattr("pillarbox.mailstore.content.file_content.MAX_PLAIN", 400)

    async def scene() -> None:
        account = MaildirAccount(str(tmp_path / "M"), packing=packing)
        box = await account.open("INBOX")
        spool = await box.spool(len(octets))
        for at in range(0, len(octets), 11):
            await spool.add(octets[at : at + 11])
        await spool.finish()
        [uid] = await box.append([NewMessage(spool)])
        await spool.discard()
        assert [] == os.listdir(tmp_path / "M" / "tmp")
        [name] = os.listdir(tmp_path / "M" / "cur")
        assert f",S={len(octets) - 302},W={len(octets)}:" in name
        content = await box.content(uid)
        assert isinstance(content, LargeContent)
        assert octets == b"".join(content.blocks())
        assert content is await box.content(uid)
        [summary] = await box.summaries([uid], Fields.SIZE | Fields.HEADER | Fields.BODYSTRUCTURE)
        assert (len(octets), b"Subject: huge\r\n\r\n") == (summary.size, summary.header)
        assert b'"7bit" %d 300' % (len(octets) - len(summary.header)) in summary.body_structure
        assert [uid] == await box.matching([uid], lambda text: b"line 299" in text)
        other = await MaildirAccount(str(tmp_path / "N")).open("INBOX")
        [(_, copied)] = await box.copy([uid], other)
        copy = await other.content(Uid(copied))
        assert isinstance(copy, LargeContent)
        assert octets == b"".join(copy.blocks())
        assert [] == os.listdir(tmp_path / "M" / "tmp") == os.listdir(tmp_path / "N" / "tmp")

    asyncio.run(scene())


@pytest.mark.usefixtures("low_limits")
@pytest.mark.parametrize(
    "damage",
    [lambda data: data[: len(data) // 2], lambda data: data[:60] + b"x" * 400],
    ids=["cut", "overwritten"],
)
@pytest.mark.parametrize("algorithm", ["gz", "bz2", "zstd", "lz4"])
def test_a_damaged_packed_file(tmp_path: Path, algorithm: str, damage: Callable[[bytes], bytes]) -> None:
    """It is told, and leaves nothing behind."""
    packed = packed_content(os.urandom(3000), algorithm, 0)

    async def scene() -> None:
        box = await MaildirAccount(str(tmp_path / "M")).open("INBOX")
        (tmp_path / "M" / "cur" / "1.x:2,").write_bytes(damage(packed))
        await box.refresh()
        with pytest.raises(StoreUnavailable, match="message file is"):
            await box.content(Uid(1))
        assert [] == os.listdir(tmp_path / "M" / "tmp")

    asyncio.run(scene())


def test_a_spool_that_nobody_takes_leaves_nothing(tmp_path: Path) -> None:
    """Whether or not anything was written."""

    async def scene() -> None:
        box = await MaildirAccount(str(tmp_path / "M")).open("INBOX")
        empty, begun = await box.spool(5), await box.spool(5)
        await begun.add(b"hello\r")
        assert 1 == len(os.listdir(tmp_path / "M" / "tmp"))
        await begun.finish()
        assert b"hello\r" == await begun.content()
        for spool in (empty, begun):
            await spool.discard()
        assert [] == os.listdir(tmp_path / "M" / "tmp")

    asyncio.run(scene())
