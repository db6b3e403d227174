"""The message as a mailbox, a file or a command gets it: what is put in front of it.

STANDARDS
    local(8), pipe(8): Return-Path:, X-Original-To:, Delivered-To:, in this order; RFC 4155 (the From line)
"""

from collections.abc import Iterable, Iterator

from pillarbox.delivery.local.frames import PipeContent, Recipient
from pillarbox.delivery.mbox import mbox_from_line, quote_from
from pillarbox.files.file_system import DISK, FileSystem
from pillarbox.queue.content_blocks import content_text
from pillarbox.queue.file_source import FileSource
from pillarbox.vocabulary.address import external_form


def content_of(descriptor: int, data_offset: int, *, files: FileSystem = DISK) -> bytes:
    """The message in a queue file, LF line ends.  CorruptQueueFile or OSError if it cannot be read."""
    return content_text(FileSource(descriptor, files=files), data_offset)


def from_line(sender: bytes, *, now: float) -> bytes:
    """`From sender  Mon Jan  1 00:00:00 2026`; the sender is in internal form."""
    return mbox_from_line(external_form(sender), now=now)


def as_piped(blocks: Iterable[bytes], form: PipeContent) -> Iterator[bytes]:
    """What pipe(8) hands to a command, of the message in blocks of whole lines."""

    def ended(text: bytes) -> bytes:
        return text if form.line_end == b"\n" else text.replace(b"\n", form.line_end)

    yield ended(form.prefix)
    for text in blocks:
        block = quote_from(text) if form.escape_from else text
        if form.dot_stuffing:
            block = block.replace(b"\n.", b"\n..")
            block = b"." + block if block.startswith(b".") else block
        yield ended(block)
    if form.blank_line:
        yield form.line_end


def trace_headers(recipient: Recipient, *, delivered_to: bool, original: bool) -> bytes:
    """Return-Path:, X-Original-To: if it may be known, and Delivered-To:, the two if they are wanted."""
    text = b"Return-Path: <%s>\n" % external_form(recipient.sender)
    if original and recipient.original:
        text += b"X-Original-To: %s\n" % external_form(recipient.original)
    if delivered_to:
        text += b"Delivered-To: %s\n" % external_form(recipient.delivered)
    return text
