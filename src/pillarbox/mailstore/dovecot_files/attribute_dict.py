"""Annotations of mailboxes (METADATA) in a file: Dovecot's `file` dict, as mail_attribute_dict names it.

DESCRIPTION
        priv/68ee300f3a4c076b8432000083ecc375/comment
        my comment
        shared/68ee300f3a4c076b8432000083ecc375/vendor/vendor.dovecot/pvt/server/vendor/x
        y

    Keys and values in turn, a line each; TAB, CR, LF, NUL and 0x01 are escaped in both.  A key is `priv` or
    `shared`, the GUID of a mailbox, and the name of the entry in small letters.  What belongs to the account
    stands under INBOX's GUID behind `SERVER`.

    Directories above the file are made with it.  A change is made under `FILE.lock`: the file is read again,
    written anew beside itself, fsynced and renamed.
    Two lines that are no pair at the end of the file are left out.

FAULTS
    OSError           the file cannot be read or written
    StoreUnavailable  the lock is not given back
    AttributesFull    it would become larger than `MAX_FILE`

STANDARDS
    RFC 5464; Dovecot 2.3, lib-dict (file), mail_attribute_dict
"""

import os
import re
from collections.abc import Mapping, Sequence
from typing import Final

from pillarbox.files.directories import make_directories
from pillarbox.files.file_system import FileSystem
from pillarbox.files.replacing import replace_file
from pillarbox.mailstore.dovecot_files.dotlock import DotLock
from pillarbox.mailstore.mailbox import AttributesFull, StoreUnavailable
from pillarbox.vocabulary.clock import Clock

FILE_NAME: Final = "dovecot-attributes"
"""Where it is, in the root of the Maildir, when no mail_attribute_dict is configured."""
SERVER: Final = "vendor/vendor.dovecot/pvt/server/"
"""Before the entries of the account."""
INTERNAL: Final = "vendor/vendor.dovecot/pvt/"
"""What clients may not name."""
URL_KEY: Final = "vendor/vendor.dovecot/imap-urlauth"
"""The secret for URLs of a mailbox, private, in hexadecimal digits; clients may not name it either."""
PRIVATE: Final = "private/"
SPECIAL_USE: Final = "specialuse"
MAX_FILE: Final = 1 << 20
"""Octets of all entries of an account."""

_KINDS: Final = {"private": b"priv", "shared": b"shared"}
_KIND_NAMES: Final = {stored: kind for kind, stored in _KINDS.items()}
_ESCAPES: Final = {b"\x01": b"\x011", b"\0": b"\x010", b"\t": b"\x01t", b"\r": b"\x01r", b"\n": b"\x01n"}
_ESCAPE: Final = re.compile(rb"\x01(.)", re.DOTALL)
_ESCAPED: Final = {escaped[1:]: plain for plain, escaped in _ESCAPES.items()}


class AttributeDict:
    """The file at `path`; functions are for worker threads."""

    def __init__(self, path: bytes, files: FileSystem, clock: Clock) -> None:
        self.path = path
        self._files = files
        self._clock = clock
        self._known: tuple[tuple[int, int, int], dict[bytes, bytes]] = ((0, 0, 0), {})

    def of_mailbox(self, guid: bytes) -> dict[str, bytes]:
        """Entry → value, `private/comment` and so on; `guid` is 32 hex digits."""
        found: dict[str, bytes] = {}
        for key, value in self._read().items():
            kind, _, rest = key.partition(b"/")
            owner, _, name = rest.partition(b"/")
            if owner == guid and kind in _KIND_NAMES and name:
                found[f"{_KIND_NAMES[kind]}/{name.decode('utf-8', 'replace')}"] = value
        return found

    def special_uses(self) -> dict[bytes, bytes]:
        """GUID → `\\Sent` and the like, of mailboxes that were created or marked so."""
        ending = b"/" + SPECIAL_USE.encode("ascii")
        return {
            key[5 : -len(ending)]: value
            for key, value in self._read().items()
            if key.startswith(b"priv/") and key.endswith(ending) and key.count(b"/") == 2
        }

    def change(self, guid: bytes, changes: Mapping[str, bytes | None]) -> None:
        """Set entries of a mailbox, or remove those whose value is None; all or none."""
        written: dict[bytes, bytes | None] = {}
        for entry, value in changes.items():
            kind, _, name = entry.partition("/")
            written[b"%b/%b/%b" % (_KINDS[kind], guid, name.encode("utf-8"))] = value
        self._change(written)

    def url_key(self, guid: bytes, new: bytes) -> bytes:
        """The secret for URLs of a mailbox, `new` if there was none; empty if there is none."""
        key = _url_key(guid)
        known = self._read().get(key)
        if known is None and new:
            with self._lock():
                known = self._read().get(key)
                if known is None:
                    known = new.hex().encode("ascii")
                    self._replace({key: known})
        try:
            return bytes.fromhex((known or b"").decode("ascii"))
        except ValueError as error:  # UnicodeError too
            raise StoreUnavailable(
                f"{os.fsdecode(self.path)}: the key of {guid.decode()} is no key"
            ) from error

    def forget_url_keys(self, guids: Sequence[bytes]) -> None:
        """Those of some mailboxes are no more."""
        known = self._read()
        gone = [key for key in map(_url_key, guids) if key in known]
        if gone:
            self._change(dict.fromkeys(gone))

    def has(self, guid: bytes) -> bool:
        """Whether anything is noted of a mailbox."""
        return bool(self._keys_of(guid))

    def forget(self, guid: bytes) -> None:
        """The mailbox is no more."""
        gone = self._keys_of(guid)
        if gone:
            self._change(dict.fromkeys(gone))

    def _keys_of(self, guid: bytes) -> list[bytes]:
        return [key for key in self._read() if key.partition(b"/")[2].startswith(guid + b"/")]

    def _change(self, changes: Mapping[bytes, bytes | None]) -> None:
        with self._lock():
            self._replace(changes)

    def _lock(self) -> DotLock:
        make_directories(os.path.dirname(self.path), self._files)
        return DotLock(self.path, files=self._files, clock=self._clock)

    def _replace(self, changes: Mapping[bytes, bytes | None]) -> None:
        """Under the lock."""
        entries = dict(self._read())
        for key, value in changes.items():
            if value is None:
                entries.pop(key, None)
            else:
                entries[key] = value
        content = b"".join(b"%b\n%b\n" % (escape(key), escape(value)) for key, value in entries.items())
        if len(content) > MAX_FILE:
            raise AttributesFull
        replace_file(self._files, self.path, [content], temporary=self.path + b".new")

    def _read(self) -> dict[bytes, bytes]:
        """All entries; read anew when the file is another one."""
        try:
            status = self._files.stat(self.path)
            state = (status.st_ino, status.st_mtime_ns, status.st_size)
            if state != self._known[0]:
                self._known = (state, parse(self._files.read_file(self.path)))
        except FileNotFoundError:
            self._known = ((0, 0, 0), {})
        return self._known[1]


def is_internal(name: str) -> bool:
    """Whether an entry, `private/` and `shared/` apart, is not for clients."""
    return name.startswith(INTERNAL) or name == URL_KEY


def for_clients(entries: Mapping[str, bytes], *, server: bool) -> dict[str, bytes]:
    """What clients may see of INBOX's entries: those of the mailbox, or those of the account."""
    found: dict[str, bytes] = {}
    for entry, value in entries.items():
        kind, _, name = entry.partition("/")
        if server and name.startswith(SERVER):
            found[f"{kind}/{name.removeprefix(SERVER)}"] = value
        elif not server and not is_internal(name):
            found[entry] = value
    return found


def for_file(changes: Mapping[str, bytes | None], *, server: bool) -> dict[str, bytes | None]:
    """The same the other way."""
    if not server:
        return dict(changes)
    parts = ((entry.partition("/"), value) for entry, value in changes.items())
    return {f"{kind}/{SERVER}{name}": value for (kind, _, name), value in parts}


def parse(content: bytes) -> dict[bytes, bytes]:
    """Key → value of a file's content."""
    lines = content.split(b"\n")[:-1]
    return {_unescape(key): _unescape(value) for key, value in zip(lines[::2], lines[1::2], strict=False)}


def _url_key(guid: bytes) -> bytes:
    return b"priv/%b/%b" % (guid, URL_KEY.encode("ascii"))


def escape(text: bytes) -> bytes:
    """A key or a value without line ends, as it stands in the file."""
    for plain, escaped in _ESCAPES.items():  # 0x01 first
        text = text.replace(plain, escaped)
    return text


def _unescape(text: bytes) -> bytes:
    return _ESCAPE.sub(lambda found: _ESCAPED.get(found[1], found[1]), text)
