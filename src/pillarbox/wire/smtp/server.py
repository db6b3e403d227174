"""The SMTP server's side of a conversation: bytes in, commands out; replies in, bytes out.

DESCRIPTION
    One question at a time.  `next_command()` gives the next thing the client wants, or a `Pause`:
    NEED_DATA, feed more bytes; NEED_REPLY, the last command has not been answered.  So pipelining cannot
    run ahead of a decision, and a STARTTLS with more input behind it is seen for what it is.

    The order of commands is that of command_order.py; one that is out of place is `Refused`.
    Message content comes as `Content` pieces (no reply) and one `EndOfContent` (to be answered).
    After AUTH is answered with 334, the next line is an `AuthResponse`.

    The engine knows grammar and order.  What is allowed, and every other text, is the session's.

LIMITS
    command lines   `max_line` octets; the rest of a longer line is thrown away as it comes
    SASL responses  `max_response` octets, likewise; a longer one is `Refused` and ends the exchange
    content         none here: pieces are handed on as they arrive

FAULTS
    AssertionError  the session broke the rules above: our bug, never the client's.

STANDARDS
    RFC 5321 §4.1.4 (order of commands), §4.5.3; RFC 2920; RFC 3030; RFC 3207 §4.2; RFC 4954
"""

from collections.abc import Callable
from enum import Enum, auto
from typing import Final

import msgspec

from pillarbox.vocabulary.reply import Reply
from pillarbox.wire.smtp.command_grammar import LENIENT, Grammar, parse_command
from pillarbox.wire.smtp.command_order import (
    AFTER_SUCCESS,
    BY_VERB,
    IN_TRANSACTION,
    State,
    misplaced,
    without_recipients,
)
from pillarbox.wire.smtp.commands import (
    Auth,
    Bdat,
    Data,
    Ehlo,
    Etrn,
    Helo,
    Ignored,
    Noop,
    Refused,
    Request,
    Rset,
    StartTls,
    Vrfy,
    refusal,
)
from pillarbox.wire.smtp.content_count import ContentCount
from pillarbox.wire.smtp.dot_stream import BareNewline, DataReader, LineEndReader
from pillarbox.wire.smtp.transcript import Transcript, without_secrets


class Content(msgspec.Struct, frozen=True):
    """A piece of message content: CRLF line ends, dots unstuffed.  Not to be answered."""

    data: bytes


class EndOfContent(msgspec.Struct, frozen=True):
    """The final dot, or the end of a BDAT chunk.  To be answered.

    `last` is false after a BDAT chunk that was not LAST; `size` is that chunk's, `total` that of all so far.
    """

    last: bool
    size: int = 0
    chunked: bool = False
    total: int = 0


class AuthResponse(msgspec.Struct, frozen=True):
    """A line of a SASL exchange, still base64 (RFC 4954 §4).  To be answered."""

    data: bytes


class Pause(Enum):
    """Why there is no command."""

    NEED_DATA = auto()
    NEED_REPLY = auto()
    CLOSED = auto()


_DATA: Final = State.DATA
_BDAT: Final = State.BDAT
_AUTH: Final = State.AUTH
_CLOSED: Final = State.CLOSED
_NEED_DATA: Final = Pause.NEED_DATA
"""Names of the module are found in a fifth of the time that a member of an enumeration takes."""
_BETWEEN_TRANSACTIONS: Final = (State.START, State.READY, State.CLOSED)
_BLOCK: Final = 65536
"""Octets of content from which on larger pieces make no difference."""

# RFC 2920 §3.1: these may only be the last of a group of pipelined commands.
_LAST_OF_GROUP: Final = (Ehlo, Helo, Data, Vrfy, Noop, StartTls)
_LAST_OF_GROUP_REFUSED: Final = (b"EHLO", b"HELO", b"DATA", b"VRFY", b"NOOP")


class SmtpServer:
    """The engine of one connection."""

    __slots__ = (
        "_answering",
        "_auth_from",
        "_bare_newline",
        "_buffer",
        "_chunk",
        "_chunk_left",
        "_chunk_lines",
        "_chunks_failed",
        "_chunks_total",
        "_command",
        "_discarding",
        "_host",
        "_out",
        "_reader",
        "_skipping",
        "auth_enabled",
        "bare_newline_seen",
        "grammar",
        "helo_required",
        "ignored",
        "line",
        "line_filter",
        "max_line",
        "max_message",
        "max_response",
        "state",
        "tls_required",
        "transcript",
    )

    def __init__(
        self,
        host: bytes,
        *,
        max_line: int = 2048,
        max_response: int = 12288,
        max_message: int = 0,
        helo_required: bool = False,
        bare_newline: BareNewline = BareNewline.NORMALIZE,
    ) -> None:
        """`bare_newline` is smtpd_forbid_bare_newline for this client; `max_message` 0 is no limit."""
        self.state = State.START
        self.transcript: Transcript | None = None
        self.line_filter: Callable[[bytes], bytes] | None = None  # gives the command that is obeyed
        self.line = b""  # the last command as it came, or as the filter gave it
        self.ignored: frozenset[bytes] = frozenset()  # first words of `Ignored` lines, in lower case
        self.bare_newline_seen = False
        self.helo_required = helo_required
        self.auth_enabled = True  # whether AUTH is offered, as things stand
        self.tls_required = False  # nothing but STARTTLS and the like, as things stand
        self.max_message = max_message
        self.max_line = max_line
        self.max_response = max_response
        self._host = host
        self.grammar: Grammar = LENIENT  # what this client may use
        self._bare_newline = bare_newline
        self._buffer = b""
        self._out: list[bytes] = []
        self._answering = True  # the greeting
        self._command: Request | EndOfContent | AuthResponse | Refused | Ignored | None = None
        self._reader: DataReader | None = None
        self._auth_from = State.READY
        self._chunk: Bdat | None = None
        self._chunk_lines: LineEndReader | None = None
        self._chunk_left = 0
        self._chunks_total = ContentCount(max_line)
        self._chunks_failed = False  # a chunk was refused: so are those that follow, up to the last
        self._discarding = 0  # octets of a refused chunk, which are no commands
        self._skipping = False

    @property
    def content_wanted(self) -> int:
        """Octets of content that are worth being waited for; 0 if it may end with the next octet, or there is none.

        They may be fewer if the end of content is among them (dot_stream.MARK_OF_END).
        """
        if self.state is _DATA and self._reader is not None and not self._reader.expects_end:
            return _BLOCK
        return min(_BLOCK, self._chunk_left) if self.state is _BDAT else 0

    @property
    def receives_content(self) -> bool:
        """Whether what comes next is content."""
        return self.state in (State.DATA, State.BDAT)

    @property
    def input_waiting(self) -> bool:
        """Whether the client has sent more than was taken."""
        return bool(self._buffer)

    @property
    def in_transaction(self) -> bool:
        """Whether MAIL was taken, and its message has neither been received nor given up."""
        return self.state not in _BETWEEN_TRANSACTIONS

    @property
    def waiting_input(self) -> bytes:
        """What it has sent, for the log."""
        return self._buffer

    @property
    def pipelining_allowed(self) -> bool:
        """Whether more input may stand behind the command just given (RFC 2920 §3.1)."""
        command = self._command
        if isinstance(command, Refused):
            return command.verb not in _LAST_OF_GROUP_REFUSED
        return not isinstance(command, _LAST_OF_GROUP)

    def receive_data(self, data: bytes) -> None:
        """Take bytes from the client."""
        self._buffer = self._buffer + data if self._buffer else data

    def data_to_send(self) -> bytes:
        """What must go to the client now; call after each reply, or after a group of them."""
        out = self._out
        if not out:
            return b""
        if len(out) == 1:
            return out.pop()
        data = b"".join(out)
        out.clear()
        return data

    def next_command(self) -> Request | Refused | Ignored | Content | EndOfContent | AuthResponse | Pause:
        """The next thing the client wants."""
        if self._answering:
            return Pause.NEED_REPLY
        state = self.state
        if state is _DATA:
            return self._next_content()
        if state is _BDAT:
            return self._next_chunk()
        if state is _CLOSED:
            return Pause.CLOSED
        if not self._buffer:
            return _NEED_DATA
        if self._discarding:
            dropped = min(self._discarding, len(self._buffer))
            self._buffer = self._buffer[dropped:]
            self._discarding -= dropped
        line = self._next_line(state) if not self._discarding else None
        if line is None:
            return _NEED_DATA
        self._answering = True
        if type(line) is not bytes:
            assert isinstance(line, Refused)
            if self.transcript is not None:
                self.transcript.came(without_secrets(line.line[:80], in_login=state is _AUTH))
            self._command = line
            return line
        if state is _AUTH:
            if self.transcript is not None:
                self.transcript.came(without_secrets(line, in_login=True))
            self._command = AuthResponse(line)
            return self._command
        if self.line_filter is not None:
            line = self.line_filter(line)
        if self.transcript is not None:
            self.transcript.came(without_secrets(line, in_login=False))
        self.line = line
        if self.ignored and self._is_ignored(line):
            self._command = Ignored()
            return self._command
        command = self._command = self._ordered(parse_command(line, self.grammar))
        if type(command) is Bdat:
            return self._begin_chunk(command)
        return command

    def _is_ignored(self, line: bytes) -> bool:
        words = line.split(None, 1)
        return bool(words) and words[0].lower() in self.ignored

    def greet(self, reply: Reply) -> None:
        """The first reply of the connection, or of the conversation after TLS (which has none)."""
        self._answering = False
        self._say(reply)

    def _say(self, reply: Reply) -> None:
        encoded = reply.encode()
        if self.transcript is not None:
            self.transcript.replied(encoded)
        self._out.append(encoded)

    def reply(self, reply: Reply) -> None:
        """Answer the last command; a success moves the state on."""
        if not self._answering:
            raise AssertionError("there is nothing to answer")
        self._answering = False
        command = self._command
        # Not isinstance(), which takes thrice as long for a class whose own class is not `type`.
        kind = type(command)
        self._say(reply)
        if kind is EndOfContent:
            self._after_content(command, success=reply.code < 400)  # type: ignore[arg-type]  # `kind` says so
        elif kind is Auth:
            self._auth_from = self.state
            if reply.code == 334:
                self.state = _AUTH
        elif self.state is _AUTH:
            if reply.code != 334:
                self.state = self._auth_from
        elif kind is Refused:
            is_chunk = command.verb == b"BDAT"  # type: ignore[union-attr]  # likewise
            if is_chunk and not self._chunks_failed and self.state in IN_TRANSACTION:
                self._after_content(EndOfContent(last=True), success=False)
        elif command is not None and kind is not Ignored and reply.code < 400:
            self.state = AFTER_SUCCESS[self.state, kind]
            if kind is Data:
                self._reader = DataReader(self._bare_newline)
            elif kind is Rset:
                self._chunks_failed = False

    def reset(self) -> None:
        """Forget the transaction, as when the session gives it up."""
        self._chunks_failed = False
        if self.state in (State.MAIL, State.RCPT, State.CHUNKING):
            self.state = State.READY

    def start_tls(self) -> None:
        """TLS has begun: what was sent in clear text is thrown away (RFC 3207 §4.2: no injection)."""
        self._buffer = b""
        self._skipping = self._chunks_failed = False
        self._chunk_lines = None
        self.state = State.START

    def close(self) -> None:
        """Nothing more is taken, as after 421."""
        self.state = State.CLOSED
        self._answering = False
        self._buffer = b""

    # -- lines ---------------------------------------------------------------------------------------

    def _next_line(self, state: State) -> bytes | Refused | None:
        longest = self.max_response if state is _AUTH else self.max_line
        line, ending, rest = self._buffer.partition(b"\r\n")
        if ending and len(line) <= longest and b"\n" not in line and not self._skipping:  # as nearly all are
            self._buffer = rest
            return line
        return self._next_odd_line(longest)

    def _next_odd_line(self, longest: int) -> bytes | Refused | None:
        """A line of any kind: too long, not complete, or without a CR at its end."""
        end = self._buffer.find(b"\n")
        if self._skipping:
            if end < 0:
                self._buffer = b""
                return None
            self._buffer = self._buffer[end + 1 :]
            self._skipping = False
            return refusal(b"UNKNOWN", 500, b"5.5.2 %s Error: command too long" % self._host)
        if end < 0:
            if len(self._buffer) > longest + 1:  # a CR may be the last
                self._buffer = b""
                self._skipping = True
            return None
        line = self._buffer[:end]
        self._buffer = self._buffer[end + 1 :]
        if line.endswith(b"\r"):
            line = line[:-1]  # more of them are blanks
        else:
            self.bare_newline_seen = True
        if len(line) > longest:
            return refusal(b"UNKNOWN", 500, b"5.5.2 %s Error: command too long" % self._host)
        return line

    def _ordered(self, command: Request | Refused) -> Request | Refused:
        """The command, or a refusal if this is not its place (RFC 5321 §4.1.4); that goes before its syntax."""
        if type(command) is Refused:
            kind = BY_VERB.get(command.verb)
            return (self._misplaced(kind) if kind is not None else None) or command
        kind = type(command)
        if self.tls_required:
            return self._misplaced(kind) or command
        if kind is Bdat:
            return self._ordered_chunk(command)  # type: ignore[arg-type]  # `kind` says so
        if (
            (self.state, kind) in AFTER_SUCCESS
            and not self._chunks_failed
            and kind is not Etrn
            and kind is not Auth
            and not (self.helo_required and self.state is State.START)
        ):
            return command
        return self._misplaced(kind) or command

    def _misplaced(self, kind: type) -> Refused | None:
        return misplaced(
            kind,
            self.state,
            chunks_failed=self._chunks_failed,
            helo_required=self.helo_required,
            tls_required=self.tls_required,
            auth_enabled=self.auth_enabled,
        )

    def _ordered_chunk(self, command: Bdat) -> Bdat | Refused:
        """BDAT in its place.  A refused chunk poisons those behind it, up to the last (RFC 3030 §2)."""
        if command.size == 0 and not command.last:
            self._chunks_failed = True
            return refusal(b"BDAT", 551, b"5.7.1 Null BDAT request")
        so_far = self._chunks_total.octets if self._chunk_lines is not None else 0
        if self._chunks_failed:
            refused: Refused | None = refusal(
                b"BDAT", 551, b"5.0.0 Discarded %d bytes after earlier error" % command.size
            )
        else:
            refused = without_recipients(b"BDAT", self.state)
            if refused is None and self.max_message and so_far + command.size > self.max_message:
                refused = refusal(b"BDAT", 552, b"5.3.4 Chunk exceeds message size limit")
        if refused is None:
            return command
        self._discarding = command.size
        self._chunks_failed = not command.last
        return refused

    # -- content -------------------------------------------------------------------------------------

    def _next_content(self) -> Content | EndOfContent | Pause:
        reader = self._reader
        if reader is None:
            raise AssertionError("DATA without a reader")
        content = b""
        if self._buffer and not reader.ended:
            data, self._buffer = self._buffer, b""
            content = reader.feed(data)
            self.bare_newline_seen |= reader.bare_newline_seen
            self._buffer = reader.take_unread()
        if content:
            return Content(content)
        return self._end_of_content(EndOfContent(last=True)) if reader.ended else Pause.NEED_DATA

    def _begin_chunk(self, command: Bdat) -> Content | EndOfContent | Pause:
        """BDAT has no reply of its own: its chunk follows at once (RFC 3030 §2)."""
        if self._chunk_lines is None:
            self._chunk_lines = LineEndReader(self._bare_newline)
            self._chunks_total = ContentCount(self.max_line)
        self._answering = False
        self._chunk = command
        self._chunk_left = command.size
        self.state = State.BDAT
        return self._next_chunk()

    def _next_chunk(self) -> Content | EndOfContent | Pause:
        if self._chunk is None or self._chunk_lines is None:
            raise AssertionError("BDAT without a chunk")
        piece = self._buffer[: self._chunk_left]
        self._buffer = self._buffer[len(piece) :]
        self._chunk_left -= len(piece)
        final = self._chunk.last and self._chunk_left == 0
        content = self._chunk_lines.feed(piece, final=final)
        self.bare_newline_seen |= self._chunk_lines.bare_newline_seen
        if content:
            self._chunks_total.add(content)
            return Content(content)
        if self._chunk_left:
            return Pause.NEED_DATA
        if self._chunk.last:
            self._chunks_total.end()
        return self._end_of_content(
            EndOfContent(self._chunk.last, self._chunk.size, True, self._chunks_total.octets)
        )

    def _end_of_content(self, end: EndOfContent) -> EndOfContent:
        self._command = end
        self._answering = True
        return end

    def _after_content(self, end: EndOfContent, *, success: bool) -> None:
        self._reader = None
        self._chunk = None
        if success and not end.last:
            self.state = State.CHUNKING
            return
        # Refused or accepted, the transaction is over (RFC 5321 §4.1.1.4): MAIL comes next.
        self._chunk_lines = None
        self._chunks_failed = not end.last
        self.state = State.READY
