"""dovecot-uidlist: which file has which UID.

DESCRIPTION
    How it is written: uidlist_format.py.  Lines of files that are gone do no harm.

    `UidList` is the file as it was last read.  `refresh` reads what is new: the rest of the same file if it
    grew, all of it if it is another one.  An inode number does not tell that alone: the file system gives that
    of a removed file to the next one, and a folder that was made anew has the same sizes.  So the header has to
    be the same, too.  `append` writes whole lines in one write and fdatasyncs them; it
    repairs a torn last line first.  `rewrite` makes a new file beside the old one and renames it over.  Both
    need the lock (mailstore/dovecot_files/dotlock.py) and a `refresh` under it.

    What has been read can be written down without the lines (`UidListState`), and another `UidList` can go on from
    there while the file is the same, or has only grown.  Lines are read when somebody asks for them: a few are
    looked for in the file's octets, for many all are parsed.

    Dovecot throws the whole file away for one malformed line, and with it all UIDs.  So what we write is
    whole, and a line that we find broken is left out of the next rewrite, which `damaged` asks for.

FAULTS
    OSError  the file cannot be read or written

STANDARDS
    Dovecot 2.3, Maildir format; version 1 (Courier, Dovecot 1.0) is read and replaced
"""

import os
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Final

import msgspec

from pillarbox.files.file_system import FileSystem
from pillarbox.files.fsync_steps import Steps, finish
from pillarbox.mailstore.dovecot_files.uidlist_format import (
    LINE,
    Entry,
    Header,
    lines_of_version_3,
    read_header,
    read_lines,
    uid_in,
)
from pillarbox.vocabulary.digits import decimal
from pillarbox.vocabulary.number_set import MAX_NUMBER

FILE_NAME: Final = b"dovecot-uidlist"
FEW: Final = 16
"""Lines that are looked for in the file's octets at once, a millisecond each in 100,000."""
MANY: Final = 64
"""Lines that were looked for so, from which on all are parsed."""
_TAIL: Final = 64
"""Octets at the end by which a file is told to have grown and not to be another one, besides its header."""

_GUID_OF_HEADER: Final = re.compile(rb"3 (?:[^ \n]+ )*G([0-9a-f]{32})[ \n]")
_UID_VALIDITY_OF_HEADER: Final = re.compile(rb"3 (?:[^ \n]+ )*V(\d{1,10})[ \n]")


def read_guid(directory: bytes, files: FileSystem) -> bytes:
    """The GUID of the mailbox in that directory, without reading its messages; b"" if it has none yet.  OSError."""
    return read_identity(directory, files)[0]


def read_identity(directory: bytes, files: FileSystem) -> tuple[bytes, int]:
    """The same, and UIDVALIDITY; 0 if it has none yet.  OSError."""
    try:
        fd = files.open(directory + b"/" + FILE_NAME, os.O_RDONLY)
    except (FileNotFoundError, NotADirectoryError):
        return b"", 0
    try:
        header = files.pread(fd, 1024, 0)
    finally:
        files.close(fd)
    guid, uid_validity = _GUID_OF_HEADER.match(header), _UID_VALIDITY_OF_HEADER.match(header)
    return guid[1] if guid is not None else b"", decimal(uid_validity[1]) if uid_validity is not None else 0


class UidListState(msgspec.Struct, frozen=True, array_like=True):
    """What is known of a file that was read, without its lines."""

    device: int
    inode: int
    size: int
    modified: int  # mtime in ns
    changed: int  # ctime in ns
    header: bytes
    tail: bytes  # the last octets
    next_uid: int
    last_uid: int
    count: int
    has_fields: bool


class UidList:
    """The uidlist of one mailbox."""

    def __init__(self, directory: bytes, files: FileSystem) -> None:
        self.path = directory + b"/" + FILE_NAME
        self._files = files
        self.uid_validity = 0
        self.next_uid = 1
        self.guid = b""
        self.other_fields = b""
        """Header fields that we only keep: ` P%v.%u`."""
        self._uids: dict[bytes, int] | None = {}  # None: the lines have not been read
        self._fields: dict[int, bytes] = {}
        self._count = 0  # of lines, while they have not been read
        self._has_fields = False  # the same
        self._octets = bytearray()  # of the file, for who looks for a line; may be empty
        self._looked_for = 0
        self.damaged = False
        """The file must be rewritten: an old version, a broken line, no GUID."""
        self._identity: tuple[int, int] | None = None  # device and inode
        self._modified = 0  # mtime in ns
        self._header = b""
        self._size = 0  # so much of it has been read and understood
        self._file_size = 0
        self._last_uid = 0

    @property
    def exists(self) -> bool:
        """Whether the file has been found with a header."""
        return self.uid_validity != 0

    @property
    def uids(self) -> dict[bytes, int]:
        """base → UID, of every line.  OSError."""
        if self._uids is None:
            self._read_lines()
        assert self._uids is not None
        return self._uids

    @uids.setter
    def uids(self, uids: dict[bytes, int]) -> None:
        if self._uids is None:
            self._read_lines()  # for their fields
        self._uids = uids

    @property
    def fields(self) -> dict[int, bytes]:
        """UID → fields, where a line has any.  OSError."""
        if self._uids is None and self._has_fields:
            self._read_lines()
        return self._fields

    @fields.setter
    def fields(self, fields: dict[int, bytes]) -> None:
        self._fields = fields

    @property
    def count(self) -> int:
        """Lines."""
        return self._count if self._uids is None else len(self._uids)

    def known(self, bases: Collection[bytes]) -> Mapping[bytes, int]:
        """base → UID of those that have a line, and perhaps of others.  OSError."""
        if self._uids is not None:
            return self._uids
        self._looked_for += len(bases)
        if len(bases) > FEW or self._looked_for > MANY or not self._has_octets():
            return self.uids
        found = {base: uid_in(self._octets, base) for base in bases}
        return {base: uid for base, uid in found.items() if uid}

    def state(self) -> UidListState | None:
        """What is known, if that is all that the file holds now.  OSError."""
        if self.damaged or not self.exists or self._size != self._file_size or self.has_changed():
            return None
        fd = self._files.open(self.path, os.O_RDONLY)
        try:
            status = self._files.fstat(fd)
            tail = self._files.pread(fd, _TAIL, max(0, self._size - _TAIL))
        finally:
            self._files.close(fd)
        known = (*(self._identity or (0, 0)), self._size, self._modified)
        if (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns) != known:
            return None
        return UidListState(
            *known,
            status.st_ctime_ns,
            header=self._header,
            tail=tail,
            next_uid=self.next_uid,
            last_uid=self._last_uid,
            count=self.count,
            has_fields=self._has_fields if self._uids is None else bool(self._fields),
        )

    def go_on_from(self, state: UidListState) -> bool:
        """Know what another has known; False if the file is another one by now.  OSError.

        What has been appended since is read by the next `refresh`.
        """
        try:
            fd = self._files.open(self.path, os.O_RDONLY)
        except FileNotFoundError:
            return False
        try:
            status = self._files.fstat(fd)
            if (status.st_dev, status.st_ino) != (state.device, state.inode) or status.st_size < state.size:
                return False
            if status.st_size == state.size:
                if (status.st_mtime_ns, status.st_ctime_ns) != (state.modified, state.changed):
                    return False
            elif self._files.pread(fd, len(state.header), 0) != state.header or (
                self._files.pread(fd, len(state.tail), state.size - len(state.tail)) != state.tail
            ):
                return False
        finally:
            self._files.close(fd)
        self._forget()
        if not self._parse_header(state.header) or self.damaged:
            self._forget()
            return False
        self._identity, self._modified = (state.device, state.inode), state.modified
        self._header = state.header
        self._size = self._file_size = state.size
        self.next_uid, self._last_uid = max(self.next_uid, state.next_uid), state.last_uid
        self._uids, self._count, self._has_fields = None, state.count, state.has_fields
        return True

    def forget_lines(self) -> None:
        """Read the lines again when somebody asks for them."""
        if self._uids is None or self.damaged or not self.exists or self._identity is None:
            self._octets = bytearray()
            return
        self._count, self._has_fields = len(self._uids), bool(self._fields)
        self._uids, self._fields = None, {}
        self._looked_for = 0

    def has_changed(self) -> bool:
        """Whether the file is not as it was read, or gone: one stat."""
        try:
            status = self._files.stat(self.path)
        except FileNotFoundError:
            return self.exists
        return (
            (status.st_dev, status.st_ino) != self._identity
            or status.st_size != self._file_size
            or status.st_mtime_ns != self._modified
        )

    def refresh(self) -> bool:
        """Read what is new; whether anything was."""
        try:
            fd = self._files.open(self.path, os.O_RDONLY)
        except FileNotFoundError:
            changed = self._identity is not None
            self._forget()
            return changed
        try:
            status = self._files.fstat(fd)
            identity = (status.st_dev, status.st_ino)
            same = identity == self._identity and status.st_size >= self._file_size
            if same and self._files.pread(fd, len(self._header), 0) == self._header:
                self._modified = status.st_mtime_ns
                if status.st_size == self._file_size:
                    return False
            else:
                self._forget()
                self._identity, self._modified = identity, status.st_mtime_ns
            content = self._read(fd, self._size)
            self._file_size = self._size + len(content)
            self._parse(content)
        finally:
            self._files.close(fd)
        return True

    def append(
        self, bases: Iterable[bytes], fields: dict[bytes, bytes] | None = None, *, directory: bytes = b""
    ) -> list[Entry]:
        """Give UIDs to new files and write them down.  The lock is held and `refresh` has been called.

        `directory` is where the files have just got their names, which are to survive a crash, too: it is fsynced
        at the same time.  A crash before that may leave a line without its file.
        """
        return finish(self.append_steps(bases, fields, directory=directory), self._files)

    def append_steps(
        self,
        bases: Iterable[bytes],
        fields: dict[bytes, bytes] | None = None,
        *,
        directory: bytes = b"",
        files: Sequence[int] = (),
    ) -> Steps[list[Entry]]:
        """The same beside other work (files/fsync_steps.py); the open `files`, if any, are fsynced instead of the
        directory."""
        if fields:
            entries = [
                Entry(uid, base, fields.get(base, b"")) for uid, base in enumerate(bases, self.next_uid)
            ]
        else:
            entries = [Entry(uid, base) for uid, base in enumerate(bases, self.next_uid)]
        if self.next_uid + len(entries) > MAX_NUMBER:
            raise OverflowError(f"{os.fsdecode(self.path)}: no UID left")
        if self.damaged or not self.exists:
            self._add(entries)
            self.rewrite(self.uids)
            if files:
                _check((yield files))
            elif directory:
                self._files.sync_directory(directory)
            return entries
        lines = b"".join([LINE % (entry.uid, entry.fields, entry.base) for entry in entries])
        fd = self._files.open(self.path, os.O_RDWR)
        try:
            if self._file_size != self._size:
                self._files.truncate(fd, self._size)  # a torn line of a writer that died
            self._files.pwrite(fd, lines, self._size)
            if files:
                _check((yield [fd, *files]))
            elif directory:
                yield from self._sync_with(directory, fd)
            else:
                self._files.fdatasync(fd)
            self._modified = self._files.fstat(fd).st_mtime_ns
        finally:
            self._files.close(fd)
        if len(self._octets) == self._size:
            self._octets += lines
        self._size += len(lines)
        self._file_size = self._size
        self._add(entries)
        return entries

    def rewrite(self, alive: Iterable[bytes]) -> None:
        """Write a new file with the lines of `alive` only.  The lock is held."""
        uids = self.uids
        entries = sorted((uids[base], base) for base in alive if base in uids)
        header = Header(self.uid_validity, self.next_uid, self.guid, self.other_fields).line()
        lines = [LINE % (uid, self.fields.get(uid, b""), base) for uid, base in entries]
        content = header + b"".join(lines)
        temporary = self.path + b".tmp"
        fd = self._files.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        try:
            self._files.write_all(fd, [content])
            self._files.fdatasync(fd)
            status = self._files.fstat(fd)
        finally:
            self._files.close(fd)
        self._files.rename(temporary, self.path)
        # Lines appended to the new file must not come back as those of the old one.
        self._files.sync_directory(os.path.dirname(self.path))
        self._identity, self._modified = (status.st_dev, status.st_ino), status.st_mtime_ns
        self._header = header
        self._size = self._file_size = len(content)
        self._octets = bytearray()
        self._uids = {base: uid for uid, base in entries}
        self._fields = {uid: self._fields[uid] for uid, _ in entries if uid in self._fields}
        self.damaged = False

    def _sync_with(self, directory: bytes, fd: int) -> Steps[None]:
        """Bring the lines to the disk, and the names in the directory: one commit of the file system for both."""
        names = self._files.open(directory, os.O_RDONLY | os.O_DIRECTORY)
        try:
            _check((yield [fd, names]))
        finally:
            self._files.close(names)

    def _add(self, entries: Sequence[Entry]) -> None:
        if not entries:
            return
        with_fields = {entry.uid: entry.fields for entry in entries if entry.fields}
        if self._uids is not None:
            self._uids.update([(entry.base, entry.uid) for entry in entries])
            self._fields.update(with_fields)
        else:
            self._count += len(entries)
            self._has_fields = self._has_fields or bool(with_fields)
        self._last_uid = entries[-1].uid
        self.next_uid = self._last_uid + 1

    def _forget(self) -> None:
        self._identity = None
        self._header = b""
        self._size = self._file_size = self._last_uid = self._modified = 0
        self.uid_validity = 0
        self.next_uid = 1
        self.guid = self.other_fields = b""
        self._uids = {}
        self._fields = {}
        self._octets = bytearray()
        self._looked_for = 0
        self.damaged = False

    def _read_lines(self) -> None:
        """Parse the lines that were not needed before."""
        now = UidList(os.path.dirname(self.path), self._files)
        now.refresh()
        self._uids, self._fields = now._uids, now._fields
        self._octets = bytearray()
        if now._what_was_read() != self._what_was_read():
            self._modified = -1  # the next `refresh` finds out what has happened, as it would have
            if now.uid_validity != self.uid_validity:
                self._uids, self._fields = {}, {}
        self.damaged = self.damaged or now.damaged

    def _what_was_read(self) -> tuple[object, ...]:
        return self._identity, self._modified, self._size, self._header

    def _has_octets(self) -> bool:
        """Whether those of the file as it was read are there, or can be had."""
        if len(self._octets) == self._size:
            return True
        if self.has_changed():
            return False
        fd = self._files.open(self.path, os.O_RDONLY)
        try:
            self._octets = bytearray(self._read(fd, 0)[: self._size])  # without a torn line
        finally:
            self._files.close(fd)
        return len(self._octets) == self._size and self._octets.startswith(self._header)

    def _read(self, fd: int, offset: int) -> bytes:
        parts = []
        while part := self._files.pread(fd, 1 << 20, offset):
            parts.append(part)
            offset += len(part)
        return b"".join(parts)

    def _parse(self, content: bytes) -> None:
        """Take in whole lines; what follows the last line end is left for the next time."""
        whole = content.rfind(b"\n") + 1
        self._size += whole
        position = 0
        if not self.exists:
            position = content.find(b"\n") + 1
            if position == 0 or not self._parse_header(content[:position]):
                self.damaged = True
                return
            self._header = content[:position]
            if content.startswith(b"1 "):
                self.damaged = True  # old: to be replaced
                content = content[:position] + lines_of_version_3(content[position:])
                whole = content.rfind(b"\n") + 1
        # Where the lines before have not been read, nothing is kept of these either.
        uids: dict[bytes, int] = {} if self._uids is None else self._uids
        fields: dict[int, bytes] = {} if self._uids is None else self._fields
        last, are_whole = read_lines(content, position, whole, last=self._last_uid, uids=uids, fields=fields)
        if not are_whole:
            self.damaged = True
        if self._uids is None:
            self._count += len(uids)
            self._has_fields = self._has_fields or bool(fields)
            self._octets = bytearray()
        self._last_uid = last
        self.next_uid = max(self.next_uid, last + 1)

    def _parse_header(self, line: bytes) -> bool:
        """Whether the line is a header that has UIDVALIDITY."""
        header = read_header(line)
        if header is None:
            return False
        self.guid = header.guid
        self.other_fields = header.other_fields
        if not header.guid:
            self.damaged = True
        self.uid_validity = header.uid_validity
        self.next_uid = max(self.next_uid, header.next_uid)
        return self.exists


def _check(synced: Sequence[OSError | None]) -> None:
    """Raise the first fault."""
    for error in synced:
        if error is not None:
            raise error
