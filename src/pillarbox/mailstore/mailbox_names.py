"""Mailbox names: what a client says, and what the directory is called.

DESCRIPTION
    Inside, names are Unicode with `/` between levels.  On disk a Maildir++ folder is one directory in the
    account's root, `.` before every level, in modified UTF-7: `Entwürfe/2024` is `.Entw&APw-rfe.2024`.  INBOX
    is the root itself, in any case of letters; `INBOX/x` is a folder below it, `.INBOX.x`.

    `directory_name` refuses what could not come back: empty levels, `.` within a level, NUL,
    a leading `~` or `/`, names that are too long.  The texts are Dovecot's.  With the plugin listescape, `Escaping`
    gives most of these another spelling on disk: `a.b` is `.a\\2eb`.
    `check_new` refuses control characters, which a mailbox that is there already may have.

FAULTS
    MailboxNameRefused  `str()` is for the client
    ValueError          of `decode_utf7`: not modified UTF-7

STANDARDS
    RFC 3501 §5.1, §5.1.3 (modified UTF-7); Dovecot 2.3, Maildir format
"""

import base64
import binascii
import re
from typing import Final

import msgspec

from pillarbox.mailstore.mailbox import MailboxNameRefused

SEPARATOR: Final = "/"
INBOX: Final = "INBOX"
BELOW_PREFIX: Final = "\ufdd0"
"""Inside, before the name of a mailbox that is called INBOX, in whatever letters, below a namespace's prefix and
is not the user's: before `Inbox`, which is `.Inbox` on disk."""
OWN_SEPARATOR: Final = "."
"""What Maildir++ has between the levels, on disk and for clients unless the configuration says otherwise."""
RESERVED: Final = frozenset(("cur", "new", "tmp"))
"""What no directory of a mailbox may be called (LAYOUT=fs)."""
MAX_NAME_BYTES: Final = 255
"""Octets of a directory's name, with the dot before it in Maildir++: what file systems allow."""

_NOT_ASCII: Final = re.compile(r"[^\x20-\x25\x27-\x7e]+")
_SHIFTED: Final = re.compile(rb"&([^-]*)-")
_CONTROL: Final = re.compile(r"[\x00-\x1f]")


class Escaping(msgspec.Struct, frozen=True):
    """What the plugin listescape writes in the place of characters that a directory cannot have."""

    mark: str = ""
    """What stands before two hexadecimal digits; empty: nothing is escaped."""
    nested: bool = False
    """LAYOUT=fs, whose directories may have dots."""
    prefixed: bool = False
    """Whether a directory may be `BELOW_PREFIX` and INBOX in other letters: clients say a prefix before it."""
    second_inbox: bool = False
    """Whether one may be so in capitals, too: the root is no INBOX."""

    def on_disk(self, level: str) -> str:
        """`a\\2eb` for `a.b`."""
        mark = self.mark
        if not mark:
            return level
        level = level.replace(mark, f"{mark}{ord(mark):02x}")
        if level.startswith("~"):
            level = f"{mark}7e{level[1:]}"
        if not self.nested:
            return level.replace(".", f"{mark}2e")
        return f"{mark}2e{level[1:]}" if level in (".", "..") else level

    def plain(self, level: str) -> str:
        """`a.b` for `a\\2eb`; ValueError if that is spelled otherwise."""
        if not self.mark:
            return level
        plain = re.sub(re.escape(self.mark) + "([0-7][0-9a-f])", lambda found: chr(int(found[1], 16)), level)
        if SEPARATOR in plain or self.on_disk(plain) != level:
            raise ValueError(f"no escaped name: {level}")
        return plain


UNESCAPED: Final = Escaping()


def encode_utf7(name: str) -> bytes:
    """Modified UTF-7 (RFC 3501 §5.1.3): `&` is `&-`, other than printable ASCII is base64 of UTF-16."""

    def shift(match: re.Match[str]) -> str:
        parts = []
        for run in re.split("(&)", match[0]):
            if run == "&":
                parts.append("&-")
            elif run:
                coded = base64.b64encode(run.encode("utf-16-be")).rstrip(b"=")
                parts.append(f"&{coded.replace(b'/', b',').decode('ascii')}-")
        return "".join(parts)

    return _NOT_ASCII.sub(shift, name).encode("ascii")


def decode_utf7(name: bytes) -> str:
    """The name that modified UTF-7 spells; ValueError if it spells none, or not in the shortest way."""

    def unshift(match: re.Match[bytes]) -> bytes:
        coded = match[1]
        if not coded:
            return b"&"
        try:
            padded = coded.replace(b",", b"/") + b"=" * (-len(coded) % 4)
            return base64.b64decode(padded, validate=True).decode("utf-16-be").encode("utf-8")
        except (binascii.Error, UnicodeDecodeError) as error:
            raise ValueError(f"not modified UTF-7: {name!r}") from error

    decoded = _SHIFTED.sub(unshift, name).decode("utf-8")
    if encode_utf7(decoded) != name:
        raise ValueError(f"not modified UTF-7: {name!r}")
    return decoded


def normalise(name: str, separator: str = "") -> str:
    """The name with INBOX in capitals (RFC 3501 §5.1: INBOX is case-insensitive), also as the first of several
    levels if `separator` is given."""
    if name[:5].isascii() and name[:5].upper() == INBOX and name[5:6] in ("", separator):
        return INBOX + name[5:]
    return name


def check_new(name: str) -> None:
    """Whether a mailbox may be made or renamed so.  MailboxNameRefused."""
    if _CONTROL.search(name):
        raise MailboxNameRefused("Control characters not allowed in new mailbox names")


def directory_name(name: str, escaping: Escaping = UNESCAPED) -> bytes:
    """The directory of the mailbox in the account's root: empty for INBOX, `.A.B` for `A/B`."""
    name = normalise(name)
    if name == INBOX:
        return b""
    if name.startswith(BELOW_PREFIX):
        return b"." + name[1:].encode("ascii")
    levels = name.split(SEPARATOR)
    _check_levels(name, levels, escaping)
    if "." in name and not escaping.mark:
        raise MailboxNameRefused("Character not allowed in mailbox name: '.'")
    encoded = _encoded(name, levels, escaping)
    directory = b"." + b".".join(encoded)
    if len(directory) > MAX_NAME_BYTES:
        raise MailboxNameRefused("Mailbox name too long")
    return directory


def levels_on_disk(name: str, escaping: Escaping = UNESCAPED) -> list[bytes]:
    """The directories of the mailbox, one below the other (LAYOUT=fs)."""
    if name.startswith(BELOW_PREFIX):
        return [name[1:].encode("ascii")]
    levels = name.split(SEPARATOR)
    _check_levels(name, levels, escaping)
    if not escaping.mark and (".." in levels or "." in levels):
        raise MailboxNameRefused("Invalid mailbox name: Contains '..' part")
    if not RESERVED.isdisjoint(levels):
        raise MailboxNameRefused("Invalid mailbox name: Contains reserved name")
    if any(escaping.on_disk(level).startswith("..") for level in levels):  # on disk, such are being deleted
        raise MailboxNameRefused("Invalid mailbox name: Contains reserved name")
    return _encoded(name, levels, escaping)


def _check_levels(name: str, levels: list[str], escaping: Escaping) -> None:
    for wrong, reason in (
        (not name, "Name is empty"),
        (name.startswith("~") and not escaping.mark, "Begins with '~'"),
        (name.startswith(SEPARATOR), "Begins with hierarchy separator"),
        ("" in levels[:-1], "Has adjacent hierarchy separators"),
        (name.endswith(SEPARATOR), "Ends with hierarchy separator"),
    ):
        if wrong:
            raise MailboxNameRefused("Invalid mailbox name: " + reason)


def _encoded(name: str, levels: list[str], escaping: Escaping) -> list[bytes]:
    if "\0" in name:
        raise MailboxNameRefused("Mailbox name is not valid mUTF-7")
    try:
        encoded = [encode_utf7(escaping.on_disk(level)) for level in levels]
    except UnicodeEncodeError as error:
        raise MailboxNameRefused("Mailbox name is not valid UTF-8") from error
    if max(map(len, encoded)) > MAX_NAME_BYTES:
        raise MailboxNameRefused("Mailbox name too long")
    return encoded


def name_of_directory(directory: bytes, escaping: Escaping = UNESCAPED) -> str | None:
    """The mailbox that a directory in the root is, or None if it is none: `..x`, `.a..b`, not UTF-7.

    `.inbox.x` is told as INBOX/x, not below a name that clients would take for INBOX.
    """
    levels = directory[1:].split(b".")
    if directory[:1] != b"." or b"" in levels:
        return None
    try:
        name = SEPARATOR.join([escaping.plain(decode_utf7(level)) for level in levels])
    except ValueError:
        return None
    if "\0" in name or name.count(SEPARATOR) != len(levels) - 1:
        return None
    if normalise(name) == INBOX:
        return second_inbox(name, escaping)
    return name if escaping.prefixed else normalise(name, SEPARATOR)


def second_inbox(spelling: str, escaping: Escaping) -> str | None:
    """What a directory called INBOX, in whatever letters, is: a mailbox below a prefix only, else None."""
    is_mailbox = escaping.second_inbox if spelling == INBOX else escaping.prefixed
    return BELOW_PREFIX + spelling if is_mailbox else None


def storage_name(name: str, escaping: Escaping = UNESCAPED) -> list[bytes]:
    """The levels as the subscriptions file holds them."""
    if name.startswith(BELOW_PREFIX):
        return [b"INBOX"]
    return [encode_utf7(escaping.on_disk(level)) for level in normalise(name).split(SEPARATOR)]


def parents(name: str) -> list[str]:
    """The names above: `A`, `A/B` for `A/B/C`."""
    levels = name.split(SEPARATOR)
    return [SEPARATOR.join(levels[:count]) for count in range(1, len(levels))]
