"""What a plan asks for is done to the files of a mailbox: messages come with their UIDs, change and go.

DESCRIPTION
    Messages come by hard link where the file system allows, else as copies with the same date.  They are put into
    tmp/ first, some at a time, then under the uidlist's lock into cur/ or new/, and their lines into the uidlist.
    They keep their file names, unless a message of the mailbox has the name, and what the uidlist says of them:
    GUID, POP3 unique id and order.

    A message gets another UID by a file of another name, as Dovecot does it, so that nobody who has the mailbox
    open takes it for the old one.  In a mailbox whose UIDs are given anew (`Plan.is_rebuilt`) the names stay, and
    everything that was remembered by UID is forgotten.

PROMISES
    Files, names and UIDs survive a crash.  Messages come before others go; whenever it ends, what is there has its
    UIDs, and another run does the rest.

FAULTS
    OverflowError     no room for another keyword, or no UID left
    StoreUnavailable  a file cannot be copied
    OSError
"""

import errno
import os
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from typing import Final

import msgspec

from pillarbox.mailstore.dovecot_files.uid_validity import raise_uid_validity
from pillarbox.mailstore.mailbox import FlagAction, FlagChange
from pillarbox.mailstore.maildir import folder_changes
from pillarbox.mailstore.maildir.file_names import change_letters, split
from pillarbox.mailstore.maildir.folder_additions import define
from pillarbox.mailstore.maildir.folder_files import FolderFiles
from pillarbox.mailstore.maildir.message_directories import CUR, NEW, base_at
from pillarbox.mailstore.synchronizing.merging import Message, Plan, Side
from pillarbox.mailstore.synchronizing.place import Place
from pillarbox.vocabulary.flags import Flag

AT_ONCE: Final = 2000
"""Messages that come under one lock."""


def side_of(folder: FolderFiles) -> Side:
    """What there is in a mailbox, as `Place.folder` gives it."""
    names_of: dict[int, frozenset[bytes]] = {}
    messages = []
    for uid, path in zip(folder.uids, folder.paths, strict=True):
        flags, bits = folder.meaning(uid, path)
        if bits not in names_of:
            known = enumerate(folder.keywords.names)
            names_of[bits] = frozenset(name for bit, name in known if bits >> bit & 1)
        messages.append(Message(uid, folder.guid_of(uid, path), flags, names_of[bits]))
    remembered = {uid: _guid_in(folder, uid, name) for name, uid in folder.uidlist.uids.items()}
    return Side(folder.guid, folder.uid_validity, folder.next_uid, messages, remembered)


def _guid_in(folder: FolderFiles, uid: int, name: bytes) -> bytes:
    for field in folder.uidlist.fields.get(uid, b"").split(b" "):
        if field.startswith(b"G"):
            return field[1:]
    return name


class Arriving(msgspec.Struct):
    """A message whose file lies in tmp/."""

    temporary: bytes
    path: bytes
    """Where it goes: `cur/<name>`."""
    uid: int
    fields: bytes
    surplus: int


Bring = Callable[[FolderFiles, Sequence[tuple[int, int]]], list[Arriving]]
"""Puts messages, (UID there, UID here), into the tmp/ of a mailbox; those that have gone there are left out."""


def bring_from(other: FolderFiles | None) -> Bring | None:
    """Messages come from a mailbox that can be seen here."""
    if other is None:
        return None
    return lambda folder, saved: _brought(folder, other, saved)


def carry_out(plan: Plan, place: Place, name: str, bring: Bring | None) -> int:
    """Do it to one mailbox.  How many messages were not to be had any more."""
    folder = place.folder(name)
    if plan.is_rebuilt:
        missed = _rebuild(plan, place, name, folder, bring)
    else:
        missed = _extend(plan, folder, bring)
    raise_uid_validity(place.tree.control, plan.uid_validity, files=place.files)
    return missed


def _extend(plan: Plan, folder: FolderFiles, bring: Bring | None) -> int:
    """New UIDs are higher than all before."""
    coming = [(new, uid, False) for uid, new in plan.saved if bring is not None]
    coming += [(new, uid, True) for uid, new in plan.renumbered]
    coming.sort()  # UIDs only grow
    missed, came = 0, set[int]()
    for start in range(0, len(coming), AT_ONCE):
        some = coming[start : start + AT_ONCE]
        arriving = []
        if bring is not None:
            arriving += bring(folder, [(uid, new) for new, uid, is_own in some if not is_own])
        arriving += _brought(folder, folder, [(uid, new) for new, uid, is_own in some if is_own])
        missed += len(some) - len(arriving)
        _take_in(folder, sorted(arriving, key=lambda one: one.uid))
        came.update(one.uid for one in arriving)
    if moved := [uid for uid, new in plan.renumbered if new in came]:
        folder_changes.expunge(folder, moved)
    _change_flags(plan, folder)
    if plan.expunged:
        folder_changes.expunge(folder, plan.expunged)
    _set_header(plan, folder)
    return missed


def _rebuild(plan: Plan, place: Place, name: str, folder: FolderFiles, bring: Bring | None) -> int:
    """UIDs are given anew, all at once."""
    arriving = bring(folder, plan.saved) if bring is not None else []
    moved = dict(plan.renumbered)
    gone = set(plan.expunged)
    with folder.mutex, folder.lock():
        folder.refresh_uidlist()
        former = {base_at(path): uid for uid, path in zip(folder.uids, folder.paths, strict=True)}
        fields = {base: folder.uidlist.fields.get(uid, b"") for base, uid in former.items()}
        kept = {base: moved.get(uid, uid) for base, uid in former.items() if uid not in gone}
        _publish(folder, arriving)
        place.forget(name, folder.guid)
        uidlist = folder.uidlist
        uidlist.uids = kept | {base_at(one.path): one.uid for one in arriving}
        uidlist.fields = {uid: fields[base] for base, uid in kept.items() if fields[base]}
        uidlist.fields |= {one.uid: one.fields for one in arriving if one.fields}
        uidlist.uid_validity, uidlist.guid = plan.uid_validity, plan.guid
        uidlist.next_uid = max(plan.next_uid, 1 + max(uidlist.uids.values(), default=0))
        surplus = {
            moved.get(uid, uid): bits for uid, bits in folder.keywords.surplus.items() if uid not in gone
        }
        surplus |= {one.uid: one.surplus for one in arriving}
        folder.keywords.set_surplus(dict.fromkeys(folder.keywords.surplus, 0) | surplus)
        uidlist.rewrite(list(uidlist.uids))
        for uid, path in zip(folder.uids, folder.paths, strict=True):
            if uid in gone:
                _unlink(folder, folder.directory + b"/" + path)
    _change_flags(plan, place.folder(name))
    return len(plan.saved) - len(arriving)


def _set_header(plan: Plan, folder: FolderFiles) -> None:
    with folder.mutex, folder.lock():
        uidlist = folder.uidlist
        uidlist.refresh()
        wanted = (plan.uid_validity, plan.guid, max(plan.next_uid, uidlist.next_uid))
        if (uidlist.uid_validity, uidlist.guid, uidlist.next_uid) != wanted or uidlist.damaged:
            uidlist.uid_validity, uidlist.guid, uidlist.next_uid = wanted
            uidlist.rewrite(list(uidlist.uids))
        folder.uid_validity, folder.guid = plan.uid_validity, plan.guid


def _take_in(folder: FolderFiles, arriving: Sequence[Arriving]) -> None:
    """What has come gets its names and UIDs."""
    if not arriving:
        return
    with folder.mutex, folder.lock():
        folder.refresh_uidlist()
        _publish(folder, arriving)
        uidlist = folder.uidlist
        for one in arriving:
            uidlist.uids[base_at(one.path)] = one.uid
            if one.fields:
                uidlist.fields[one.uid] = one.fields
        uidlist.next_uid = max(uidlist.next_uid, arriving[-1].uid + 1)
        uidlist.rewrite(list(uidlist.uids))
        folder.keywords.set_surplus({one.uid: one.surplus for one in arriving if one.surplus})
    folder.rescan()


def _publish(folder: FolderFiles, arriving: Sequence[Arriving]) -> None:
    for one in arriving:
        folder.files.rename(one.temporary, folder.directory + b"/" + one.path)
    for directory in {one.path[: len(CUR)] for one in arriving}:
        folder.files.sync_directory(folder.directory + b"/" + directory.rstrip(b"/"))


def _brought(folder: FolderFiles, other: FolderFiles, saved: Sequence[tuple[int, int]]) -> list[Arriving]:
    """Files of messages in tmp/; those that have gone meanwhile are left out."""
    arriving = []
    taken = {
        base_at(path) for path in folder.paths
    }  # two messages of `saved` have one name only if their GUID is
    for there, uid in saved:
        row = other.row(there)
        if row < 0:
            continue
        path = other.paths[row]
        flags, bits = other.meaning(there, path)
        names = [name for bit, name in enumerate(other.keywords.names) if bits >> bit & 1]
        mine = define(folder, names)
        base = base_at(path)
        if base in taken:
            _, comma, sizes = base.partition(b",")
            base = folder.new_names.take() + comma + sizes
        taken.add(base)
        temporary = folder.directory + b"/tmp/" + folder.new_names.take()
        if not _copied(other, there, temporary, folder):
            continue
        _, text = split(path)
        letters = change_letters(text, flags, folder.keywords.to_letters(mine))
        is_new = path.startswith(NEW) and not letters
        where = NEW + base if is_new else b"%b%b:2,%b" % (CUR, base, letters)
        fields = _fields(other, there, path, base)
        arriving.append(Arriving(temporary, where, uid, fields, folder.keywords.surplus_of(mine)))
    return arriving


def _copied(other: FolderFiles, uid: int, temporary: bytes, folder: FolderFiles) -> bool:
    """Whether the message could be had."""
    for attempt in (False, True):
        path = other.path_of(uid)
        if path is None:
            return False
        try:
            try:
                other.files.link(path, temporary)
            except OSError as error:
                if error.errno not in {errno.EXDEV, errno.EMLINK, errno.EPERM}:
                    raise
                modified = folder_changes.copy_blocks(path, temporary, other.files, folder.files)
                folder.files.utime(temporary, modified_ns=modified)
        except FileNotFoundError:
            if attempt:
                return False
            other.rescan()
            continue
        return True
    return False


def _fields(other: FolderFiles, uid: int, path: bytes, base: bytes) -> bytes:
    """What the uidlist says of a message that has this name here."""
    guid = other.guid_of(uid, path)
    fields = [b"G" + guid] if guid != base else []
    for field in other.uidlist.fields.get(uid, b"").split(b" "):
        if field == b"P" and base != base_at(path):
            fields.append(b"P" + base_at(path))
        elif field and not field.startswith(b"G"):
            fields.append(field)
    return b"".join([field + b" " for field in fields])


def _change_flags(plan: Plan, folder: FolderFiles) -> None:
    alike: defaultdict[tuple[int, frozenset[bytes]], list[int]] = defaultdict(list)
    for uid, meaning in plan.flags:
        alike[meaning].append(uid)
    for (flags, keywords), uids in alike.items():
        change = FlagChange(FlagAction.REPLACE, Flag(flags), tuple(sorted(keywords)))
        folder_changes.change_flags(folder, uids, change)


def _unlink(folder: FolderFiles, path: bytes) -> None:
    try:
        folder.files.unlink(path)
    except FileNotFoundError:
        return


def sizes_of(folder: FolderFiles) -> Iterator[tuple[int, int, float]]:
    """UID, octets with CRLF, and date in seconds since 1970 of each message that is still there."""
    for uid in list(folder.uids):
        path = folder.path_of(uid)
        size = folder_changes.stored_size(folder, uid)
        if path is None or size is None:
            continue
        try:
            yield uid, size.with_crlf, folder.files.stat(os.fsencode(path)).st_mtime
        except FileNotFoundError:
            continue
