"""The client's side of SMTP and LMTP: commands out, replies in.  No I/O.

DESCRIPTION
    The caller says what is to be sent, one command or, after PIPELINING was offered, several; `next_reply()` gives
    each command's reply, in their order.  The greeting is the reply to `Exchange.GREETING`, which is expected
    from the start.  The end of data has one reply, in LMTP one for each accepted recipient (RFC 2033 §4.2).

    Who may say what when is the caller's business (delivery/smtp), except what would endanger the conversation:
    a command holds no line break, and STARTTLS and the end of data go alone or last in a batch.

    `stuff()` makes content ready for DATA, in large blocks.

FAULTS
    MalformedReply  the server does not speak SMTP
    ValueError      a command with a line break or NUL in it: nothing was sent

STANDARDS
    RFC 5321 §3, §4; RFC 2033 (LMTP); RFC 2920 (PIPELINING); RFC 3207 (STARTTLS)
"""

import re
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from enum import Enum
from functools import lru_cache
from typing import Final

import msgspec

from pillarbox.wire.smtp.replies import ReplyReader, ServerReply
from pillarbox.wire.smtp.transcript import Transcript, without_secrets


class Exchange(Enum):
    """What a reply answers; the value is how log lines call it."""

    GREETING = "greeting"
    EHLO = "EHLO command"
    HELO = "HELO command"
    LHLO = "LHLO command"
    STARTTLS = "STARTTLS command"
    AUTH = "AUTH command"
    XFORWARD_CLIENT = "XFORWARD name/address command"
    XFORWARD_SESSION = "XFORWARD helo/protocol command"
    MAIL = "MAIL FROM command"
    RCPT = "RCPT TO command"
    DATA = "DATA command"
    END_OF_DATA = "end of DATA command"
    RSET = "RSET command"
    QUIT = "QUIT command"
    OTHER = "command"


class Answered(msgspec.Struct, frozen=True):
    """A command and its reply."""

    exchange: Exchange
    reply: ServerReply


class SmtpClient:
    """One conversation."""

    def __init__(self) -> None:
        self._reader = ReplyReader()
        self._expected: deque[Exchange] = deque([Exchange.GREETING])
        self._out: list[bytes] = []
        self.transcript: Transcript | None = None

    @property
    def awaits(self) -> Exchange | None:
        """What the next reply is for; None if nothing is open."""
        return self._expected[0] if self._expected else None

    @property
    def garbage(self) -> list[bytes]:
        """Lines that were no replies."""
        return self._reader.garbage

    @property
    def too_long(self) -> list[bytes]:
        """How lines began that were longer than MAX_LINE."""
        return self._reader.too_long

    def filter_replies(self, rewrite: Callable[[bytes], bytes]) -> None:
        """What is done to each line of a reply before it is looked at."""
        self._reader.rewrite = rewrite

    def receive_data(self, data: bytes) -> None:
        """Bytes from the server."""
        self._reader.feed(data)

    def next_reply(self) -> Answered | None:
        """The reply to the oldest open command; None if it has not come.  MalformedReply."""
        if not self._expected:
            return None
        reply = self._reader.next_reply()
        if reply is None:
            return None
        if self.transcript is not None:
            for line in reply.lines:
                self.transcript.came(line)
        return Answered(self._expected.popleft(), reply)

    def data_to_send(self) -> bytes:
        """What is to go out now."""
        data = b"".join(self._out)
        self._out.clear()
        return data

    def started_tls(self) -> None:
        """TLS stands: what the server said before does not count (RFC 3207 §4.2)."""
        self._reader.discard()

    # -- commands --------------------------------------------------------------------------------------

    def command(self, exchange: Exchange, line: bytes) -> None:
        """Any command.  ValueError for one that would be two."""
        if b"\r" in line or b"\n" in line or b"\0" in line:
            raise ValueError(f"a command with a line break: {line[:80]!r}")
        if self.transcript is not None:
            answers = exchange is Exchange.AUTH and not line.upper().startswith(b"AUTH ")
            self.transcript.went(without_secrets(line, in_login=answers))
        self._out.append(line + b"\r\n")
        self._expected.append(exchange)

    def hello(self, exchange: Exchange, name: bytes) -> None:
        """`EHLO name`, `HELO name` or `LHLO name`."""
        self.command(exchange, exchange.name.encode() + b" " + name)

    def mail(self, sender: bytes, parameters: Iterable[bytes] = ()) -> None:
        """`MAIL FROM:<sender> …`; the sender in external form."""
        self.command(Exchange.MAIL, b" ".join([b"MAIL FROM:<%s>" % sender, *parameters]))

    def rcpt(self, recipient: bytes, parameters: Iterable[bytes] = ()) -> None:
        """`RCPT TO:<recipient> …`"""
        self.command(Exchange.RCPT, b" ".join([b"RCPT TO:<%s>" % recipient, *parameters]))

    def content(self, stuffed: bytes) -> None:
        """A piece of content, from `stuff()`."""
        self._out.append(stuffed)

    def end_of_data(self, replies: int = 1) -> None:
        """The final dot.  `replies` are expected, one for each recipient in LMTP."""
        if self.transcript is not None:
            self.transcript.went(b".")
        self._out.append(b".\r\n")
        self._expected.extend([Exchange.END_OF_DATA] * replies)

    def quit(self) -> None:
        """QUIT, whose reply nobody waits for: what the server says after the other replies is not looked at."""
        if self.transcript is not None:
            self.transcript.went(b"QUIT")
        self._out.append(b"QUIT\r\n")


_BLOCK: Final = 65536


def stuff(
    blocks: Iterable[bytes], *, line_limit: int = 998, broken: Callable[[], object] | None = None
) -> Iterator[bytes]:
    """Content for DATA: dots doubled at the beginning of lines (RFC 5321 §4.5.2).  Blocks are whole lines.

    A line longer than `line_limit` octets is broken with CRLF and a blank (smtp_line_length_limit; 0: never);
    `broken` is called at the first.
    """
    for block in blocks:
        if line_limit and _has_longer_line(block, line_limit):
            block = _with_breaks(block, line_limit)
            if broken is not None:
                broken()
                broken = None
        yield _stuffed(block)


def in_blocks(lines: Iterable[bytes]) -> Iterator[bytes]:
    """Lines without line ends, as blocks of some 64 KiB for `stuff()`."""
    held: list[bytes] = []
    octets = 0
    for line in lines:
        held.append(line)
        octets += len(line) + 2
        if octets > _BLOCK:
            yield b"\r\n".join([*held, b""])
            held, octets = [], 0
    if held:
        yield b"\r\n".join([*held, b""])


def _has_longer_line(block: bytes, limit: int) -> bool:
    return _short_lines(limit).fullmatch(block) is None


@lru_cache
def _short_lines(limit: int) -> re.Pattern[bytes]:
    """Whole lines of so many octets: looks at one line end in each `limit` octets, and never at one again."""
    return re.compile(rb"(?>(?:(?s:.){0,%d}\r\n)*)(?s:.){0,%d}" % (limit, limit + 2))


def _with_breaks(block: bytes, limit: int) -> bytes:
    step = max(1, limit - 1)  # the blank counts
    return b"\r\n".join(
        [
            b"\r\n ".join([line[:limit], *(line[at : at + step] for at in range(limit, len(line), step))])
            for line in block.split(b"\r\n")
        ]
    )


def _stuffed(block: bytes) -> bytes:
    if b"." not in block:
        return block
    if b"\r\n." in block:
        block = block.replace(b"\r\n.", b"\r\n..")
    return b"." + block if block.startswith(b".") else block


_XCHARS: Final = re.compile(rb"[!-*,-<>-~]*")


def xtext(octets: bytes) -> bytes:
    """`xtext = *( xchar / hexchar )`  RFC 3461 §4"""
    if _XCHARS.fullmatch(octets) is not None:
        return octets
    return b"".join(
        bytes((octet,)) if 0x21 <= octet <= 0x7E and octet not in b"+=" else b"+%02X" % octet
        for octet in octets
    )
