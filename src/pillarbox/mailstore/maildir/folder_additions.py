"""Messages that sessions put into a Maildir folder: APPEND, and what COPY has in common with it.

DESCRIPTION
    `append` stores messages with one lock, one uidlist write and one fsync of the directory for however many.
    `append_steps` does so for a caller that has other work while the disk is waited for (files/fsync_steps.py).
    A folder in which something else is done, or that has to be looked at first, does not hold it up: it is busy,
    and wants a call of `append`.  `append_together` takes the steps of several folders in one thread.

    The uidlist's lock is held from the first file until the UIDs are on the disk.

PROMISES
    File, name and UID survive a crash; on a fault none of the messages (of the group) stays.

FAULTS
    OverQuota, StoreUnavailable  nothing was stored
    OverflowError                no room for another keyword
    FolderBusy                   something else is done there; nothing was stored

STANDARDS
    RFC 3501 §6.3.11 (APPEND)
"""

import os
from collections.abc import Iterable, Sequence
from contextlib import closing
from itertools import islice

from pillarbox.files.file_system import FileSystem
from pillarbox.files.fsync_steps import Steps, finish, finish_together
from pillarbox.mailstore.content.file_content import packed_content
from pillarbox.mailstore.content.spool import SpoolFile
from pillarbox.mailstore.deliver import Delivery, Result, Stored, Written, fault_of, publish_batch
from pillarbox.mailstore.dovecot_files.dotlock import LockHeld
from pillarbox.mailstore.mailbox import NewMessage, NoSuchMailbox, OverQuota, StoreUnavailable
from pillarbox.mailstore.maildir.file_names import base, change_letters
from pillarbox.mailstore.maildir.folder_files import FolderFiles
from pillarbox.mailstore.maildir.message_directories import CUR
from pillarbox.mailstore.quota.maildirsize import Size
from pillarbox.message.line_ends import crlf_size, to_lf
from pillarbox.vocabulary.identifiers import Uid

Groups = Sequence[Sequence[NewMessage]]
Outcomes = list[list[Uid] | Exception]


class FolderBusy(Exception):
    """It cannot be appended to without waiting."""


_Came = tuple[int, bytes, bytes]
"""Keyword bits, path and plain content of a message that was stored; no content if it was huge."""


def append(folder: FolderFiles, groups: Groups) -> Outcomes:
    """Store messages, of each group all or none: the UIDs of each, or why there are none."""
    return finish(_append(folder, groups, waits=True), folder.files)


def append_steps(folder: FolderFiles, groups: Groups, *, in_order: bool = True) -> Steps[Outcomes]:
    """The same step by step, all of them in one thread; FolderBusy.

    With `in_order` a step may wait until the disk has taken the contents, without a commit (files/write_order.py).
    """
    return _append(folder, groups, waits=False, in_order=in_order)


def append_together(
    jobs: Sequence[tuple[FolderFiles, Groups]], files: FileSystem
) -> list[Outcomes | Exception]:
    """The same in several folders at once; a fault, perhaps FolderBusy, where nothing could be done in one."""
    return finish_together([append_steps(folder, groups) for folder, groups in jobs], files)


def _append(folder: FolderFiles, groups: Groups, *, waits: bool, in_order: bool = True) -> Steps[Outcomes]:
    if not folder.mutex.acquire(blocking=waits):
        raise FolderBusy
    try:
        if waits:
            settle(folder)
        elif not _is_settled(folder, groups):
            raise FolderBusy
        return (yield from _append_to_settled(folder, groups, waits=waits, in_order=in_order))
    finally:
        folder.mutex.release()


def _is_settled(folder: FolderFiles, groups: Groups) -> bool:
    """Whether nothing has to be found out or agreed with other programs first."""
    if not folder.uidlist.exists or folder.uidlist.damaged or not folder.is_quiet():
        return False
    names = {name for messages in groups for message in messages for name in message.keywords}
    if names:
        folder.keywords.refresh()
    return all(folder.keywords.find(name) is not None for name in names)


def _append_to_settled(
    folder: FolderFiles, groups: Groups, *, waits: bool, in_order: bool
) -> Steps[Outcomes]:
    outcomes: Outcomes = []
    accepted: list[Size] = []
    deliveries: list[Delivery] = []
    masks: list[int] = []
    for messages in groups:
        try:
            kept = [define(folder, message.keywords) for message in messages]
            if folder.quota is not None:
                sizes_of_all = [_size_of(message) for message in messages]
                folder.quota.check(accepted + sizes_of_all)
                accepted += sizes_of_all
        except (OverQuota, OverflowError) as error:
            outcomes.append(error)
            continue
        deliveries += [_delivery(folder, message, bits) for message, bits in zip(messages, kept, strict=True)]
        masks += kept
        outcomes.append([])
    if not deliveries:
        return outcomes
    came: list[_Came] = []
    uids: list[Uid] = []
    try:
        with folder.lock(waits=waits):
            published = yield from publish_batch(
                deliveries, files=folder.files, names=folder.new_names, in_order=in_order
            )
            with closing(published):
                came = _came(folder, groups, outcomes, deliveries, masks, published.results)
                before = folder.uidlist.next_uid
                if came:
                    uids = yield from _give_uids(folder, [path for _, path, _ in came], published.files)
        if came:
            foreign = folder.uidlist.next_uid != before + len(uids)
            _take_in(folder, groups, outcomes, came, uids, foreign=foreign, lists=waits)
    except LockHeld as error:
        raise FolderBusy from error
    except (OSError, StoreUnavailable) as error:
        undo(folder, [path for _, path, _ in came])
        directory = os.fsdecode(folder.directory)
        fault = error if isinstance(error, StoreUnavailable) else fault_of(error, directory)
        outcomes = [one if isinstance(one, Exception) else for_client(fault) for one in outcomes]
    return outcomes


def _came(
    folder: FolderFiles,
    groups: Groups,
    outcomes: Outcomes,
    deliveries: Sequence[Delivery],
    masks: Sequence[int],
    results: Sequence[Result],
) -> list[_Came]:
    """The messages of all groups without a fault; what is in cur/ of the others is removed."""
    each = iter(zip(masks, deliveries, results, strict=True))
    came: list[_Came] = []
    for at, messages in enumerate(groups):
        if isinstance(outcomes[at], Exception):
            continue
        mine = list(islice(each, len(messages)))
        stored: list[_Came] = [
            (bits, CUR + result.name, b"".join(delivery.content))
            for bits, delivery, result in mine
            if isinstance(result, Stored)
        ]
        fault = next((result for *_, result in mine if not isinstance(result, Stored)), None)
        if fault is None:
            came += stored
        else:
            undo(folder, [path for _, path, _ in stored])
            outcomes[at] = for_client(fault)
    return came


def _take_in(
    folder: FolderFiles,
    groups: Groups,
    outcomes: Outcomes,
    came: Sequence[_Came],
    uids: Sequence[Uid],
    *,
    foreign: bool,
    lists: bool,
) -> None:
    """Messages that were stored go into the table; each group is told its own UIDs."""
    surplus = {uid: folder.keywords.surplus_of(bits) for uid, (bits, _, _) in zip(uids, came, strict=True)}
    for uid, (_, _, content) in zip(uids, came, strict=True):
        folder.fresh.add(uid, content)
    add_messages(folder, uids, [path for _, path, _ in came], surplus, foreign=foreign, lists=lists)
    left = iter(uids)
    for at, messages in enumerate(groups):
        if not isinstance(outcomes[at], Exception):
            outcomes[at] = list(islice(left, len(messages)))
            if folder.quota is not None:
                folder.quota.came([_size_of(message) for message in messages])


def _give_uids(folder: FolderFiles, paths: Sequence[bytes], files: Sequence[int]) -> Steps[list[Uid]]:
    """UIDs for files that we have just put into cur/, in this order; both survive a crash from here on.

    The lock is held.  The names survive by the fsync of the open `files`, or without any by that of cur/.
    """
    names = list(map(identity, paths))
    has_changed = folder.refresh_uidlist()
    folder.ensure_header()
    # A program that does not heed the lock may have given them UIDs already, but not without writing since.
    known = folder.uidlist.known(names) if has_changed else {}
    given = {name: known[name] for name in names if name in known}
    missing = [name for name in names if name not in given]
    entries = yield from folder.uidlist.append_steps(
        missing, directory=folder.directory + b"/cur", files=files
    )
    given.update((entry.base, entry.uid) for entry in entries)
    return [Uid(given[name]) for name in names]


def _delivery(folder: FolderFiles, message: NewMessage, bits: int) -> Delivery:
    flags = change_letters(b"", int(message.flags), folder.keywords.to_letters(bits))
    maildir = os.fsdecode(folder.directory)
    if isinstance(message.content, SpoolFile):
        spool = message.content
        written = Written(spool.path, spool.size, spool.crlf_size)
        return Delivery(maildir, (), flags, message.internal_date, written=written)
    assert isinstance(message.content, bytes)
    content = to_lf(message.content)
    packed = None if folder.packing is None else packed_content(content, *folder.packing)
    return Delivery(maildir, [content], flags, message.internal_date, packed)


def _size_of(message: NewMessage) -> Size:
    if isinstance(message.content, SpoolFile):
        return Size(message.content.size, message.content.crlf_size)
    assert isinstance(message.content, bytes)
    return Size(len(to_lf(message.content)), crlf_size(message.content))


# --- common to all that adds messages -----------------------------------------------------------------


def settle(folder: FolderFiles) -> None:
    """Take in other programs' changes first, so that ours do not hide them."""
    if not folder.uidlist.exists or not folder.is_quiet():
        folder.sync(move_new=False)
    else:
        folder.keywords.refresh()


def define(folder: FolderFiles, names: Iterable[bytes]) -> int:
    """The bits of keywords; new ones get theirs."""
    missing = [name for name in names if folder.keywords.find(name) is None]
    if missing:
        with folder.lock():
            folder.keywords.refresh()
            folder.keywords.define(missing)
    bits = 0
    for name in names:
        bit = folder.keywords.find(name)
        assert bit is not None
        bits |= 1 << bit
    return bits


def add_messages(
    folder: FolderFiles,
    uids: Sequence[Uid],
    paths: Sequence[bytes],
    surplus: dict[Uid, int],
    *,
    foreign: bool,
    lists: bool = True,
) -> None:
    """Into the table.  With `foreign` lines in the uidlist, a listing puts all of them in UID order: now, if it
    `lists`, or when somebody looks next."""
    kept = {int(uid): bits for uid, bits in surplus.items() if bits}
    if kept:
        folder.keywords.set_surplus(kept)
    if foreign:
        folder.forget_listing()
        if lists:
            folder.sync(move_new=False)
        return
    folder.add(zip(uids, paths, strict=True))
    folder.note_own_change(new=False)


def identity(path: bytes) -> bytes:
    """The base of a file's name in cur/."""
    return base(path[len(CUR) :])


def for_client(fault: OverQuota | StoreUnavailable) -> OverQuota | StoreUnavailable | NoSuchMailbox:
    """To the client who appends, a directory that is gone is no mailbox."""
    return NoSuchMailbox(str(fault)) if isinstance(fault.__cause__, FileNotFoundError) else fault


def undo(folder: FolderFiles, paths: Iterable[bytes]) -> None:
    """Remove files that are to be no messages."""
    for path in paths:
        try:
            folder.files.unlink(folder.directory + b"/" + path)
        except FileNotFoundError:
            continue
