"""Texts of huge messages, piece by piece, as doveadm prints them.

DESCRIPTION
    A message that would be too large for memory is read from its file while it is printed.  Octets that are no
    UTF-8 are surrogates, which standard output makes the same octets of again.
"""

import codecs
from collections.abc import Iterable, Iterator

from pillarbox.mailstore.content.large_content import LargeContent
from pillarbox.message.mime_tree import Part
from pillarbox.message.part_content import charset_of, decoded_blocks


def lf_text(blocks: Iterable[bytes]) -> Iterator[str]:
    """With LF line ends, as files have."""
    return raw_text(_with_lf(blocks))


def raw_text(blocks: Iterable[bytes]) -> Iterator[str]:
    """As it is."""
    return _decoded(blocks, "utf-8", "surrogateescape")


def readable_text(content: LargeContent, part: Part) -> Iterator[str]:
    """The body of a text part by its charset, with LF line ends."""
    held = ""
    for text in _decoded(decoded_blocks(content, part), charset_of(part), "replace"):
        text = held + text
        held = "\r" if text.endswith("\r") else ""
        yield text.removesuffix("\r").replace("\r\n", "\n")
    yield held


def _with_lf(blocks: Iterable[bytes]) -> Iterator[bytes]:
    held = b""
    for block in blocks:
        block = held + block
        held = b"\r" if block.endswith(b"\r") else b""
        yield block.removesuffix(b"\r").replace(b"\r\n", b"\n")
    yield held


def _decoded(blocks: Iterable[bytes], codec: str, errors: str) -> Iterator[str]:
    decoder = codecs.getincrementaldecoder(codec)(errors)
    for block in blocks:
        yield decoder.decode(block)
    yield decoder.decode(b"", final=True)
