"""The doveadm protocol, by which a doveadm has another host's doveadm service do a command.

DESCRIPTION
        C: VERSION<TAB>doveadm-server<TAB>1<TAB>2
        S: VERSION<TAB>doveadm-client<TAB>1<TAB>2       not to a client of minor version 0
        S: -                                            or +, if no password is wanted
        C: PLAIN<TAB>AGRvdmVhZG0Ac2VjcmV0               NUL, name, NUL, password
        S: +                                            from here in frames, but for minor version 0
        C: <TAB>alice<TAB>mailbox status<TAB>messages<TAB>INBOX
        S: INBOX<TAB>3<TAB>
        S:
        S: +                                            or - and a word for the exit status

    In front of the user stand letters: D for much to be told, v for more.  Values are escaped as dsync's are
    (wire/dsync/fields.py), and each is followed by a tab: a row ends where its last column does.

    A frame is an octet for its channel, four for its length, the most significant first, and so much of the answer
    (channel 0) or a line of the log (`L`): an octet for its severity and its text.

STANDARDS
    Dovecot 2.3, doveadm protocol 1.2 (as its two sides write it)
"""

import base64
import binascii
import re
from typing import Final

import msgspec

from pillarbox.wire.dsync.fields import escape, unescape

MINOR: Final = 2
OUTPUT: Final = 0
LOG: Final = ord("L")
SEVERITIES: Final = ("Debug", "Info", "Warning", "Error", "Fatal", "Panic")
"""The first is 1 in a line of the log."""
STATUSES: Final = {
    64: "USAGE",
    65: "DATAERR",
    67: "NOUSER",
    68: "NOTFOUND",
    75: "TEMPFAIL",
    76: "PROTOCOL",
    77: "NOPERM",
}
"""Exit status → its word; others have none, and are sent as numbers."""
_VERSION: Final = re.compile(rb"VERSION\tdoveadm-server\t1\t(\d{1,3})")
_HEAD: Final = 5


class Asked(msgspec.Struct, frozen=True):
    """A command."""

    letters: str
    user: str
    words: tuple[str, ...]
    """The command's own first: `mailbox`, `list`."""


def version_line(ours: str) -> bytes:
    """What a side (`doveadm-server`, `doveadm-client`) says first; the name is that of the other side's program."""
    return b"VERSION\t%b\t1\t%d\n" % (ours.encode("ascii"), MINOR)


def client_version(line: bytes) -> int | None:
    """The minor version that a client speaks; None if it is no client of ours."""
    found = _VERSION.fullmatch(line)
    return int(found[1]) if found else None


def login_line(name: str, password: str) -> bytes:
    """A client's name and password."""
    return b"PLAIN\t" + base64.b64encode(f"\0{name}\0{password}".encode()) + b"\n"


def read_login(line: bytes) -> tuple[str, str] | None:
    """The name and the password again; None if it is something else."""
    kind, _, encoded = line.partition(b"\t")
    if kind != b"PLAIN":
        return None
    try:
        parts = base64.b64decode(encoded, validate=True).split(b"\0")
    except binascii.Error:
        return "", ""
    if len(parts) != 3:
        return "", ""
    return parts[1].decode("utf-8", "replace"), parts[2].decode("utf-8", "replace")


def command_line(asked: Asked, *, name_words: int) -> bytes:
    """A command as it is sent; `name_words`: how many of its words are its name."""
    name = " ".join(asked.words[:name_words])
    values = (asked.letters, asked.user, name, *asked.words[name_words:])
    return b"\t".join(escape(value.encode("utf-8", "surrogateescape")) for value in values) + b"\n"


def read_command(line: bytes) -> Asked | None:
    """A command; None if it names none."""
    values = [unescape(value).decode("utf-8", "surrogateescape") for value in line.split(b"\t")]
    if len(values) < 3:
        return None
    return Asked(values[0], values[1], (*values[2].split(" "), *values[3:]))


def result_line(status: int) -> bytes:
    """How a command has ended, without the end of line in front."""
    return b"+\n" if not status else b"-%b\n" % STATUSES.get(status, str(status)).encode("ascii")


def read_result(line: bytes) -> int | None:
    """The exit status again; None if it is no line that says it."""
    if line == b"+":
        return 0
    if not line.startswith(b"-"):
        return None
    word = line[1:].decode("ascii", "replace")
    by_word = {name: status for status, name in STATUSES.items()}
    return by_word.get(word, int(word) if word.isdecimal() and len(word) < 4 else 75)


def frame(channel: int, octets: bytes) -> bytes:
    """A frame."""
    return bytes((channel,)) + len(octets).to_bytes(4) + octets


def log_frame(severity: str, text: str) -> bytes:
    """A line of the log."""
    number = SEVERITIES.index(severity) + 1
    return frame(LOG, bytes((number,)) + text.encode("utf-8", "surrogateescape") + b"\n")


class FrameReader:
    """What a server says, as (channel, octets); a frame comes in parts if it does not come at once."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._channel, self._left = 0, 0

    def feed(self, octets: bytes) -> list[tuple[int, bytes]]:
        """What these complete."""
        self._buffer += octets
        found = []
        while self._buffer:
            if not self._left:
                if len(self._buffer) < _HEAD:
                    break
                self._channel, self._left = self._buffer[0], int.from_bytes(self._buffer[1:_HEAD])
                del self._buffer[:_HEAD]
                continue
            if self._channel == LOG and len(self._buffer) < self._left:
                break
            part = bytes(self._buffer[: self._left])
            del self._buffer[: len(part)]
            self._left -= len(part)
            found.append((self._channel, part))
        return found


def read_log_line(octets: bytes) -> tuple[str, str]:
    """Severity and text of a line of the log."""
    number = octets[0] if octets else 0
    severity = SEVERITIES[number - 1] if 0 < number <= len(SEVERITIES) else "Error"
    return severity, octets[1:].decode("utf-8", "replace").rstrip("\n")
