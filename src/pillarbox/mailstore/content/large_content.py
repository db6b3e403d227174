"""A huge message: its file, read in blocks as content with CRLF line ends.

DESCRIPTION
    `LargeContent` is `message.content.Content` over a file whose lines end in LF or CRLF.  One reading finds out
    how many octets each block has with CRLF; from then on any place is found by that table, which has 16 octets for
    256 KiB.  A few blocks are kept; no more of the message is ever in memory.

    The descriptor is closed with the object.  Calls block: `run` makes them in a worker thread.  Several threads
    may read at once.

FAULTS
    OSError           the file cannot be read
    StoreUnavailable  a piece of more than `MAX_PIECE` is asked for at once: a header without end

STANDARDS
    RFC 3501 §2.3.4 (sizes count CRLF)
"""

import asyncio
import os
import threading
import weakref
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import Executor
from functools import partial
from typing import Final, TypeVar

import msgspec

from pillarbox.files.file_system import DISK, FileSystem
from pillarbox.mailstore.faults import StoreUnavailable
from pillarbox.message import mime_tree
from pillarbox.message.line_ends import crlf_size, to_crlf

LARGE: Final = 1 << 20
"""Octets of a file from which on it is read in blocks."""
BLOCK: Final = 1 << 18
"""Octets of the file that are read at once."""
MAX_PIECE: Final = 1 << 26
"""Octets that are handed out at once."""
MAX_SEARCHED: Final = 1 << 22
"""Octets of a text part of a huge message that are searched."""
_KEPT_BLOCKS: Final = 4

_T = TypeVar("_T")


class LargeContent:
    """Of one file."""

    def __init__(
        self,
        descriptor: int,
        directory: bytes,
        *,
        files: FileSystem = DISK,
        executor: Executor | None = None,
        as_it_is: bool = False,
    ) -> None:
        """The descriptor is the object's from here on.  Blocks.

        `directory` is for files that are gone when they are closed; `as_it_is` for octets that are no lines.
        """
        self._descriptor = descriptor
        self._directory = directory
        self._files = files
        self._executor = executor
        self._as_it_is = as_it_is
        self._blocks: OrderedDict[int, bytes] = OrderedDict()
        self._mutex = threading.Lock()
        self.memo: dict[object, object] = {}
        """What was found out about the content, the tree of its parts for one."""
        self._end = weakref.finalize(self, files.close, descriptor)
        self._stored: list[int] = [0]  # where each block begins in the file, and the end
        self._starts: list[int] = [0]  # the same in the content
        size = files.fstat(descriptor).st_size
        while self._stored[-1] < size:
            block = self._read(self._stored[-1], min(BLOCK, size - self._stored[-1]))
            if not block:
                break  # somebody has cut the file short
            self._stored.append(self._stored[-1] + len(block))
            self._starts.append(self._starts[-1] + (len(block) if as_it_is else crlf_size(block)))

    def __len__(self) -> int:
        return self._starts[-1]

    def __getitem__(self, key: slice, /) -> bytes:
        start, end, _ = key.indices(len(self))
        if end - start > MAX_PIECE:
            raise StoreUnavailable(f"{end - start} octets of a message are wanted at once")
        return b"".join(self.blocks(start, end))

    def piece(self, start: int, end: int) -> bytes:
        """What is there, to call it in a thread."""
        return self[start:end]

    def find(self, sub: bytes, start: int = 0, end: int | None = None, /) -> int:
        """As bytes.find."""
        end = len(self) if end is None else min(end, len(self))
        overlap = len(sub) - 1
        before = b""  # the end of the last block, in which a match could begin
        number = bisect_right(self._starts, start) - 1
        while start < end:
            begin = self._starts[number]
            block = self._block(number)
            first, last = start - begin, min(len(block), end - begin)
            if before:
                found = (before + block[first : min(last, first + overlap)]).find(sub)
                if found >= 0:
                    return start - len(before) + found
            found = block.find(sub, first, last)
            if found >= 0:
                return begin + found
            if overlap:
                before = (before + block[max(first, last - overlap) : last])[-overlap:]
            start = begin + len(block)
            number += 1
        return -1

    def count(self, sub: bytes, start: int = 0, end: int | None = None, /) -> int:
        """As bytes.count, of one octet."""
        return sum(block.count(sub) for block in self.blocks(start, len(self) if end is None else end))

    def startswith(self, prefix: bytes | tuple[bytes, ...], start: int = 0, /) -> bool:
        """As bytes.startswith."""
        longest = len(prefix) if isinstance(prefix, bytes) else max(map(len, prefix), default=0)
        return self[start : start + longest].startswith(prefix)

    def blocks(self, start: int = 0, end: int | None = None) -> Iterator[bytes]:
        """The content from `start` to `end`, cut as it comes."""
        end = len(self) if end is None else min(end, len(self))
        number = bisect_right(self._starts, start) - 1
        while start < end:
            begin = self._starts[number]
            block = self._block(number)
            yield (
                block if start == begin and begin + len(block) <= end else block[start - begin : end - begin]
            )
            start = begin + len(block)
            number += 1

    def after_lines(self, start: int, lines: int) -> int:
        """Where so many lines that begin at `start` end."""
        at = start
        for block in self.blocks(start) if lines else ():
            count = block.count(b"\n")
            if count >= lines:
                end = 0
                for _ in range(lines):
                    end = block.index(b"\n", end) + 1
                return at + end
            lines -= count
            at += len(block)
        return at

    async def run(self, function: Callable[..., _T], *arguments: object) -> _T:
        """Call something in a worker thread that reads here."""
        loop = asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(self._executor, partial(function, *arguments))
        except OSError as error:
            raise StoreUnavailable(f"message file: {error.strerror}") from error

    def remember(self, key: object, make: Callable[["LargeContent"], _T]) -> _T:
        """What was made of the content before under this key, or is now."""
        found = self.memo.get(key)
        if found is None:
            found = self.memo[key] = make(self)
        made: _T = found  # type: ignore[assignment]  # a key stands for one function
        return made

    def derived(self, octets: Iterator[bytes]) -> "LargeContent":
        """Octets that were made of the content, in a file beside its own that goes with the result."""
        files = self._files
        descriptor = unnamed_file(self._directory, b"decoded." + os.urandom(8).hex().encode("ascii"), files)
        try:
            for block in octets:
                files.write_all(descriptor, [block])
        except BaseException:
            files.close(descriptor)
            raise
        return LargeContent(descriptor, self._directory, files=files, executor=self._executor, as_it_is=True)

    def _block(self, number: int) -> bytes:
        with self._mutex:
            block = self._blocks.get(number)
            if block is not None:
                self._blocks.move_to_end(number)
                return block
        size = self._stored[number + 1] - self._stored[number]
        stored = self._files.pread(self._descriptor, size, self._stored[number])
        block = stored if self._as_it_is else to_crlf(stored)
        if len(block) != self._starts[number + 1] - self._starts[number]:
            raise StoreUnavailable("a message file has changed while it was read")
        with self._mutex:
            self._blocks[number] = block
            while len(self._blocks) > _KEPT_BLOCKS:
                self._blocks.popitem(last=False)
        return block

    def _read(self, at: int, size: int) -> bytes:
        """A block that does not end within a CRLF."""
        block = self._files.pread(self._descriptor, size, at)
        if not self._as_it_is and len(block) > 1 and block.endswith(b"\r") and len(block) == BLOCK:
            return block[:-1]
        return block


class Span(msgspec.Struct, frozen=True):
    """A piece of a huge message that is sent in blocks."""

    content: LargeContent
    start: int
    end: int

    def __len__(self) -> int:
        return max(0, self.end - self.start)

    def cut(self, first: int, count: int) -> "Span":
        """`count` octets from `first` on."""
        start = min(self.start + first, self.end)
        return Span(self.content, start, min(start + count, self.end))


def searchable(content: LargeContent) -> bytes:
    """A message with what SEARCH looks at: headers, and of each text part the first `MAX_SEARCHED` octets."""
    pieces: list[bytes] = []
    end = 0
    waiting = [content.remember("tree", mime_tree.parse)]
    room = MAX_PIECE // 4
    while waiting and room > 0:
        part = waiting.pop()
        # The boundary line before the header, and the header: what is before may be huge.
        pieces.append(content[max(end, part.header_start - BLOCK) : part.body_start])
        end = part.body_start
        if part.children:
            waiting += reversed(part.children)
            continue
        kind = part.content_type
        if kind is None or kind.type.lower() in (b"text", b"message"):
            length = min(part.body_end - end, MAX_SEARCHED)
            pieces.append(content[end : end + length])
            room -= length
        end = part.body_end
    return b"".join([*pieces, content[end : end + MAX_SEARCHED]])


def crlf_in_memory(content: "bytes | LargeContent") -> bytes:
    """The message, or of a huge one what SEARCH looks at, with CRLF line ends."""
    return to_crlf(content) if isinstance(content, bytes) else searchable(content)


async def pieces_of(text: "bytes | LargeContent | Span") -> AsyncIterator[bytes]:
    """What is to be sent or stored, in pieces, read in worker threads where it is huge."""
    if isinstance(text, bytes):
        for start in range(0, len(text), BLOCK):
            yield text[start : start + BLOCK]
        return
    span = Span(text, 0, len(text)) if isinstance(text, LargeContent) else text
    at = span.start
    while at < span.end:
        piece = await span.content.run(span.content.piece, at, min(at + BLOCK, span.end))
        yield piece
        at += len(piece)


def unnamed_file(directory: bytes, name: bytes, files: FileSystem = DISK) -> int:
    """The descriptor of a file that is gone when it is closed, to be written and read."""
    path = directory + b"/" + name
    descriptor = files.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
    files.unlink(path)
    return descriptor
