"""The LMTP server's side of a conversation: bytes in, commands out; replies in, bytes out.

DESCRIPTION
    `next_command()` gives a command, a piece of message content, or a `Pause`; commands are answered in their
    order with `reply()`.  After `begin_data()` or `begin_chunk()` content comes as `Content` pieces and one
    `EndOfContent`, to be answered once for each recipient that was accepted (RFC 2033 §4.2).

    The engine knows grammar; order and every other text are the session's.  Syntax errors are `Refused`, in
    Dovecot's words.

LIMITS
    a line  `MAX_LINE` octets; the rest of a longer one is thrown away as it comes

STANDARDS
    RFC 2033 (LMTP); RFC 5321 (grammar); RFC 3030 (BDAT); RFC 2034 (status codes)
"""

import re
from enum import Enum, auto
from typing import Final

import msgspec

from pillarbox.vocabulary.address import Address
from pillarbox.vocabulary.digits import decimal
from pillarbox.wire.smtp.dot_stream import DataReader, LineEndReader

MAX_LINE: Final = 8192
_SOURCE_ROUTE: Final = re.compile(rb"\A(?:@[^:<>]*:)+")
_QUOTED: Final = re.compile(rb'"(?:[^"\\]|\\.)*"', re.DOTALL)
_CONTROL: Final = re.compile(rb"[\x00-\x1f\x7f]")


class Command(msgspec.Struct, frozen=True):
    """Something that the client says, to be answered."""


class Lhlo(Command, frozen=True):
    """`LHLO SP Domain`; empty if none was given."""

    host: bytes


class Mail(Command, frozen=True):
    """`MAIL FROM:<sender>`"""

    sender: bytes  # external form, without brackets


class Rcpt(Command, frozen=True):
    """`RCPT TO:<recipient>`"""

    recipient: bytes  # external form
    local_part: bytes  # without quoting
    domain: bytes


class Data(Command, frozen=True):
    """`DATA`"""


class Bdat(Command, frozen=True):
    """`BDAT SP size [SP LAST]`.  The chunk follows at once."""

    size: int
    last: bool


class Rset(Command, frozen=True):
    """`RSET`"""


class Noop(Command, frozen=True):
    """`NOOP`"""


class Vrfy(Command, frozen=True):
    """`VRFY`"""


class Quit(Command, frozen=True):
    """`QUIT`"""


class Refused(Command, frozen=True):
    """No command that is known; the reply says so."""

    reply: bytes


class Content(msgspec.Struct, frozen=True):
    """A piece of the message, CRLF line ends.  Not to be answered."""

    data: bytes


class EndOfContent(msgspec.Struct, frozen=True):
    """The final dot, or the end of a chunk."""

    last: bool


class Pause(Enum):
    """Why there is no command."""

    NEED_DATA = auto()
    CLOSED = auto()


_UNKNOWN: Final = Refused(b"500 5.5.1 Unknown command")
_PARAMETERS: Final = Refused(b"501 5.5.4 Invalid parameters")


class LmtpServer:
    """One conversation."""

    def __init__(self) -> None:
        self._buffer = b""
        self._output: list[bytes] = []
        self._closed = False
        self._skipping = False
        self._data: DataReader | None = None
        self._chunk: LineEndReader | None = None
        self._chunk_begun = False
        self._chunk_left = 0
        self._chunk_last = False

    def receive_data(self, data: bytes) -> None:
        """Take bytes from the client; b"" means that there are no more."""
        if not data:
            self._closed = True
        self._buffer += data

    def data_to_send(self) -> bytes:
        """Bytes for the client."""
        data, self._output = b"".join(self._output), []
        return data

    def reply(self, *lines: bytes) -> None:
        """Answer with lines that have their codes."""
        self._output.extend(line + b"\r\n" for line in lines)

    def begin_data(self) -> None:
        """354 was answered: what follows is content."""
        self._data = DataReader()

    def begin_chunk(self, command: Bdat) -> None:
        """The octets of a BDAT chunk come now."""
        self._chunk = self._chunk or LineEndReader()
        self._chunk_begun = True
        self._chunk_left = command.size
        self._chunk_last = command.last

    def forget_chunks(self) -> None:
        """The transaction is over."""
        self._chunk = None

    def next_command(self) -> Command | Content | EndOfContent | Pause:
        """What the client wants."""
        if self._data is not None:
            return self._next_content(self._data)
        if self._chunk is not None and self._chunk_begun:
            return self._next_chunk(self._chunk)
        line = self._next_line()
        if line is None:
            return Pause.CLOSED if self._closed else Pause.NEED_DATA
        return _TOO_LONG if line is _LONG else parse(line)

    def _next_line(self) -> bytes | None:
        while (end := self._buffer.find(b"\n")) >= 0:
            line, self._buffer = self._buffer[:end], self._buffer[end + 1 :]
            if self._skipping:
                self._skipping = False
                return _LONG
            return _LONG if len(line) > MAX_LINE else line.removesuffix(b"\r")
        if len(self._buffer) > MAX_LINE:
            self._skipping = True
            self._buffer = b""
        return None

    def _next_content(self, reader: DataReader) -> Content | EndOfContent | Pause:
        if reader.ended:
            self._buffer = reader.take_unread() + self._buffer
            self._data = None
            return EndOfContent(last=True)
        data, self._buffer = self._buffer, b""
        if not data:
            return Pause.CLOSED if self._closed else Pause.NEED_DATA
        content = reader.feed(data)
        if content:
            return Content(content)
        return self._next_content(reader)

    def _next_chunk(self, reader: LineEndReader) -> Content | EndOfContent | Pause:
        if not self._chunk_left:
            last = self._chunk_last
            if last and (rest := reader.feed(b"", final=True)):
                return Content(rest)
            self._chunk_begun = False
            if last:
                self._chunk, self._chunk_last = None, False
            return EndOfContent(last=last)
        taken, self._buffer = self._buffer[: self._chunk_left], self._buffer[self._chunk_left :]
        if not taken:
            return Pause.CLOSED if self._closed else Pause.NEED_DATA
        self._chunk_left -= len(taken)
        content = reader.feed(taken)
        if content:
            return Content(content)
        return self._next_chunk(reader)


_LONG: Final = b"\0too long"
_TOO_LONG: Final = Refused(b"500 5.5.2 Line too long")


def parse(line: bytes) -> Command:
    """A command line without its end."""
    verb, _, rest = line.partition(b" ")
    rest = rest.strip(b" ")
    match verb.upper():
        case b"LHLO":
            return Lhlo(rest) if _is_host(rest) else Refused(b"501 Missing hostname")
        case b"MAIL":
            return _mail(rest)
        case b"RCPT":
            return _rcpt(rest)
        case b"DATA":
            return Data() if not rest else _PARAMETERS
        case b"BDAT":
            return _bdat(rest)
        case b"RSET":
            return Rset() if not rest else _PARAMETERS
        case b"NOOP":
            return Noop()
        case b"VRFY":
            return Vrfy()
        case b"QUIT":
            return Quit() if not rest else _PARAMETERS
    return _UNKNOWN


def _is_host(text: bytes) -> bool:
    return 0 < len(text) <= 255 and all(0x21 <= octet <= 0x7E for octet in text)


def _path(rest: bytes, keyword: bytes) -> tuple[bytes, list[bytes]] | Refused:
    """Path with its brackets, and the parameters behind it."""
    name = keyword.removesuffix(b":")
    if rest[: len(keyword)].upper() != keyword:
        return Refused(b"501 5.5.4 Invalid parameters")
    rest = rest[len(keyword) :].lstrip(b" ")
    if not rest.startswith(b"<"):
        return Refused(b"501 5.5.4 Invalid %s: Missing '<' at beginning of path" % name)
    end = _end_of_path(rest)
    if end < 0:
        return Refused(b"501 5.5.4 Invalid %s: Missing '>' at end of path" % name)
    return rest[: end + 1], rest[end + 1 :].split()


def _end_of_path(text: bytes) -> int:
    quoted = escaped = False
    for at, octet in enumerate(text):
        if escaped:
            escaped = False
        elif octet == 0x5C:
            escaped = True
        elif octet == 0x22:
            quoted = not quoted
        elif octet == 0x3E and not quoted:
            return at
    return -1


def _mail(rest: bytes) -> Command:
    found = _path(rest, b"FROM:")
    if isinstance(found, Refused):
        return found
    path, parameters = found
    for parameter in parameters:
        name, _, value = parameter.partition(b"=")
        if name.upper() != b"BODY":
            return Refused(b"555 5.5.4 Unsupported parameters")
        if name.upper() == b"BODY" and value.upper() not in (b"7BIT", b"8BITMIME", b"BINARYMIME"):
            return Refused(b"555 5.5.4 Unsupported mail BODY type")
    sender = path[1:-1]
    # What another server has taken is no address for us to judge: only what would break a header line is refused.
    if _CONTROL.search(sender) is not None or b" " in _QUOTED.sub(b"", sender):
        return Refused(b"501 5.5.4 Invalid FROM: Invalid character in path")
    return Mail(sender)


def _rcpt(rest: bytes) -> Command:
    found = _path(rest, b"TO:")
    if isinstance(found, Refused):
        return found
    path, parameters = found
    if parameters:
        return Refused(b"555 5.5.4 Unsupported parameters")
    text = path[1:-1]
    try:
        address = Address.parse(_SOURCE_ROUTE.sub(b"", text, count=1))
    except ValueError:
        return Refused(b"501 5.5.4 Invalid TO: Invalid character in path")
    if not address.local_part:
        return Refused(b"501 5.5.4 Invalid TO: Null path not allowed")
    return Rcpt(text, address.local_part, address.domain)


def _bdat(rest: bytes) -> Command:
    size, _, last = rest.partition(b" ")
    try:
        octets = decimal(size, max_digits=12)
    except ValueError:
        return Refused(b"501 5.5.4 Invalid chunk size parameter")
    if last and last.strip().upper() != b"LAST":
        return _PARAMETERS
    return Bdat(octets, bool(last))
