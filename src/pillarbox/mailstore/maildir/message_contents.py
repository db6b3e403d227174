"""Messages of a folder as clients see them: with CRLF line ends, huge ones in pieces.

DESCRIPTION
    `read` and `matching` block, and are called in worker threads; `at_once` is for the event loop.
    The files of a few huge messages stay open, for clients ask for one piece after the other.

FAULTS
    MessageGone        it was expunged
    MessageUnreadable  it is damaged, or cannot be read
"""

from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from time import perf_counter
from typing import Final

from pillarbox.mailstore.content.large_content import LARGE, LargeContent, searchable
from pillarbox.mailstore.content.message_files import SMALL, message_at_once
from pillarbox.mailstore.faults import MessageUnreadable
from pillarbox.mailstore.mailbox import MessageGone
from pillarbox.mailstore.maildir.file_names import sizes
from pillarbox.mailstore.maildir.folder_files import FolderFiles
from pillarbox.message.line_ends import to_crlf
from pillarbox.vocabulary.identifiers import Uid

MAX_LARGE: Final = 4
"""Huge messages whose files stay open."""
HELD_UP: Final = 0.02
"""Seconds that reading a message on the event loop may take."""
BUSY: Final = 1.0
"""Seconds for which it is not tried again."""


class MessageContents:
    """Of one folder."""

    def __init__(self, folder: FolderFiles, executor: Executor | None) -> None:
        self._folder = folder
        self._executor = executor
        self._large: dict[int, LargeContent] = {}
        self._threads_until = 0.0

    def opened(self, uid: Uid) -> LargeContent | None:
        """A huge message whose file is open."""
        return self._large.get(uid)

    def is_huge(self, uid: Uid) -> bool:
        """Whether its file's name says that it is read in pieces; False, too, while a thread stores something."""
        base = self._folder.base_at_once(uid)
        return base is not None and (sizes(base)[0] or 0) >= LARGE

    def at_once(self, uid: Uid, *, limit: int = SMALL) -> bytes | None:
        """The message without waiting for anything; None if a thread has to read it, who finds out why.

        `limit`: octets of its file.

        A change of thread costs three times as much as reading a file that is in memory.  If one takes long all the
        same, the disk was asked where the file is, and threads read for a while.
        """
        began = perf_counter()
        folder = self._folder
        if began < self._threads_until or not folder.mutex.acquire(blocking=False):
            return None
        try:
            path = folder.path_of(uid)
        finally:
            folder.mutex.release()
        if path is None:
            return None
        try:
            stored = message_at_once(folder.files, path, limit=limit, known=folder.fresh.get(uid))
        except OSError:
            return None
        if perf_counter() - began > HELD_UP:
            self._threads_until = began + BUSY
        return None if stored is None else to_crlf(stored)

    def read(self, uid: Uid) -> bytes | LargeContent:
        """The whole message; a huge one in its file."""
        content, _ = self._folder.read(uid, self._executor)
        if isinstance(content, bytes):
            return to_crlf(content)
        self._large[uid] = content
        while len(self._large) > MAX_LARGE:
            self._large.pop(next(iter(self._large)), None)
        return content

    def matching(self, uids: Sequence[Uid], matches: Callable[[bytes], bool]) -> list[Uid]:
        """Those whose content matches; gone ones are left out, and unreadable ones, which are noted."""
        found = []
        for uid in uids:
            try:
                content, _ = self._folder.read(uid)
            except MessageGone:
                continue
            except MessageUnreadable as fault:
                self._folder.failed_reads.note(fault)
                continue
            if matches(content if isinstance(content, bytes) else searchable(content)):
                found.append(uid)
        return found

    def close(self) -> None:
        """Give back the files."""
        self._large.clear()
