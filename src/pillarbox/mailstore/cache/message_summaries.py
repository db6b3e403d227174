"""Summaries of messages for FETCH: from the cache, or from the files and then into the cache.

DESCRIPTION
    `read_summaries` answers for a few hundred messages at once: one SELECT for those in the cache; the rest
    that deliverers have noted (mailstore/cache/arrivals.py) are told from there; what is left is
    read, parsed and rendered, and kept in one transaction.  Date and size alone need no parsing: the
    date is the file's mtime, the size is in its name.  Of an opened mailbox a size that is not is only counted: its
    cache is filled when nobody waits (mailstore/cache/filling.py), with the messages that are still there then,
    which those that a POP3 client takes away are not.

    When a message came into the mailbox is the file's ctime when it is seen first; later the ctime tells of
    changes of its flags.

    Blocks; called in worker threads.

STANDARDS
    RFC 3501 §2.3.3 (INTERNALDATE), §2.3.4 (RFC822.SIZE); RFC 8514 (SAVEDATE); RFC 8970 (PREVIEW)
"""

import os
from bisect import bisect_left
from collections.abc import Callable, Collection, Iterator, Sequence
from functools import partial
from typing import Final

import msgspec

from pillarbox.files.file_system import FileSystem
from pillarbox.mailstore.cache.arrivals import Arrival
from pillarbox.mailstore.cache.message_cache import Cache, Row
from pillarbox.mailstore.content.file_content import is_packed
from pillarbox.mailstore.content.large_content import LargeContent
from pillarbox.mailstore.content.message_files import Times
from pillarbox.mailstore.faults import MessageUnreadable
from pillarbox.mailstore.mailbox import Fields, MessageGone, MessageSummary
from pillarbox.mailstore.maildir.file_names import base, sizes
from pillarbox.mailstore.maildir.folder_files import FolderFiles
from pillarbox.mailstore.maildir.message_directories import CUR, base_at
from pillarbox.message.content import Content
from pillarbox.message.header_fields import header_end
from pillarbox.message.line_ends import crlf_size, to_crlf
from pillarbox.message.message_summary import summarise
from pillarbox.message.preview import preview
from pillarbox.vocabulary.digits import decimal, is_decimal
from pillarbox.vocabulary.identifiers import Uid

_FROM_FILE_NAME = Fields.DATE | Fields.SIZE
_SMALL: Final = 32768
_EXTRAS = Fields.HEADER | Fields.PREVIEW
_RENDERED = Fields.ENVELOPE | Fields.BODY | Fields.BODYSTRUCTURE


Writes = list[Callable[[], None]]
"""What is to be put into the cache when the client has its answer."""


def read_summaries(
    folder: FolderFiles,
    cache: Cache,
    number: int,
    uids: Sequence[int],
    *,
    fields: Fields,
    later: Writes | None = None,
) -> list[MessageSummary]:
    """Columns of the messages, in the order of `uids`; gone ones are left out, and unreadable ones, which are
    noted.

    What was found in files is put into the cache at once, or with `later` by whoever calls what is put there, and
    fills the cache besides.
    """
    writes: Writes = [] if later is None else later
    found = known_summaries(folder, cache, number, uids, fields)
    missing = [uid for uid in uids if uid not in found]
    if missing and not fields & ~_FROM_FILE_NAME:
        missing = _from_names(folder, missing, found, fields)
        if later is not None:
            _count(folder, missing, found, fields)
            missing = []
    if missing:
        if fields & _EXTRAS:
            missing = _add_extras(folder, cache, number, missing, found, fields)
        rows, contents = _from_files(folder, missing)
        if rows:
            writes.append(partial(cache.add, number, rows, with_header=bool(fields & Fields.HEADER)))
        previews = {}
        if fields & Fields.PREVIEW:
            previews = {row.uid: _preview(content) for row, content in zip(rows, contents, strict=True)}
            writes.append(partial(cache.add_previews, number, previews))
        for row in rows:
            found[row.uid] = _summary(row, previews.get(row.uid, b""))
    if later is None:
        for write in writes:
            write()
    return [found[uid] for uid in alive(folder, uids) if uid in found]


def known_summaries(
    folder: FolderFiles, cache: Cache, number: int, uids: Sequence[int], fields: Fields
) -> dict[int, MessageSummary]:
    """Those that the cache has or deliverers have noted, by UID."""
    found = cache.summaries(number, uids, fields)
    if len(found) < len(uids):
        base_of = _Bases(folder, [uid for uid in uids if uid not in found])
        for base, arrival in folder.arrivals.find(base_of).items():
            row = row_of_arrival(base_of.uids[base], arrival)
            found[row.uid] = _summary(row, arrival.preview)
    return found


class _Bases:
    """The bases of messages' files, found out when somebody wants them."""

    def __init__(self, folder: FolderFiles, uids: Sequence[int]) -> None:
        self._folder = folder
        self._wanted = uids
        self.uids: dict[bytes, int] = {}

    def __iter__(self) -> Iterator[bytes]:
        self.uids = {self._folder.base_of(uid): uid for uid in self._wanted}
        return iter(self.uids)


def _summary(row: Row, preview: bytes) -> MessageSummary:
    return MessageSummary(
        Uid(row.uid),
        row.date,
        row.size,
        row.envelope,
        row.body,
        row.body_structure,
        row.header,
        row.saved,
        preview,
    )


def fill_cache(folder: FolderFiles, cache: Cache, number: int, uids: Sequence[int]) -> list[Row]:
    """Put into the cache what is not there of `uids` (rising); what that was."""
    rows, contents = _from_files(folder, cache.missing(number, uids))
    cache.add(number, rows, with_header=False)
    found = zip(rows, contents, strict=True)
    cache.add_previews(
        number, {row.uid: _preview(content) for row, content in found if row.uid in folder.fresh}
    )
    return rows


def alive(folder: FolderFiles, uids: Sequence[int]) -> Sequence[int]:
    """Those of `uids` that are still there; a run of the mailbox's UIDs is compared at once."""
    if not uids:
        return uids
    with folder.mutex:
        row = bisect_left(folder.uids, uids[0])
        if folder.uids[row : row + len(uids)].tolist() == uids:
            return uids
        return [uid for uid in uids if folder.row(uid) >= 0]


def _from_names(
    folder: FolderFiles, uids: Sequence[int], found: dict[int, MessageSummary], fields: Fields
) -> list[int]:
    """Date and size without opening files; the UIDs for which that was not enough."""
    rest = []
    there, paths = folder.paths_of(uids)
    for uid, path in zip(there, paths, strict=True):
        _, size = sizes(base(path))
        if size is None and fields & Fields.SIZE:
            rest.append(uid)
            continue
        seconds = 0
        if fields & Fields.DATE:
            try:
                seconds = folder.files.stat(folder.directory + b"/" + path).st_mtime_ns // 10**9
            except FileNotFoundError:
                rest.append(uid)
                continue
        found[uid] = MessageSummary(Uid(uid), seconds, size or 0, b"", b"", b"", b"")
    return rest


def _count(
    folder: FolderFiles, uids: Sequence[int], found: dict[int, MessageSummary], fields: Fields
) -> None:
    """Date and size of messages whose names do not tell them."""
    if not fields & Fields.DATE:
        uids = _count_small(folder, uids, found)
    for uid in uids:
        opened = _read(folder, uid)
        if opened is not None:
            content, times = opened
            size = crlf_size(content) if isinstance(content, bytes) else len(content)
            found[uid] = MessageSummary(Uid(uid), times.modified // 10**9, size, b"", b"", b"", b"")


def _count_small(folder: FolderFiles, uids: Sequence[int], found: dict[int, MessageSummary]) -> list[int]:
    """Sizes of messages as most are, by three calls each; the UIDs of those that are not, or are not there."""
    rest = []
    there, paths = folder.paths_of(uids)
    for uid, path in zip(there, paths, strict=True):
        content = folder.fresh.get(uid)
        if content is None:
            content = _small_content(folder.files, folder.directory + b"/" + path)
        if content is None:
            rest.append(uid)
        else:
            found[uid] = MessageSummary(Uid(uid), 0, crlf_size(content), b"", b"", b"", b"")
    return rest


def _small_content(files: FileSystem, path: bytes) -> bytes | None:
    """What is in the file, if it is less than `_SMALL`, not packed, and can be read."""
    try:
        descriptor = files.open(path, os.O_RDONLY)
        try:
            content = files.read(descriptor, _SMALL)
        finally:
            files.close(descriptor)
    except OSError:
        return None
    return None if len(content) == _SMALL or is_packed(content) else content


def _add_extras(
    folder: FolderFiles,
    cache: Cache,
    number: int,
    uids: Sequence[int],
    found: dict[int, MessageSummary],
    fields: Fields,
) -> list[int]:
    """Headers and previews of messages whose summary is known; the UIDs of which nothing is known yet."""
    known = cache.summaries(number, uids, fields & ~_EXTRAS | _RENDERED)
    headers: dict[int, bytes] = {}
    previews: dict[int, bytes] = {}
    for uid, summary in known.items():
        opened = _read(folder, uid)
        if opened is None:
            continue
        content, _ = opened
        if fields & Fields.HEADER:
            headers[uid] = header_of(content)
        if fields & Fields.PREVIEW:
            previews[uid] = _preview(content)
        found[uid] = msgspec.structs.replace(
            summary, header=headers.get(uid, b""), preview=previews.get(uid, b"")
        )
    cache.add_headers(number, headers)
    cache.add_previews(number, previews)
    return [uid for uid in uids if uid not in known]


def header_of(content: bytes | LargeContent) -> bytes:
    """The header with CRLF line ends and the empty line."""
    if isinstance(content, bytes):
        return to_crlf(content[: _stored_header_end(content)])
    return content[: header_end(content)]


def _preview(content: bytes | LargeContent) -> bytes:
    return preview(to_crlf(content) if isinstance(content, bytes) else content)


def _stored_header_end(content: bytes) -> int:
    """Where the body begins in a file, whose lines may end in LF or CRLF."""
    if content.startswith((b"\n", b"\r\n")):
        return content.index(b"\n") + 1
    if b"\r" not in content:
        end = content.find(b"\n\n")
        return end + 2 if end >= 0 else len(content)
    ends = [end for mark in (b"\n\n", b"\n\r\n") if (end := content.find(mark)) >= 0]
    return content.index(b"\n", min(ends) + 1) + 1 if ends else len(content)


def _from_files(folder: FolderFiles, uids: Sequence[int]) -> tuple[list[Row], list[bytes | LargeContent]]:
    """What is kept of the messages, and the messages with any line ends."""
    rows = []
    contents = []
    there, paths = folder.paths_of(uids)
    for uid, path in zip(there, paths, strict=True):
        opened = _read(folder, uid)
        if opened is not None:
            content, times = opened
            rows.append(row_of(uid, base_at(path), content, times))
            contents.append(content)
    return rows, contents


def _read(folder: FolderFiles, uid: int) -> tuple[bytes | LargeContent, Times] | None:
    """The message and its file's times; None if it is gone, or unreadable, which is noted."""
    try:
        return folder.read(uid)
    except MessageGone:
        return None
    except MessageUnreadable as fault:
        folder.failed_reads.note(fault)
        return None


def row_of(uid: int, base: bytes, content: Content, times: Times) -> Row:
    """What is kept of a message whose file has this base."""
    found = summarise(content)
    return Row(
        uid,
        base,
        times.modified // 10**9,
        found.size,
        times.changed // 10**9,
        found.envelope,
        found.body,
        found.body_structure,
        found.header,
    )


def row_of_arrival(uid: int, arrival: Arrival) -> Row:
    """What is kept of a message, from a deliverer's note."""
    found = arrival.summary
    return Row(
        uid,
        arrival.base,
        arrival.date,
        found.size,
        arrival.saved,
        found.envelope,
        found.body,
        found.body_structure,
        found.header,
    )


def size_of(folder: FolderFiles, row: int) -> int | None:
    """RFC822.SIZE from the file's name, or from the uidlist, where Dovecot notes what names do not tell."""
    _, size = sizes(base(folder.paths[row][len(CUR) :]))
    if size is None:
        for field in folder.uidlist.fields.get(folder.uids[row], b"").split(b" "):
            if field.startswith(b"W") and is_decimal(field[1:]):
                return decimal(field[1:])
    return size


def total_size(folder: FolderFiles, cache: Cache, number: int, some: Collection[int] = ()) -> tuple[int, int]:
    """Sum of RFC822.SIZE, and that of `some` UIDs; only messages whose name does not tell it are asked for.

    MessageUnreadable.
    """
    failed = folder.failed_reads.count
    total = of_some = 0
    untold = []
    with folder.mutex:
        for row, uid in enumerate(folder.uids):
            size = size_of(folder, row)
            if size is None:
                untold.append(uid)
            else:
                total += size
                of_some += size if uid in some else 0
    for start in range(0, len(untold), 500):
        found = read_summaries(folder, cache, number, untold[start : start + 500], fields=Fields.SIZE)
        total += sum(summary.size for summary in found)
        of_some += sum(summary.size for summary in found if summary.uid in some)
    folder.failed_reads.check(failed)
    return total, of_some
