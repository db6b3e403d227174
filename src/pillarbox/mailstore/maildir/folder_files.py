"""The files of one Maildir folder: which messages there are, and what has happened to them.

DESCRIPTION
    `FolderFiles` knows the file of every message and finds out what other programs did.  All its methods
    block; they are called in worker threads, several at once, and take turns by a mutex.  What they find or
    do is put as events into `events`, in order, from where the event loop takes it into its own tables
    (mailstore/maildir/mailbox.py).

    `sync` looks at the mtimes of new/, cur/ and the uidlist; only a directory that has changed is listed
    (mailstore/maildir/message_directories.py).

    New files get their UIDs in the order of their names (mailstore/maildir/file_names.py), under the uidlist's
    lock, and are moved from new/ to cur/ unless the caller only looks (STATUS, EXAMINE, APPEND).

    `is_current` answers without a thread, by three stat calls, whether `sync` would find nothing to do: a thread
    hop costs ten times as much, and mostly nothing has happened.  Whoever writes to the uidlist or the keywords
    makes and removes a lock beside them, so the mtime of their directory tells of both.

    A file that has vanished has been expunged.  One that comes back after its message was told to be expunged gets
    a new UID.

FAULTS
    NoSuchMailbox  the directory is gone
    OSError        cannot be read or written

STANDARDS
    https://cr.yp.to/proto/maildir.html; Dovecot 2.3, Maildir format
"""

import os
import threading
from array import array
from bisect import bisect_left
from collections import deque
from collections.abc import Iterable, Sequence
from concurrent.futures import Executor
from itertools import compress
from operator import itemgetter
from typing import Final

import msgspec

from pillarbox.files.file_system import FileSystem
from pillarbox.mailstore.cache.arrivals import Arrivals
from pillarbox.mailstore.cache.fresh_messages import FreshMessages
from pillarbox.mailstore.content.large_content import LargeContent
from pillarbox.mailstore.content.message_files import Times, message_at
from pillarbox.mailstore.dovecot_files.dotlock import DotLock, LockFile
from pillarbox.mailstore.dovecot_files.keywords import KeywordTable
from pillarbox.mailstore.dovecot_files.uid_validity import next_uid_validity
from pillarbox.mailstore.dovecot_files.uidlist import UidList
from pillarbox.mailstore.faults import FailedReads, MessageUnreadable, StoreUnavailable
from pillarbox.mailstore.mailbox import ChangeKind, MessageGone, NoSuchMailbox
from pillarbox.mailstore.maildir.directory_state import RECHECK_NS, DirectoryState
from pillarbox.mailstore.maildir.file_names import NameMaker, delivery_order, parse_letters, split
from pillarbox.mailstore.maildir.folder_stamp import FolderStamp
from pillarbox.mailstore.maildir.message_directories import CUR, NEW, MessageDirectories, base_at, by_base
from pillarbox.mailstore.maildir.message_paths import MessagePaths
from pillarbox.mailstore.quota.quotas import FolderQuota
from pillarbox.vocabulary.clock import Clock

ALIVE_SHARE: Final = 0.75
"""The uidlist is rewritten when fewer of its lines have files."""
FEW: Final = 32
"""Rows that are taken out of the table one by one."""


class Event(msgspec.Struct, frozen=True, array_like=True):
    """Something happened to a message."""

    kind: ChangeKind
    uid: int
    flags: int = 0
    keywords: int = 0
    origin: object | None = None


class FolderFiles:
    """One folder.  `mutex` guards everything but `events`."""

    def __init__(
        self,
        directory: bytes,
        root: bytes,
        *,
        files: FileSystem,
        clock: Clock,
        names: NameMaker,
        control: bytes = b"",
        index: bytes = b"",
        lock_file: LockFile | None = None,
    ) -> None:
        """`root` has the account's dovecot-uidvalidity, `control` the folder's uidlist and keywords if not
        `directory`, and `index` Dovecot's index; `lock_file` is what its locks are links to."""
        self._lock_file = lock_file
        self.index_directory = index or directory
        self.directory = directory
        self.directories = MessageDirectories(directory, files)
        self.root = root
        self.files = files
        self.clock = clock
        self.new_names = names
        self.packing: tuple[str, int] | None = None
        """Compression and level of new messages (mailstore/content/file_content.py)."""
        self.quota: FolderQuota | None = None
        """Who has to be asked before messages come, and told when they have come or gone."""
        self.mutex = threading.RLock()
        self.events: deque[Event] = deque()
        self.uids = array("I")
        self.paths = MessagePaths()
        """Of each message, in UID order: `cur/<name>` or `new/<name>`."""
        self.change_number = 0
        """Grows after events have been put."""
        self.uidlist = UidList(control or directory, files)
        self.keywords = KeywordTable(control or directory, files)
        self.arrivals = Arrivals(directory, files)
        """What deliverers have noted of new messages."""
        self.fresh, self.failed_reads = FreshMessages(), FailedReads()
        """What this process has just stored."""
        self.uid_validity = 0
        self.guid = b""
        self.in_new = 0
        """How many of them are in new/."""
        self.highest_uid = 0
        """Of the messages that were ever told of."""
        self.control = control or directory
        self._replacement = ""
        self._control_state = DirectoryState()  # as it was when uidlist and keywords were found unchanged
        self._control_recheck_at = (
            0  # who heeds no lock writes them in place, which the directory does not tell
        )

    def relocate(self, directory: bytes, control: bytes = b"") -> None:
        """The folder has been renamed."""
        with self.mutex:
            self.directory = directory
            self.directories.relocate(directory)
            self.control = control or directory
            self._control_state.forget()
            self.arrivals = Arrivals(directory, self.files)
            self.uidlist = UidList(control or directory, self.files)
            self.keywords.relocate(control or directory)

    # --- finding messages ---------------------------------------------------------------------------

    def row(self, uid: int) -> int:
        """The row of a message; -1 if there is none."""
        row = bisect_left(self.uids, uid)
        return row if row < len(self.uids) and self.uids[row] == uid else -1

    def row_after(self, row: int, uid: int) -> int:
        """The same; quickly if it is the row behind the one that was asked for before."""
        row += 1
        return row if row < len(self.uids) and self.uids[row] == uid else self.row(uid)

    def path_of(self, uid: int) -> bytes | None:
        """The whole path of a message's file, or None if it is gone."""
        row = self.row(uid)
        return None if row < 0 else self.directory + b"/" + self.paths[row]

    def paths_of(self, uids: Sequence[int]) -> tuple[list[int], list[bytes]]:
        """Those of `uids` that are there, and where in the directory their files are."""
        with self.mutex:
            start = bisect_left(self.uids, uids[0]) if uids else 0
            if self.uids[start : start + len(uids)].tolist() == list(uids):  # a run of them, as mostly
                return list(uids), self.paths[start : start + len(uids)]
            rows = [(uid, row) for uid in uids if (row := self.row(uid)) >= 0]
            return [uid for uid, _ in rows], [self.paths[row] for _, row in rows]

    def read(self, uid: int, executor: Executor | None = None) -> tuple[bytes | LargeContent, Times]:
        """The message, in memory with any line ends or a huge one with CRLF, and its file's times.

        MessageGone, MessageUnreadable.
        """
        for attempt in (False, True):
            with self.mutex:
                path = self.path_of(uid)
            if path is None:
                break
            try:
                return message_at(self.files, path, executor=executor, known=self.fresh.get(uid))
            except FileNotFoundError:
                self.rescan()
                if attempt:
                    break
            except (StoreUnavailable, OSError) as fault:
                raise MessageUnreadable(path, fault) from fault
        raise MessageGone(str(uid))

    def base_of(self, uid: int) -> bytes:
        """The base of the message's file name; empty if it is gone."""
        with self.mutex:
            row = self.row(uid)
            return base_at(self.paths[row]) if row >= 0 else b""

    def base_at_once(self, uid: int) -> bytes | None:
        """The same on the loop, which may not wait for a thread that stores something; None if it would."""
        if not self.mutex.acquire(blocking=False):
            return None
        try:
            return self.base_of(uid)
        finally:
            self.mutex.release()

    def first_unseen(self) -> int:
        """Above all messages that a session has taken out of new/; the next UID if there are none in it."""
        with self.mutex:
            if not self.in_new:
                return self.next_uid
            row = next(
                (row for row in reversed(range(len(self.paths))) if self.paths[row].startswith(CUR)), -1
            )
            return self.uids[row] + 1 if row >= 0 else 1

    def message_guid(self, uid: int) -> bytes:
        """The message's GUID: the `G` field, else the base."""
        return self.guid_of(uid, self.paths[self.row(uid)])

    def guid_of(self, uid: int, path: bytes) -> bytes:
        """The same of a message whose path is known."""
        for field in self.uidlist.fields.get(uid, b"").split(b" "):
            if field.startswith(b"G"):
                return field[1:]
        return base_at(path)

    # --- finding out what happened ------------------------------------------------------------------

    def sync(self, *, move_new: bool = True) -> None:
        """Take in what other programs did; events tell of it."""
        with self.mutex:
            if self._replacement:
                raise NoSuchMailbox(self._replacement)
            look = self.directories.look(self.now_ns())
            self.keywords.refresh()
            appeared, vanished = self.directories.changes(look, self.paths, any_new=self.in_new > 0)
            if appeared or vanished:
                self._take_in(appeared, vanished)
            if self.uid_validity == 0 and not self._knows_header():
                self._assign([])
            elif self.uidlist.damaged or self.uidlist.has_changed():
                self._take_in_uidlist()
            if move_new and self.in_new:
                self._move_new()

    def is_current(self, *, move_new: bool) -> bool:
        """Whether `sync` would find nothing to do; False, too, while another thread is at work here."""
        if not self.mutex.acquire(blocking=False):
            return False
        try:
            if self.uid_validity == 0 or (move_new and self.in_new) or self.uidlist.damaged:
                return False
            if self._replacement:
                return False
            now = self.now_ns()
            if self.directories.are_stale(now):
                return False
            control_mtime = self.files.stat(self.control).st_mtime_ns
            if not self._control_state.is_stale(control_mtime, now) and now < self._control_recheck_at:
                return not self.keywords.surplus_has_changed()
            if self.keywords.has_changed() or self.uidlist.has_changed():
                return False
            self._control_state.note_listing(control_mtime, now)
            self._control_recheck_at = now + RECHECK_NS
            return True
        finally:
            self.mutex.release()

    def stamp(self) -> FolderStamp | None:
        """What holds until something happens here; None where more has to be looked at, or at another time."""
        try:
            control = (self.control, self.uidlist.path)
            stamp = FolderStamp.of(self.directories.places, control, self.files)
            if self.keywords.has_surplus or not self.is_current(move_new=False):
                return None
        except (OSError, NoSuchMailbox):
            return None
        is_settled = self.directories.are_settled and self._control_state.is_settled
        return stamp if is_settled and stamp.holds(self.files) else None

    def rescan(self) -> None:
        """A file was not where it should be: list both directories whatever their mtimes."""
        with self.mutex:
            self.forget_listing()
            self.sync(move_new=False)

    def forget_listing(self) -> None:
        """List both directories at the next look, whatever their mtimes."""
        with self.mutex:
            self.directories.forget()

    @property
    def next_uid(self) -> int:
        """No message will get a lower UID."""
        listed, highest = self.uidlist.next_uid, self.highest_uid
        return listed if listed > highest else highest + 1

    def is_quiet(self) -> bool:
        """Whether nobody else has changed new/ or cur/, as far as their mtimes tell."""
        return not self._replacement and not self.directories.have_changed()

    def note_own_change(self, *, new: bool) -> None:
        """We changed cur/, and new/ if so: that is listed again at once, for it holds little and deliveries."""
        self.directories.note_own_change(self.now_ns(), new=new)

    def now_ns(self) -> int:
        """Wall-clock time as file systems stamp it."""
        return int(self.clock.now() * 1e9)

    def lock(self, *, waits: bool = True) -> DotLock:
        """The uidlist's lock."""
        return DotLock(
            self.uidlist.path, files=self.files, clock=self.clock, waits=waits, file=self._lock_file
        )

    def forget_lines(self) -> None:
        """Nobody uses the folder for now: lines of the uidlist, a third of its memory, are read when needed."""
        if self.mutex.acquire(blocking=False):
            try:
                self.uidlist.forget_lines()
            finally:
                self.mutex.release()

    def release(self) -> None:
        """Nobody will use it any more."""
        with self.mutex:
            self.uids, self.paths = array("I"), MessagePaths()
            self.uidlist = UidList(self.control, self.files)
            self.uid_validity = 0

    # --- changes to the table, each with its event --------------------------------------------------

    def add(self, messages: Iterable[tuple[int, bytes]]) -> None:
        """Messages with the next UIDs (rising), and where they are."""
        uids, paths, events = array("I"), [], []
        surplus = self.keywords.surplus
        meanings: dict[tuple[bytes, int], tuple[int, int]] = {}  # of what follows the base
        for uid, path in messages:
            known = path.partition(b":")[2], surplus.get(uid, 0) if surplus else 0
            meaning = meanings.get(known)
            if meaning is None:
                meaning = meanings[known] = self.meaning_of(split(path)[1], known[1])
            uids.append(uid)
            paths.append(path)
            events.append(Event(ChangeKind.ADDED, uid, *meaning))
        if uids:
            self.uids += uids
            self.paths.extend(paths)
            self.in_new += sum([path.startswith(NEW) for path in paths])
            self.highest_uid = max(self.highest_uid, uids[-1])
        self.note(events)

    def note(self, events: Iterable[Event]) -> None:
        """Tell of what has happened.  The mutex is held."""
        self.events.extend(events)
        self.change_number += 1

    def remove(self, uids: Iterable[int], *, origin: object | None = None) -> None:
        """Messages are gone."""
        gone = set(uids)
        rows = sorted([row for uid in gone if (row := self.row(uid)) >= 0])
        self.note([Event(ChangeKind.EXPUNGED, self.uids[row], origin=origin) for row in rows])
        if self.in_new:
            self.in_new -= sum([self.paths[row].startswith(NEW) for row in rows])
        if len(rows) <= FEW:
            rows.reverse()
            self.paths.drop(rows)
            for row in rows:
                del self.uids[row]
        else:
            stays = bytearray(b"\1") * len(self.uids)
            for row in rows:
                stays[row] = 0
            self.uids = array("I", compress(self.uids, stays))
            self.paths.keep(stays)
        self.keywords.forget(gone)

    def meaning(self, uid: int, path: bytes) -> tuple[int, int]:
        """Flags and keyword bits that a file's name and the surplus file tell."""
        return self.meaning_of(
            split(path)[1], self.keywords.surplus.get(uid, 0) if self.keywords.surplus else 0
        )

    def meaning_of(self, text: bytes, surplus: int) -> tuple[int, int]:
        """The same of the flags as the name holds them, and of keyword bits that it does not."""
        letters = parse_letters(text)
        return letters.flags, self.keywords.to_bits(letters.keywords) | surplus

    def place(self, row: int, path: bytes) -> None:
        """A message's file has another name now; no event."""
        if self.in_new or path.startswith(NEW):
            self.in_new += path.startswith(NEW) - self.paths[row].startswith(NEW)
        self.paths[row] = path

    # --- inside -------------------------------------------------------------------------------------

    def _take_in(self, appeared: set[bytes], vanished: set[bytes]) -> None:
        """Renamed, new and expunged files become changes of the table."""
        self.refresh_uidlist()
        fresh = by_base(appeared) if not self.uids else {}  # of files without a message
        if fresh and len(fresh) == len(
            appeared
        ):  # all of them, as in a mailbox that is read for the first time
            self._take_in_fresh(fresh)
            return
        fresh.clear()
        moved: set[int] = set()
        known = self.uidlist.known([base_at(path) for path in appeared])
        for path in sorted(appeared):
            identity = base_at(path)
            uid = known.get(identity, 0)
            row = self.row(uid)
            if row < 0:
                if identity in fresh:
                    self._settle_double(path, fresh[identity])
                else:
                    fresh[identity] = path
            elif base_at(self.paths[row]) != identity:
                raise self._replaced(f"UID {uid} is another message")
            elif self.paths[row] in vanished and uid not in moved:
                moved.add(uid)
                self._follow(row, path)
            else:
                self._settle_double(path, self.paths[row])
        paths = zip(self.uids, self.paths, strict=True) if vanished else ()
        gone = [uid for uid, path in paths if path in vanished and uid not in moved]
        if gone:
            self.remove(gone)
        if fresh:
            self._take_in_fresh(fresh)
        if len(self.uids) < ALIVE_SHARE * self.uidlist.count - 10 and gone:
            self.compact_uidlist()

    def _follow(self, row: int, path: bytes) -> None:
        """Another program renamed the file."""
        uid = self.uids[row]
        before = self.meaning(uid, self.paths[row])
        self.place(row, path)
        after = self.meaning(uid, path)
        if after != before:
            self.note([Event(ChangeKind.FLAGS, uid, *after)])

    def _take_in_fresh(self, fresh: dict[bytes, bytes]) -> None:
        """Files without a message: their UIDs are in the uidlist already, or they get some."""
        listed, highest = self.uidlist.known(fresh), self.highest_uid
        known = {identity: listed[identity] for identity in fresh if listed.get(identity, 0) > highest}
        unknown = [identity for identity in fresh if identity not in known]
        if unknown:
            known.update(self._assign(unknown))
        self.add([(uid, fresh[identity]) for identity, uid in sorted(known.items(), key=itemgetter(1))])

    def _take_in_uidlist(self) -> None:
        """Another program wrote to the uidlist, or removed it: what is lost is written again."""
        self.refresh_uidlist()
        if self.uidlist.damaged:
            with self.lock():
                self.refresh_uidlist()
                self.ensure_header()

    def _assign(self, identities: list[bytes]) -> dict[bytes, int]:
        """UIDs for files that have none; another program may have given them in the meantime."""
        with self.lock():
            self.refresh_uidlist()
            self.ensure_header()
            listed = self.uidlist.known(identities)
            given = {name: listed[name] for name in identities if listed.get(name, 0) > self.highest_uid}
            missing = sorted((name for name in identities if name not in given), key=delivery_order)
            for entry in self.uidlist.append(missing):
                given[entry.base] = entry.uid
        return given

    def refresh_uidlist(self) -> bool:
        """Read the uidlist again; whether it has changed.  If another program has lost it, what we know is written
        again.

        UIDs that we know are not given again, be it an older one from a backup.  Raises NoSuchMailbox if it is
        another mailbox's by now: UIDVALIDITY has changed.
        """
        next_uid = self.next_uid
        has_changed = self.uidlist.refresh()
        if self.uid_validity == 0:
            return has_changed
        if not self.uidlist.exists:
            self.uidlist.uid_validity = self.uid_validity
            self.uidlist.guid = self.guid
            self.uidlist.uids = {base_at(path): uid for uid, path in zip(self.uids, self.paths, strict=True)}
            self.uidlist.next_uid = next_uid
            self.uidlist.damaged = True
        elif self.uidlist.uid_validity != self.uid_validity:
            raise self._replaced("UIDVALIDITY changed")
        else:
            self.uidlist.next_uid = max(self.uidlist.next_uid, next_uid)
        return has_changed

    def _replaced(self, how: str) -> NoSuchMailbox:
        """Another mailbox is in the directory, and stays there: whoever looks again is told again."""
        self._replacement = f"{os.fsdecode(self.directory)}: {how}"
        return NoSuchMailbox(self._replacement)

    def ensure_header(self) -> None:
        """UIDVALIDITY and GUID for a folder that has none.  The lock is held."""
        if not self.uidlist.exists:
            now = self.clock.now()
            self.uidlist.uid_validity = next_uid_validity(self.root, now=now, files=self.files)
            self.uidlist.next_uid = max(self.uidlist.next_uid, self.highest_uid + 1)
            self.uidlist.damaged = True
        if not self.uidlist.guid:
            self.uidlist.guid = os.urandom(16).hex().encode("ascii")
            self.uidlist.damaged = True
        if self.uidlist.damaged:
            self.uidlist.rewrite(list(self.uidlist.uids))
        self.uid_validity = self.uidlist.uid_validity
        self.guid = self.uidlist.guid

    def _knows_header(self) -> bool:
        """Take UIDVALIDITY and GUID from a uidlist with which nothing has to be done, and so without its lock."""
        self.refresh_uidlist()
        if not self.uidlist.exists or not self.uidlist.guid or self.uidlist.damaged:
            return False
        self.uid_validity = self.uidlist.uid_validity
        self.guid = self.uidlist.guid
        return True

    def compact_uidlist(self) -> None:
        """Leave the lines of expunged messages out of the uidlist."""
        with self.lock():
            self.refresh_uidlist()
            self.ensure_header()
            highest = self.highest_uid
            alive = {base_at(path) for path in self.paths}
            self.uidlist.rewrite(
                [name for name, uid in self.uidlist.uids.items() if uid > highest or name in alive]
            )

    def _move_new(self) -> None:
        """new/x → cur/x:2, under the lock (as Dovecot does)."""
        with self.lock():
            for row, path in enumerate(self.paths):
                if not path.startswith(NEW):
                    continue
                target = CUR + path[len(NEW) :]
                if b":2," not in target:
                    target += b":2,"
                try:
                    self.files.rename(self.directory + b"/" + path, self.directory + b"/" + target)
                except FileNotFoundError:
                    self.directories.forget(cur=False)
                    continue
                self.place(row, target)
        self.note_own_change(new=True)

    def _settle_double(self, path: bytes, other: bytes) -> None:
        self.directories.settle_double(path, other, now=self.clock.now(), names=self.new_names)
