"""A message's text, LF line ends, as agents copy it: a small one from memory, a large one in blocks.

DESCRIPTION
    A small message is read when its job comes, once for all mailboxes that get it.  A large one goes from the queue
    file into each Maildir, mbox file and command in blocks, so that no agent grows with it.

FAULTS
    Unreadable  the queue file cannot be read, or is damaged
    TooLarge    more octets than the mailbox takes
"""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Final

from pillarbox.files.file_system import DISK, FileSystem
from pillarbox.mailstore.deliver import Delivery, TooLarge, Unreadable
from pillarbox.queue.content_blocks import lf_blocks
from pillarbox.queue.file_source import FileSource
from pillarbox.queue.records import CorruptQueueFile

_LARGE: Final = 524288
"""Octets of a queue file from which on its content is not taken into memory."""


class MessageText:
    """The text of one message.  Its queue file has to stay open."""

    __slots__ = ("_offset", "_source", "_whole")

    def __init__(self, descriptor: int, offset: int, *, files: FileSystem = DISK) -> None:
        """`offset`: where the content begins in the queue file.  Unreadable."""
        self._source = FileSource(descriptor, files=files)
        self._offset = offset
        self._whole: bytes | None = None
        try:
            is_large = files.fstat(descriptor).st_size > _LARGE
        except OSError as error:
            raise Unreadable(str(error)) from error
        if not is_large:
            self._whole = b"".join(self._blocks())

    def blocks(self) -> Iterator[bytes]:
        """All of it, in blocks of whole lines.  Unreadable, whenever the next one is taken."""
        return self._blocks() if self._whole is None else iter((self._whole,))

    def delivery(
        self,
        maildir: str,
        head: bytes,
        *,
        size_limit: int = 0,
        named: Callable[[], None] | None = None,
    ) -> Delivery:
        """It goes into a Maildir behind `head`; both together may have `size_limit` octets (0: any number).

        `named` is called when it has its name there.

        TooLarge, unless only the reading of it will show that.
        """
        if self._whole is None:
            limit = size_limit - len(head) if size_limit else 0
            return Delivery(maildir, (head,), rest=partial(self._blocks, limit), named=named)
        if size_limit and len(head) + len(self._whole) > size_limit:
            raise TooLarge
        return Delivery(maildir, (head, self._whole), named=named)

    def _blocks(self, limit: int = 0) -> Iterator[bytes]:
        octets = 0
        try:
            for block in lf_blocks(self._source, self._offset):
                octets += len(block)
                if limit and octets > limit:
                    raise TooLarge
                yield block
        except (OSError, CorruptQueueFile) as error:
            raise Unreadable(str(error)) from error
