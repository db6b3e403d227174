"""An LMTP session: a message for several mailboxes, one reply for each.

DESCRIPTION
    RCPT asks `Mailboxes` whether there is such a user.  When the content is complete, each recipient is handed
    to `Mailboxes.deliver()` at once, and the replies come in the order of the recipients.

    Every copy gets Return-Path:, Delivered-To: (if there is one recipient only) and Received: in front.

LIMITS
    a message   `MAX_MESSAGE` octets: 552
    recipients  `MAX_RECIPIENTS` in one transaction: 452

STANDARDS
    RFC 2033 (LMTP); RFC 3030 (CHUNKING); RFC 5321 §4.4 (trace information); Dovecot 2.3's texts
"""

import asyncio
import base64
import os
import re
from collections.abc import Callable, Sequence
from typing import Final, Protocol

import msgspec

from pillarbox.net.connection import IdleTimeout
from pillarbox.net.tls_faults import TlsFault
from pillarbox.sessions.client_wait import ClientWait
from pillarbox.sessions.transport import Transport
from pillarbox.vocabulary.clock import Clock
from pillarbox.wire import lmtp
from pillarbox.wire.lmtp import Content, EndOfContent, LmtpServer
from pillarbox.wire.pause import Pause

IDLE_SECONDS: Final = 300.0
MAX_MESSAGE: Final = 1 << 34
SPILL_AT: Final = 1 << 20
"""Octets of a message that are held in memory."""
MAX_RECIPIENTS: Final = 1000
MAX_BAD_COMMANDS: Final = 10
"""One after the other; at one more the session ends, as with Dovecot: whoever speaks no LMTP is sent away."""
_MAIL_GIVEN: Final = b"503 5.5.0 MAIL already given"
_MAIL_NEEDED: Final = b"503 5.5.0 MAIL needed first"
_BASE: Final = (b"8BITMIME", b"CHUNKING", b"ENHANCEDSTATUSCODES", b"PIPELINING")


class Recipient(msgspec.Struct, frozen=True):
    """An accepted recipient."""

    address: bytes  # as it was given
    user: str
    detail: str
    session: str  # id for the log and the reply
    original: bytes = b""  # whom the message was addressed to, if the client has said so
    sender: bytes = b""
    began: float = 0.0  # the client's session, on the monotonic clock


class Mailboxes(Protocol):
    """Whoever knows users and stores messages."""

    async def exists(self, user: str) -> bool | None:
        """Whether there is such a user; None if nobody knows now."""
        ...

    def new_file(self) -> int:
        """The descriptor of a file for a large message, which goes with its descriptors.  OSError."""
        ...

    def tell_fault(self, error: OSError) -> None:
        """A large message could not be written."""
        ...

    async def has_room(self, recipient: Recipient) -> bytes:
        """Whether the recipient is below his quota: code and text of the reply to RCPT, as of `deliver`."""
        ...

    async def deliver(self, recipient: Recipient, content: "Message") -> bytes:
        """Store the message; the reply's code and text, without the recipient's address: `250 2.0.0 Saved`."""
        ...


class Message(msgspec.Struct, frozen=True):
    """What is stored: fields in front, and the content in LF line ends, in memory or in a file."""

    head: bytes
    content: Sequence[bytes]
    file: int = -1
    """Descriptor of the file that has all of a large one."""


class LmtpPolicy(msgspec.Struct, frozen=True):
    """What the configuration says."""

    hostname: bytes
    greeting: bytes
    delimiters: str = "+"
    adds_received: bool = True
    delivery_address: str = "final"
    checks_quota: bool = False


def user_and_detail(local_part: str, domain: str, delimiters: str) -> tuple[str, str]:
    """User and detail of user+detail@domain, by the first of the delimiters that there is.

    A user with an @ in his name stays quoted, so that `"a@b"@c` is nobody else.
    """
    at = min((at for letter in delimiters if (at := local_part.find(letter)) > 0), default=len(local_part))
    user, detail = local_part[:at], local_part[at + 1 :]
    if "@" in user:
        user = '"' + re.sub(r'(["\\])', r"\\\1", user) + '"'
    return (f"{user}@{domain}" if domain else user), detail


class LmtpEnded(msgspec.Struct, frozen=True):
    """How the session ended, for the log."""

    reason: str
    state: str


class LmtpSession:
    """One client."""

    def __init__(
        self,
        transport: Transport,
        mailboxes: Mailboxes,
        *,
        clock: Clock,
        policy: LmtpPolicy,
        remote: str,
        session_id: bytes,
        date: Callable[[float], bytes],
    ) -> None:
        """`session_id`: 16 random octets; `remote` is empty for a Unix socket."""
        self._transport = transport
        self._wait = ClientWait(transport)
        self._mailboxes = mailboxes
        self._clock = clock
        self._policy = policy
        self._remote = remote
        self._id = base64.b64encode(session_id).decode("ascii").rstrip("=")
        self._date = date
        self._engine = LmtpServer()
        self._lhlo = b"unknown"
        self._sender: bytes | None = None
        self._began = clock.monotonic()
        self._recipients: list[Recipient] = []
        self._taken: dict[tuple[bytes, bytes], Recipient] = {}  # by address and original recipient
        self._transactions = 0
        self._transaction_id = self._id
        self._counted = 0  # recipients of the transaction, whether they are taken or not
        self._content: list[bytes] = []
        self._held = b""  # a CR that may belong to a CRLF
        self._size = 0
        self._file = -1
        self._fault: OSError | None = None
        self._in_chunks = False
        self._chunk_failed = False  # until RSET no content is taken
        self._chunk_size = 0  # octets

    async def run(self) -> LmtpEnded:
        """From greeting to end."""
        engine = self._engine
        engine.reply(b"220 %s %s" % (self._policy.hostname, self._policy.greeting))
        try:
            while True:
                command = engine.next_command()
                if isinstance(command, lmtp.Quit):
                    engine.reply(b"221 2.0.0 Bye")
                    self._flush()
                    return LmtpEnded("Logged out", self._state())
                if command is Pause.CLOSED:
                    return LmtpEnded("Connection closed", self._state())
                if command is Pause.NEED_DATA:
                    await self._receive()
                else:
                    await self._take(command)
                    if engine.bad_commands > MAX_BAD_COMMANDS:
                        engine.replace_reply(
                            b"421 4.7.0 %s Too many invalid commands." % self._policy.hostname
                        )
                        self._flush()
                        return LmtpEnded("Too many invalid commands.", self._state())
        except (IdleTimeout, TimeoutError):
            engine.reply(b"421 4.4.2 Disconnected for inactivity")
            self._flush()
            return LmtpEnded("Disconnected for inactivity", self._state())
        except TlsFault as fault:
            return LmtpEnded(str(fault), self._state())
        finally:
            self._forget_content()
            self._wait.close()
            self._transport.close()

    async def _receive(self) -> None:
        self._flush()
        await self._transport.drain()
        data = await self._wait.receive(limit=IDLE_SECONDS)
        if data is None:
            raise TimeoutError
        self._engine.receive_data(data)

    def _flush(self) -> None:
        if data := self._engine.data_to_send():
            self._transport.send(data)

    def _state(self) -> str:
        if self._size:
            return "DATA"
        return "READY" if self._sender is None else ("RCPT TO" if self._recipients else "MAIL FROM")

    async def _take(self, command: object) -> None:
        engine = self._engine
        match command:
            case Content(data):
                await self._keep(data)
            case EndOfContent(last):
                await self._end_of_content(last=last)
            case lmtp.Lhlo(host):
                self._lhlo = host
                self._reset()
                lines = [self._policy.hostname, *_BASE]
                engine.reply(*(b"250-" + line for line in lines[:-1]), b"250 " + lines[-1])
            case lmtp.Mail(sender):
                self._mail(sender)
            case lmtp.Rcpt():
                await self._rcpt(command)
            case lmtp.Data():
                if self._may_send():
                    engine.reply(b"354 OK")
                    engine.begin_data()
            case lmtp.Bdat():
                self._begin_chunk(command)
            case lmtp.Rset():
                self._reset()
                engine.reply(b"250 2.0.0 OK")
            case lmtp.Noop():
                engine.reply(b"250 2.0.0 OK")
            case lmtp.Vrfy():
                engine.reply(b"252 2.3.3 Try RCPT instead")
            case lmtp.Refused():
                self._refuse(command)

    # -- the envelope ----------------------------------------------------------------------------------

    def _reset(self) -> None:
        self._sender = None
        self._recipients, self._taken = [], {}
        self._forget_content()
        self._in_chunks = self._chunk_failed = False
        self._engine.forget_chunks()

    def _refuse(self, command: lmtp.Refused) -> None:
        """What is no command; one that comes at the wrong time is told that first."""
        reply = command.reply
        if command.verb == b"MAIL" and self._sender is not None:
            reply = _MAIL_GIVEN
        elif command.verb == b"RCPT" and self._sender is None:
            reply = _MAIL_NEEDED
        elif command.verb == b"BDAT":
            self._fail_chunk(command.size)
        self._engine.reply(reply)

    def _fail_chunk(self, size: int) -> None:
        """No more of this content is taken; the octets of the chunk have to be read all the same (RFC 3030 §2)."""
        self._chunk_failed = True
        self._forget_content()
        self._engine.skip_chunk(size)

    def _mail(self, sender: bytes) -> None:
        """MAIL, also of a client that has not said LHLO."""
        if self._sender is not None:
            self._engine.reply(_MAIL_GIVEN)
        else:
            self._sender = sender
            self._counted = 0
            self._transactions += 1
            if self._transactions > 1:
                self._transaction_id = f"{self._id}:T{self._transactions}"
            self._engine.reply(b"250 2.1.0 OK")

    async def _rcpt(self, command: lmtp.Rcpt) -> None:
        engine, address = self._engine, command.recipient
        if self._sender is None:
            engine.reply(_MAIL_NEEDED)
            return
        if len(self._recipients) >= MAX_RECIPIENTS:
            engine.reply(b"452 4.5.3 Too many recipients")
            return
        earlier = self._taken.get((address, command.original))
        if earlier is not None:
            self._counted += 1
            self._recipients.append(earlier)
            engine.reply(b"250 2.1.5 OK")
            return
        user, detail = self._split(command)
        known = await self._mailboxes.exists(user)
        self._counted += 1
        if known is None:
            engine.reply(b"451 4.3.0 <%s> Temporary internal error" % address)
        elif not known:
            engine.reply(b"550 5.1.1 <%s> User doesn't exist: %s" % (address, user.encode()))
        else:
            suffix = f":R{self._counted}" if self._counted > 1 else ""
            recipient = Recipient(
                address,
                user,
                detail,
                self._transaction_id + suffix,
                command.original,
                self._sender,
                self._began,
            )
            if self._policy.checks_quota:
                code, status, text = (await self._mailboxes.has_room(recipient)).split(b" ", 2)
                if code != b"250":
                    engine.reply(b"%b %b <%b> %b" % (code, status, address, text))
                    return
            self._recipients.append(recipient)
            self._taken[address, command.original] = recipient
            engine.reply(b"250 2.1.5 OK")

    def _split(self, command: lmtp.Rcpt) -> tuple[str, str]:
        local_part = command.local_part.decode("utf-8", "replace")
        return user_and_detail(local_part, command.domain.decode("utf-8", "replace"), self._policy.delimiters)

    def _refusal(self) -> bytes:
        """Why no content is taken now; empty if it is."""
        if self._chunk_failed:
            return b"503 5.5.0 Previous data chunk failed, issue RSET first"
        if self._sender is None:
            return _MAIL_NEEDED
        return b"" if self._recipients else b"503 5.5.0 No valid recipients"

    def _may_send(self) -> bool:
        refusal = self._refusal()
        if not refusal and self._in_chunks:
            refusal = b"503 5.5.0 Bad sequence of commands"
        if refusal:
            self._engine.reply(refusal)
        return not refusal

    # -- the content -----------------------------------------------------------------------------------

    def _begin_chunk(self, command: lmtp.Bdat) -> None:
        if refusal := self._refusal():
            self._fail_chunk(command.size)
            self._engine.reply(refusal)
            return
        self._in_chunks = True
        self._chunk_size = command.size
        self._engine.begin_chunk(command)

    async def _keep(self, data: bytes) -> None:
        """Take a piece of the content; from `SPILL_AT` octets on, it is in a file."""
        self._size += len(data)
        if self._size > MAX_MESSAGE or self._fault is not None:
            return
        piece = self._held + data
        self._held = b"\r" if piece.endswith(b"\r") else b""  # CRLF becomes LF
        self._content.append((piece[:-1] if self._held else piece).replace(b"\r\n", b"\n"))
        if self._file >= 0 or self._size > SPILL_AT:
            pieces, self._content = self._content, []
            try:
                if self._file < 0:
                    self._file = self._mailboxes.new_file()
                await asyncio.to_thread(_write, self._file, pieces)
            except OSError as error:
                self._fault = error
                self._mailboxes.tell_fault(error)

    def _forget_content(self) -> None:
        self._content, self._held, self._size = [], b"", 0
        self._fault = None
        if self._file >= 0:
            descriptor, self._file = self._file, -1
            os.close(descriptor)

    async def _end_of_content(self, *, last: bool) -> None:
        engine = self._engine
        if not last:
            engine.reply(b"250 2.0.0 Added %d octets" % self._chunk_size)
            return
        if self._size > MAX_MESSAGE:
            for recipient in self._recipients:
                engine.reply(b"552 5.2.3 <%s> Message size exceeds fixed limit" % recipient.address)
        elif self._fault is not None:
            for recipient in self._recipients:
                engine.reply(b"451 4.3.0 <%s> Temporary internal error" % recipient.address)
        else:
            await self._deliver()
        self._reset()

    async def _deliver(self) -> None:
        content, held = self._content, self._held
        self._content, self._held = [], b""
        if held:
            content.append(held)
            if self._file >= 0:
                _write(self._file, content)
        recipients = list(dict.fromkeys(self._recipients))  # who was named twice has it once
        messages = [Message(self._head(recipient), content, self._file) for recipient in recipients]
        deliveries = map(self._mailboxes.deliver, recipients, messages)
        if len(messages) == 1:  # without another task
            replies = [await next(deliveries)]
        else:
            async with asyncio.TaskGroup() as tasks:
                work = [tasks.create_task(delivery) for delivery in deliveries]
            replies = [done.result() for done in work]
        reply_of = dict(zip(recipients, replies, strict=True))
        for recipient in self._recipients:
            reply = reply_of[recipient]
            code, status, text = reply.split(b" ", 2)
            if code == b"250":
                text = recipient.session.encode() + b" " + text
            self._engine.reply(b"%s %s <%s> %s" % (code, status, recipient.address, text))

    def _head(self, recipient: Recipient) -> bytes:
        """Return-Path:, Delivered-To: and Received:."""
        policy, sender = self._policy, self._sender or b""
        head = [b"Return-Path: <%s>\n" % sender]
        is_alone = len(self._recipients) == 1
        address = recipient.original if policy.delivery_address == "original" else recipient.address
        if policy.delivery_address != "none" and address and is_alone:
            head.append(b"Delivered-To: %s\n" % address)
        if policy.adds_received:
            host = f" ([{self._remote}])".encode() if self._remote else b""
            head.append(
                b"Received: from %s%s\n\tby %s with LMTP\n\tid %s\n\t(envelope-from <%s>)%s; %s\n"
                % (
                    self._lhlo,
                    host,
                    policy.hostname,
                    self._transaction_id.encode(),
                    sender,
                    b"\n\tfor <%s>" % (address or recipient.address) if is_alone else b"",
                    self._date(self._clock.now()),
                )
            )
        return b"".join(head)


def _write(descriptor: int, pieces: Sequence[bytes]) -> None:
    for piece in pieces:
        view = memoryview(piece)
        while view:
            view = view[os.write(descriptor, view) :]
