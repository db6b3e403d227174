"""Keywords of a mailbox: 26 have letters in file names, the rest a file of ours.

DESCRIPTION
    `dovecot-keywords` says which letter of file names means which keyword in this mailbox, `0 $Forwarded` for
    `a`.  Indexes are never given to another keyword.  A letter without entry is called `unknown-<index>`.
    The file's mtime must grow by a second at least with every change, because readers look at nothing else.

    Keywords from the 27th on, which Dovecot keeps in its index only, live in `pillarbox-keywords`:

        K 26 project-x
        M 17 4000000

    `K` names a bit, `M` gives a UID its bits from 26 on, in hexadecimal; the last line of a UID counts.
    Lines are appended and fdatasynced; the file is rewritten when more than half of it is out of date.

    In a `MessageTable` a keyword is a bit: bits are given in the order in which keywords became known
    (`names`), letters as the file says; usually both are the same.

FAULTS
    OverflowError  no bit left (MAX_KEYWORDS)
    OSError        the files cannot be read or written

STANDARDS
    RFC 3501 §2.3.2 (keywords, case-insensitive); Dovecot 2.3, Maildir format
"""

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from itertools import zip_longest
from typing import Final

from pillarbox.files.file_system import FileSystem
from pillarbox.files.replacing import replace_file
from pillarbox.mailstore.mailbox import MAX_KEYWORDS
from pillarbox.mailstore.maildir.file_names import KEYWORD_LETTERS
from pillarbox.vocabulary.digits import decimal

FILE_NAME: Final = b"dovecot-keywords"
SURPLUS_FILE_NAME: Final = b"pillarbox-keywords"

_LETTER_LINE: Final = re.compile(rb"(\d{1,2}) ([^\n]+)\n")
_STAMP_LINE: Final = re.compile(rb"^I ([0-9:,]{1,200})$", re.MULTILINE)
_SURPLUS_LINE: Final = re.compile(rb"(?:K (\d{1,4}) ([^\n]+)|M (\d{1,10}) ([0-9a-f]{1,1024}))\n")
_MIN_LINES: Final = 100
_MAX_GAP: Final = 64
"""Bits that no line names before one: those of letters, if dovecot-keywords was lost, or of torn lines."""


class KeywordTable:
    """The keywords of one mailbox."""

    def __init__(self, directory: bytes, files: FileSystem) -> None:
        self.relocate(directory)
        self._files = files
        self.names: list[bytes] = []
        """index = bit; only grows"""
        self._bits: dict[bytes, int] = {}  # lower-case name → bit
        self._letter_bits: list[int] = [-1] * KEYWORD_LETTERS  # letter index → bit
        self._identity = True  # letter index == bit, for all letters known
        self._read_mtime = -1
        self.surplus: dict[int, int] = {}
        """UID → bits that no file name holds."""
        self.index_stamp = b""
        """Of which state of Dovecot's index the surplus was taken (mailstore/dovecot_files/takeover.py)."""
        self._surplus_lines = 0
        self._surplus_size = -1

    def relocate(self, directory: bytes) -> None:
        """The mailbox has been renamed."""
        self._directory = directory
        self._path = directory + b"/" + FILE_NAME
        self._surplus_path = directory + b"/" + SURPLUS_FILE_NAME

    def has_changed(self) -> bool:
        """Whether `refresh` would read anything: two stat calls."""
        try:
            mtime = self._files.stat(self._path).st_mtime_ns
        except FileNotFoundError:
            mtime = -1
        return mtime != self._read_mtime or self._surplus_differs()

    def surplus_has_changed(self) -> bool:
        """The same of a surplus file that is known: lines are added to it without a lock."""
        return self._surplus_size >= 0 and self._surplus_differs()

    @property
    def has_surplus(self) -> bool:
        """Whether there is such a file."""
        return self._surplus_size >= 0

    @property
    def letter_bits(self) -> tuple[int, ...]:
        """The bit of each letter of file names, -1 for those that have none."""
        return tuple(self._letter_bits)

    def means_the_same(self, names: Sequence[bytes], letter_bits: Sequence[int]) -> bool:
        """Whether bits that meant these keywords, and letters with these bits, still do; there may be more."""
        return tuple(self.names[: len(names)]) == tuple(names) and all(
            before in (-1, now) for before, now in zip(letter_bits, self._letter_bits, strict=False)
        )

    def is_as_in_files(self) -> bool:
        """Whether who reads the files now gives the same bits to the same keywords."""
        fresh = KeywordTable(self._directory, self._files)
        fresh.refresh()
        return fresh.names == self.names and fresh.letter_bits == self.letter_bits

    def refresh(self) -> None:
        """Read the files if they have changed."""
        try:
            mtime = self._files.stat(self._path).st_mtime_ns
        except FileNotFoundError:
            mtime = -1
        if mtime != self._read_mtime:
            self._read_mtime = mtime
            if mtime != -1:
                for index, name in _LETTER_LINE.findall(self._files.read_file(self._path)):
                    self._define_letter(decimal(index), name)
        self._refresh_surplus()

    def to_bits(self, letters: int) -> int:
        """MessageTable bits of the letters of a file name (bit 0 = `a`)."""
        if letters == 0:
            return 0
        highest = letters.bit_length()
        if self._identity and highest <= len(self.names) and self._letter_bits[highest - 1] >= 0:
            return letters
        bits = 0
        for index in range(highest):
            if letters >> index & 1:
                if self._letter_bits[index] < 0:
                    self._define_letter(index, b"unknown-%d" % index)
                if self._letter_bits[index] >= 0:  # else all MAX_KEYWORDS are taken
                    bits |= 1 << self._letter_bits[index]
        return bits

    def to_letters(self, bits: int) -> int:
        """Letters for those of the bits that have one."""
        if not bits:
            return 0
        letters = 0
        for index, bit in enumerate(self._letter_bits):
            if bit >= 0 and bits >> bit & 1:
                letters |= 1 << index
        return letters

    def surplus_of(self, bits: int) -> int:
        """Those of the bits that no letter stands for."""
        if not bits:
            return 0
        for bit in self._letter_bits:
            if bit >= 0:
                bits &= ~(1 << bit)
        return bits

    def find(self, name: bytes) -> int | None:
        """The bit of a keyword, or None."""
        return self._bits.get(name.lower())

    def define(self, names: Iterable[bytes]) -> bool:
        """Give bits to keywords that have none; whether there were any.  The uidlist's lock is held."""
        missing = {name.lower(): name for name in names if name.lower() not in self._bits}
        if not missing:
            return False
        if len(self.names) + len(missing) > MAX_KEYWORDS:
            raise OverflowError("Too many keywords")
        surplus = []
        free = [index for index, bit in enumerate(self._letter_bits) if bit < 0]
        for index, name in zip_longest(free[: len(missing)], missing.values()):
            if index is None:
                surplus.append((self._add(name), name))
            else:
                self._define_letter(index, name)
        if free:
            self._write_letters()
        self._append_surplus(b"".join([b"K %d %s\n" % pair for pair in surplus]))
        return True

    def set_surplus(self, changes: Mapping[int, int]) -> None:
        """Write down which surplus bits messages have."""
        lines = []
        for uid, bits in changes.items():
            if self.surplus.get(uid, 0) != bits:
                self.surplus[uid] = bits
                lines.append(b"M %d %x\n" % (uid, bits))
        self._append_surplus(b"".join(lines))

    def note_index(self, stamp: bytes) -> None:
        """What Dovecot's index tells has been taken over."""
        self.index_stamp = stamp
        self._append_surplus(b"I %b\n" % stamp)

    def forget(self, uids: Iterable[int]) -> None:
        """Messages are gone; rewrite the surplus file when it is mostly out of date."""
        for uid in uids:
            self.surplus.pop(uid, None)
        if self._surplus_lines > _MIN_LINES + 2 * len(self.surplus):
            self._rewrite_surplus()

    def _define_letter(self, index: int, name: bytes) -> None:
        if index >= KEYWORD_LETTERS:
            return
        known = self._letter_bits[index]
        if known >= 0:
            if self.names[known].lower() != name.lower() and self.names[known] == b"unknown-%d" % index:
                self._bits.pop(self.names[known].lower(), None)
                self.names[known] = name
                self._bits[name.lower()] = known
            return
        bit = self._bits.get(name.lower())
        if bit is None:
            if len(self.names) >= MAX_KEYWORDS:
                return
            bit = self._add(name)
        self._letter_bits[index] = bit
        self._identity = self._identity and bit == index

    def _add(self, name: bytes) -> int:
        self.names.append(name)
        bit = len(self.names) - 1
        self._bits[name.lower()] = bit
        return bit

    def _write_letters(self) -> None:
        """Replace dovecot-keywords, with a later mtime (as Dovecot does)."""
        lines = [
            b"%d %s\n" % (index, self.names[bit]) for index, bit in enumerate(self._letter_bits) if bit >= 0
        ]
        lock = self._path + b".lock"
        try:
            self._files.unlink(lock)
        except FileNotFoundError:
            pass
        fd = self._files.open(lock, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            self._files.write_all(fd, [b"".join(lines)])
            self._files.fsync(fd)
        finally:
            self._files.close(fd)
        written = self._files.stat(lock).st_mtime_ns
        if self._read_mtime != -1 and written // 10**9 <= self._read_mtime // 10**9:
            written = (self._read_mtime // 10**9 + 1) * 10**9
            self._files.utime(lock, modified_ns=written)
        self._files.rename(lock, self._path)
        self._files.sync_directory(self._directory)
        self._read_mtime = written

    def _surplus_differs(self) -> bool:
        try:
            return self._files.stat(self._surplus_path).st_size != self._surplus_size
        except FileNotFoundError:
            return False

    def _refresh_surplus(self) -> None:
        try:
            size = self._files.stat(self._surplus_path).st_size
        except FileNotFoundError:
            return
        if size == self._surplus_size:
            return
        self._surplus_size = size
        content = self._files.read_file(self._surplus_path)
        self._surplus_lines = content.count(b"\n")
        for match in _STAMP_LINE.finditer(content):
            self.index_stamp = match[1]
        for bit_text, name, uid, bits in _SURPLUS_LINE.findall(content):
            if not name:
                self.surplus[decimal(uid)] = int(bits, 16)
            elif KEYWORD_LETTERS <= decimal(bit_text) < min(MAX_KEYWORDS, len(self.names) + _MAX_GAP):
                while len(self.names) < decimal(bit_text):
                    self._add(b"unknown-%d" % len(self.names))
                if len(self.names) == decimal(bit_text) and name.lower() not in self._bits:
                    self._add(name)

    def _append_surplus(self, lines: bytes) -> None:
        if not lines:
            return
        fd = self._files.open(self._surplus_path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            size = self._files.fstat(fd).st_size
            if size and self._files.pread(fd, 1, size - 1) != b"\n":
                lines = b"\n" + lines  # a torn line of a writer that died becomes a line of its own
            self._files.pwrite(fd, lines, size)
            self._files.fdatasync(fd)
            self._surplus_size = size + len(lines)
        finally:
            self._files.close(fd)
        if size == 0:
            self._files.sync_directory(self._directory)
        self._surplus_lines += lines.count(b"\n")

    def _rewrite_surplus(self) -> None:
        letters = {bit for bit in self._letter_bits if bit >= 0}
        lines = [b"K %d %s\n" % (bit, name) for bit, name in enumerate(self.names) if bit not in letters]
        lines += [b"I %b\n" % self.index_stamp] if self.index_stamp else []
        lines += [b"M %d %x\n" % (uid, bits) for uid, bits in sorted(self.surplus.items()) if bits]
        replace_file(self._files, self._surplus_path, lines, temporary=self._surplus_path + b".tmp")
        self._surplus_lines = len(lines)
        self._surplus_size = sum(map(len, lines))
