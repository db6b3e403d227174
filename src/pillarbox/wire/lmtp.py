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
from typing import Final

import msgspec

from pillarbox.vocabulary.digits import decimal
from pillarbox.vocabulary.utf8 import is_utf8
from pillarbox.wire.lmtp_original_recipient import original_recipient
from pillarbox.wire.lmtp_paths import forward_path, reverse_path
from pillarbox.wire.pause import Pause
from pillarbox.wire.smtp.dot_stream import DataReader, LineEndReader

MAX_LINE: Final = 8192
_BAD: Final = frozenset((b"500", b"501", b"503"))
_COMMAND: Final = re.compile(rb"([A-Za-z]{1,32})(?: ((?! )[^\x00-\x08\x0a-\x1f\x7f]*))?")
_STRING: Final = re.compile(rb"[A-Za-z0-9!#$%&'*+\-/=?^_`{|}~]+|\"(?:[ !#-\[\]-~]|\\[ -~])*\"")
_OPEN_STRING: Final = re.compile(rb"\"(?:[ !#-\[\]-~]|\\[ -~])*")
_HOST: Final = re.compile(rb"[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*|\[[!-Z^-~]+\]")
_KEYWORD: Final = re.compile(rb"[A-Za-z0-9][A-Za-z0-9-]*")
_PARAMETER: Final = re.compile(rb"([A-Za-z0-9][A-Za-z0-9-]*)(?:=([!-<>-~]*))?")


class Command(msgspec.Struct, frozen=True):
    """Something that the client says, to be answered."""


class Lhlo(Command, frozen=True):
    """`LHLO SP ( Domain / address-literal )`; `unknown` if it is neither."""

    host: bytes


class Mail(Command, frozen=True):
    """`MAIL FROM:<sender>`"""

    sender: bytes  # external form, without brackets


class Rcpt(Command, frozen=True):
    """`RCPT TO:<recipient>`"""

    recipient: bytes  # external form
    local_part: bytes  # without quoting
    domain: bytes
    original: bytes = b""  # as ORCPT has it


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
    verb: bytes = b""  # of one whose order is looked at before what is wrong in it
    size: int = 0  # octets of a chunk that follow all the same


class Content(msgspec.Struct, frozen=True):
    """A piece of the message, CRLF line ends.  Not to be answered."""

    data: bytes


class EndOfContent(msgspec.Struct, frozen=True):
    """The final dot, or the end of a chunk."""

    last: bool


_UNKNOWN: Final = Refused(b"500 5.5.1 Unknown command")
_PARAMETERS: Final = Refused(b"501 5.5.4 Invalid parameters")


class LmtpServer:
    """One conversation."""

    def __init__(self) -> None:
        self._buffer = b""
        self._output: list[bytes] = []
        self.bad_commands = 0
        """One after the other, up to the last: those that are no command, or come at the wrong time."""
        self._closed = False
        self._skipping = False
        self._data: DataReader | None = None
        self._chunk: LineEndReader | None = None
        self._chunk_begun = False
        self._chunk_left = 0
        self._chunk_last = False
        self._skipped = 0

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
        self.bad_commands = self.bad_commands + 1 if lines[-1][:3] in _BAD else 0
        self._output.extend(line + b"\r\n" for line in lines)

    def replace_reply(self, line: bytes) -> None:
        """Another answer than the last one, which had one line."""
        self._output[-1] = line + b"\r\n"

    def begin_data(self) -> None:
        """354 was answered: what follows is content."""
        self._data = DataReader()

    def skip_chunk(self, size: int) -> None:
        """The octets of a chunk that was refused come now; they are nobody's (RFC 3030 §2)."""
        self._skipped = size

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
        self._skip()
        if self._data is not None:
            return self._next_content(self._data)
        if self._chunk is not None and self._chunk_begun:
            return self._next_chunk(self._chunk)
        line = self._next_line()
        if line is None:
            return Pause.CLOSED if self._closed else Pause.NEED_DATA
        return _TOO_LONG if line is _LONG else parse(line)

    def _skip(self) -> None:
        if self._skipped:
            skipped = min(self._skipped, len(self._buffer))
            self._buffer = self._buffer[skipped:]
            self._skipped -= skipped

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
    line = line.rstrip(b" ")
    if not line or line.startswith(b" "):
        return _UNKNOWN
    found = _COMMAND.fullmatch(line)
    if found is None or not is_utf8(line):
        return Refused(b"500 5.5.2 Invalid command syntax")
    rest = (found[2] or b"").rstrip(b" \t")
    match found[1].upper():
        case b"LHLO":
            return _lhlo(rest.partition(b" ")[0])
        case b"MAIL":
            return _of_verb(b"MAIL", _mail(rest))
        case b"RCPT":
            return _of_verb(b"RCPT", _rcpt(rest))
        case b"DATA":
            return Data() if not rest else _PARAMETERS
        case b"BDAT":
            return _bdat(rest)
        case b"RSET":
            return Rset() if not rest else _PARAMETERS
        case b"NOOP":
            return _wrong_string(rest) or Noop()
        case b"VRFY":
            return (_wrong_string(rest) or Vrfy()) if rest else _PARAMETERS
        case b"STARTTLS":
            return Refused(b"502 5.5.1 TLS support is not enabled.")
        case b"QUIT":
            return Quit() if not rest else _PARAMETERS
    return _UNKNOWN


def _of_verb(verb: bytes, command: Command) -> Command:
    return Refused(command.reply, verb) if isinstance(command, Refused) else command


def _wrong_string(text: bytes) -> Refused | None:
    """What is wrong with `String = Atom / Quoted-string` (RFC 5321 §4.1.2), if there is one."""
    if not text or _STRING.fullmatch(text):
        return None
    is_open = text.startswith(b'"') and _OPEN_STRING.fullmatch(text) is not None
    what = b"Premature end of quoted string" if is_open else b"Invalid character in string"
    return Refused(b"501 5.5.4 Invalid string parameter: " + what)


def _lhlo(host: bytes) -> Command:
    """A name that is none is not worth a refusal, but no word for Received: either."""
    return Lhlo(host if _HOST.fullmatch(host) else b"unknown") if host else Refused(b"501 Missing hostname")


def _start(rest: bytes, keyword: bytes) -> bytes | Refused:
    """What follows the keyword, from the opening bracket on."""
    name = keyword.removesuffix(b":")
    if rest[: len(keyword)].upper() != keyword:
        return Refused(b"501 5.5.4 Invalid parameters")
    rest = rest[len(keyword) :].lstrip(b" ")
    if not rest:
        return Refused(b"501 5.5.4 Invalid %s: Path is empty string" % name)
    if not rest.startswith(b"<"):
        return Refused(b"501 5.5.4 Invalid %s: Missing '<' at beginning of path" % name)
    return rest


def _parameters(text: bytes, end: int, command: bytes) -> list[tuple[bytes, bytes | None]]:
    """What stands behind the path: keywords in capitals, and their values if they have some.  ValueError."""
    if text[end : end + 1] not in (b"", b" "):
        raise ValueError(
            "FROM: Invalid character in path" if command == b"MAIL" else "TO: Invalid character in path"
        )
    found: list[tuple[bytes, bytes | None]] = []
    for parameter in text[end + 1 :].split(b" ") if end < len(text) else []:
        if not parameter:
            raise ValueError(f"{command.decode()} parameter: Parameter is empty")
        match = _PARAMETER.fullmatch(parameter)
        if match is None:
            keyword, equals, _ = parameter.partition(b"=")
            part = "value" if equals and _KEYWORD.fullmatch(keyword) else "keyword"
            raise ValueError(f"{command.decode()} parameter: Unexpected character in parameter {part}")
        found.append((match[1].upper(), match[2]))
    return found


def _mail(rest: bytes) -> Command:
    text = _start(rest, b"FROM:")
    if isinstance(text, Refused):
        return text
    try:
        sender, end = reverse_path(text)
    except ValueError as fault:
        return Refused(b"501 5.5.4 Invalid FROM: " + str(fault).encode())
    try:
        parameters = _parameters(text, end, b"MAIL")
    except ValueError as fault:
        return Refused(b"501 5.5.4 Invalid " + str(fault).encode())
    for name, value in parameters:
        if name != b"BODY":
            return Refused(b"555 5.5.4 Unsupported parameters")
        if (value or b"").upper() not in (b"7BIT", b"8BITMIME"):
            return Refused(b"555 5.5.4 Unsupported mail BODY type")
    return Mail(sender)


def _rcpt(rest: bytes) -> Command:
    text = _start(rest, b"TO:")
    if isinstance(text, Refused):
        return text
    try:
        found = forward_path(text)
    except ValueError as fault:
        return Refused(b"501 5.5.4 Invalid TO: " + str(fault).encode())
    try:
        parameters = _parameters(text, found.end, b"RCPT")
    except ValueError as fault:
        return Refused(b"501 5.5.4 Invalid " + str(fault).encode())
    original = None
    for name, value in parameters:
        if name != b"ORCPT":
            return Refused(b"555 5.5.4 Unsupported parameters")
        if original is not None:
            return Refused(b"501 5.5.4 Duplicate ORCPT= parameter")
        try:
            original = original_recipient(value)
        except ValueError as fault:
            return Refused(b"501 5.5.4 " + str(fault).encode())
    return Rcpt(found.path, found.local_part, found.domain, original or b"")


def _bdat(rest: bytes) -> Command:
    size, *markers = rest.split(b" ")
    try:
        octets = decimal(size, max_digits=12)
    except ValueError:
        return Refused(b"501 5.5.4 Invalid chunk size parameter", b"BDAT")
    if len(markers) > 1:
        return Refused(_PARAMETERS.reply, b"BDAT", octets)
    if markers and markers[0].upper() != b"LAST":
        return Refused(b"501 5.5.4 Invalid end marker parameter", b"BDAT", octets)
    return Bdat(octets, bool(markers))
