"""A message on its way into a mailbox that is written to its file as it comes.

DESCRIPTION
    `SpoolFile`, a `mailbox.Spool`, is a file in the mailbox's tmp/, with LF line ends, or packed as the mailbox
    wants it.  `add` takes what comes, `finish` brings it to the disk; then the mailbox's `append` takes it
    instead of octets and gives the file its name.  Whatever happened, `discard` is said in the end: it removes
    what nobody has taken.

    A crash leaves a file in tmp/, which is removed after 36 hours by whoever opens the mailbox.

FAULTS
    A fault of the disk is kept: what comes after it is not written, and `finish` raises OverQuota or
    StoreUnavailable.

STANDARDS
    https://cr.yp.to/proto/maildir.html
"""

import asyncio
import os
from collections.abc import Callable
from concurrent.futures import Executor
from functools import partial
from typing import TypeVar

from pillarbox.files.file_system import FileSystem
from pillarbox.mailstore.content.large_content import LARGE, LargeContent
from pillarbox.mailstore.content.packing import packer
from pillarbox.mailstore.deliver import fault_of
from pillarbox.mailstore.faults import OverQuota, StoreUnavailable
from pillarbox.message.line_ends import crlf_size, to_crlf, to_lf

_T = TypeVar("_T")


class SpoolFile:
    """`mailbox.Spool` in a file."""

    def __init__(
        self,
        maildir: bytes,
        name: bytes,
        *,
        files: FileSystem,
        executor: Executor | None,
        packing: tuple[str, int] | None,
    ) -> None:
        """`name` is new in tmp/; the file is made with the first octets."""
        self.path = b"%b/tmp/%b" % (maildir, name)
        self.size = 0
        self.crlf_size = 0
        self._maildir = os.fsdecode(maildir)
        self._files = files
        self._executor = executor
        self._packer = None if packing is None else packer(*packing)
        self._descriptor = -1
        self._is_made = False
        self._held = b""  # a CR that may belong to a CRLF
        self.fault: OverQuota | StoreUnavailable | None = None
        """What went wrong so far."""

    async def add(self, data: bytes) -> None:
        """Take octets with any line ends."""
        await self._run(self.write, data)

    async def finish(self) -> None:
        """All has come, and is on the disk."""
        await self._run(self.end)
        if self.fault is not None:
            raise self.fault

    async def content(self) -> bytes | LargeContent:
        """What has come; only where messages are not packed."""
        return await self._run(self._content)

    async def discard(self) -> None:
        """Remove the file, if it still has its name in tmp/."""
        await self._run(self.remove)

    async def _run(self, function: Callable[..., _T], *arguments: object) -> _T:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._executor, partial(function, *arguments))

    def write(self, data: bytes) -> None:
        """`add`, in this thread."""
        data = self._held + data
        self._held = b"\r" if data.endswith(b"\r") else b""
        self._put(to_lf(data[:-1] if self._held else data))

    def _put(self, data: bytes) -> None:
        if self.fault is not None:
            return
        self.size += len(data)
        self.crlf_size += crlf_size(data)
        try:
            if self._descriptor < 0:
                flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
                self._descriptor = self._files.open(self.path, flags, 0o600)
                self._is_made = True
            self._files.write_all(
                self._descriptor, [data if self._packer is None else self._packer.add(data)]
            )
        except OSError as error:
            self.fault = fault_of(error, self._maildir)

    def end(self) -> None:
        """`finish`, in this thread; `fault` says whether it went well."""
        held, self._held = self._held, b""
        self._put(held)
        if self.fault is None and self._descriptor >= 0:
            try:
                if self._packer is not None:
                    self._files.write_all(self._descriptor, [self._packer.end()])
                self._files.fsync(self._descriptor)
            except OSError as error:
                self.fault = fault_of(error, self._maildir)
        self._close()

    def _content(self) -> bytes | LargeContent:
        try:
            descriptor = self._files.open(self.path, os.O_RDONLY)
            if self.size >= LARGE:
                return LargeContent(
                    descriptor, os.path.dirname(self.path), files=self._files, executor=self._executor
                )
            try:
                return to_crlf(self._files.read(descriptor, self.size + 1))
            finally:
                self._files.close(descriptor)
        except OSError as error:
            raise StoreUnavailable(f"{os.fsdecode(self.path)}: {error.strerror}") from error

    def remove(self) -> None:
        """`discard`, in this thread."""
        self._close()
        if self._is_made:
            self._is_made = False
            try:
                self._files.unlink(self.path)
            except OSError:
                return  # it has another name by now, or there is nothing more to be done about it

    def _close(self) -> None:
        if self._descriptor >= 0:
            descriptor, self._descriptor = self._descriptor, -1
            self._files.close(descriptor)
