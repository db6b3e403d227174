"""A mail host of the lab: an SMTP or LMTP server that behaves as its `Behaviour` says, and records what it got.

DESCRIPTION
    `conversations` holds the commands of each connection, `received` the messages that were taken.  Content is
    judged as an honest server would: too long for SIZE, 8-bit without 8BITMIME.

STANDARDS
    RFC 5321, RFC 2033 (LMTP), RFC 3207 (STARTTLS), RFC 4954 (AUTH), RFC 1870 (SIZE), RFC 2920 (PIPELINING)
"""

import asyncio
import base64
import binascii
import hmac
import re
import socket
import ssl
from collections import Counter
from typing import Final

from pillarbox.lab.behaviour import (
    CUT,
    DROP,
    GARBAGE,
    HANG_UP,
    HANG_UP_LATER,
    NO_HANDSHAKE,
    SILENCE,
    Behaviour,
    Received,
    Say,
)
from pillarbox.net.connection import Connection, IdleTimeout
from pillarbox.net.listeners import Listener
from pillarbox.net.tls_faults import TlsFault
from pillarbox.vocabulary.clock import Clock
from pillarbox.vocabulary.digits import decimal

_PATIENCE_SECONDS: Final = 60.0
_PATH: Final = re.compile(rb"(?:FROM|TO):\s*<([^>]*)>\s*(.*)", re.IGNORECASE | re.DOTALL)
_LARGEST: Final = 64 * 1024 * 1024

_POLITE: Final = {
    "MAIL": "250 2.1.0 Sender ok",
    "RCPT": "250 2.1.5 Recipient ok",
    "DATA": "354 End data with <CR><LF>.<CR><LF>",
    "RSET": "250 2.0.0 Ok",
    "NOOP": "250 2.0.0 Ok",
    "QUIT": "221 2.0.0 Bye",
    "STARTTLS": "220 2.0.0 Ready to start TLS",
    "AUTH": "235 2.7.0 Authentication successful",
}


_ESTABLISHED: Final = 1
"""TCP_ESTABLISHED, the first octet of tcp(7)'s TCP_INFO."""


class _Over(Exception):
    """The connection ends."""


class MailHost:
    """One host, on one or more addresses."""

    def __init__(
        self, name: str, behaviour: Behaviour, *, clock: Clock, tls: ssl.SSLContext | None = None
    ) -> None:
        """`tls` if the behaviour's is a kind of certificate."""
        self.name = name
        self.behaviour = behaviour
        self.received: list[Received] = []
        self.conversations: list[list[str]] = []
        self.open = 0  # connections now
        self.most_open = (
            0  # at once, without those that the client has closed: we may not have heard of it yet
        )
        self._connections: set[Connection] = set()
        self.trapped: set[str] = set()  # clients that wrote to a trap
        self._clock = clock
        self._began = clock.now()
        self._tls = tls
        self._said: Counter[tuple[str, str]] = Counter()
        self._first_seen: dict[tuple[str, str, str], float] = {}
        self._taken_at: list[float] = []

    async def start(self, address: str, port: int, tasks: asyncio.TaskGroup) -> Listener:
        """Serve.  OSError if the address cannot be had."""
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        listener = Listener(self._serve, tasks=tasks, tell=lambda _: None)
        sock = socket.create_server((address, port), family=family, backlog=100)
        # asyncio leaves it to connections that were told that they are TCP; replies to a pipeline must not wait.
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        await listener.start(sock)
        return listener

    async def _serve(self, connection: Connection) -> None:
        self.open += 1
        self._connections.add(connection)
        self.most_open = max(self.most_open, sum(map(_is_established, self._connections)))
        connection.idle_limit = _PATIENCE_SECONDS
        lines: list[str] = []
        self.conversations.append(lines)
        try:
            await _Session(self, connection, lines, number=len(self.conversations)).run()
        except (_Over, IdleTimeout, TlsFault, OSError):
            pass
        finally:
            self._connections.discard(connection)
            connection.close()
            self.open -= 1

    # -- what sessions ask -----------------------------------------------------------------------------

    def say(self, phase: str, *, of: str = "") -> Say | None:
        """What the script has for a phase, or for a recipient; None: be polite."""
        reply = self.behaviour.recipients.get(of) if of else self.behaviour.replies.get(phase)
        if reply is None:
            return None
        scripted = Say(reply) if isinstance(reply, str) else reply
        if scripted.seconds and self._clock.now() - self._began >= scripted.seconds:
            return None
        self._said[phase, of] += 1
        return None if scripted.times and self._said[phase, of] > scripted.times else scripted

    def is_greylisted(self, client: str, sender: str, recipient: str) -> bool:
        """Whether it is too early for this triplet; it is remembered."""
        if not self.behaviour.greylist:
            return False
        now = self._clock.now()
        first = self._first_seen.setdefault((client, sender, recipient), now)
        return now - first < self.behaviour.greylist

    def is_too_fast(self) -> bool:
        """Whether the rate limit is reached."""
        rate = self.behaviour.rate
        if rate is None:
            return False
        now = self._clock.now()
        self._taken_at = [at for at in self._taken_at if now - at < rate.seconds]
        return len(self._taken_at) >= rate.messages

    def take(self, received: Received) -> None:
        """A message."""
        self.received.append(received)
        self._taken_at.append(received.at)

    def context(self) -> ssl.SSLContext:
        """For the handshake."""
        assert self._tls is not None, f"{self.name} offers TLS and has no certificate"
        return self._tls

    def now(self) -> float:
        """The lab's time."""
        return self._clock.now()


def _is_established(connection: Connection) -> bool:
    """Whether the client has not closed it, whether or not we have read so far."""
    info = connection.tcp_info()
    return info[:1] == bytes((_ESTABLISHED,))


class _Session:
    """One connection."""

    def __init__(self, host: MailHost, connection: Connection, lines: list[str], *, number: int) -> None:
        self._host = host
        self._does = host.behaviour
        self._connection = connection
        self._lines = lines
        self._number = number
        self._buffer = b""
        self._client = connection.peer_address[0]
        self._helo = self._user = ""
        self._tls = ""
        self._messages = 0
        self._forget()

    def _forget(self) -> None:
        self._sender: str | None = None
        self._recipients: list[str] = []
        self._parameters: list[str] = []

    async def run(self) -> None:
        """To the end of the connection, which is `_Over`."""
        if self._does.connections and self._host.open > self._does.connections:
            await self._send("421 4.7.0 Too many concurrent connections from your address, try again later.")
            raise _Over
        if self._client in self._host.trapped:
            await self._send("554 5.7.1 Your address sent mail to a spam trap; see https://traps.test/")
            raise _Over
        await self._answer("connect", f"220 {self._host.name} {'LMTP' if self._does.lmtp else 'ESMTP'} ready")
        while True:
            line = await self._line()
            self._lines.append(line.decode("utf-8", "replace"))
            verb = line.split(b" ")[0].split(b":")[0].upper().decode("latin-1")
            await self._command(verb, line[len(verb) :].strip())
            if verb == "QUIT":
                raise _Over

    async def _command(self, verb: str, rest: bytes) -> None:
        if verb in ("EHLO", "LHLO", "HELO"):
            await self._hello(verb, rest)
        elif verb == "STARTTLS":
            await self._start_tls()
        elif verb == "AUTH":
            await self._log_in(rest)
        elif verb == "MAIL":
            await self._mail(rest)
        elif verb == "RCPT":
            await self._recipient(rest)
        elif verb == "DATA":
            await self._data()
        elif verb == "RSET":
            self._forget()
            await self._answer("RSET")
        else:
            await self._answer(verb, _POLITE.get(verb, "500 5.5.2 Command not recognised"))

    # -- commands --------------------------------------------------------------------------------------

    async def _hello(self, verb: str, rest: bytes) -> None:
        self._forget()
        self._helo = rest.decode("latin-1")
        offers = [self._host.name]
        if verb != "HELO":
            offers += self._does.offers
            if self._does.tls and not self._tls:
                offers.append("STARTTLS")
            if self._does.login is not None:
                offers.append("AUTH PLAIN LOGIN")
        phase = "EHLO+TLS" if self._tls and verb == "EHLO" else verb
        await self._answer(phase, "250 " + "\n250 ".join(offers))

    async def _start_tls(self) -> None:
        if not self._does.tls or self._tls:
            await self._send("502 5.5.1 STARTTLS is not offered")
            return
        if not (await self._answer("STARTTLS")).startswith("220"):
            return
        kind = self._does.tls
        if kind == HANG_UP:
            raise _Over
        if kind == GARBAGE:
            await self._send("500 5.5.1 Command unrecognized")
            raise _Over
        if kind == NO_HANDSHAKE:
            await self._silence()
        if kind == HANG_UP_LATER:
            await self._connection.receive()
            raise _Over
        self._buffer = b""
        await self._connection.start_tls(self._host.context())
        assert self._connection.tls is not None
        self._tls = self._connection.tls.version() or "TLS"
        self._forget()

    async def _log_in(self, rest: bytes) -> None:
        if self._does.login is None:
            await self._send("503 5.5.1 AUTH is not offered")
            return
        mechanism, _, initial = rest.partition(b" ")
        if mechanism.upper() == b"PLAIN":
            parts = _decoded(initial or await self._challenge("334 ")).split(b"\0")
            given = tuple(part.decode("utf-8", "replace") for part in parts[1:3])
        elif mechanism.upper() == b"LOGIN":
            user = initial or await self._challenge("334 VXNlcm5hbWU6")
            password = await self._challenge("334 UGFzc3dvcmQ6")
            given = tuple(_decoded(one).decode("utf-8", "replace") for one in (user, password))
        else:
            await self._send("504 5.5.4 Unrecognized authentication type")
            return
        wanted = self._does.login
        if len(given) == 2 and all(
            hmac.compare_digest(a.encode(), b.encode()) for a, b in zip(given, wanted, strict=True)
        ):
            if (await self._answer("AUTH")).startswith("2"):
                self._user = given[0]
        else:
            await self._send("535 5.7.8 Authentication credentials invalid")

    async def _challenge(self, text: str) -> bytes:
        await self._send(text)
        return await self._line()

    async def _mail(self, rest: bytes) -> None:
        match = _PATH.fullmatch(rest)
        if match is None:
            await self._send("501 5.5.4 Syntax: MAIL FROM:<address>")
            return
        if self._does.tls_only and not self._tls:
            await self._send("530 5.7.0 Must issue a STARTTLS command first")
            return
        if self._does.login is not None and not self._user:
            await self._send("530 5.7.0 Authentication required")
            return
        if self._does.messages and self._messages >= self._does.messages:
            await self._send("421 4.7.0 Too many messages in this connection")
            raise _Over
        rate = self._does.rate
        if rate is not None and rate.phase == "MAIL" and self._host.is_too_fast():
            await self._say_rate(rate.reply)
            return
        size = re.search(rb"SIZE=([0-9]{1,12})", match[2], re.IGNORECASE)
        limit = self._size_limit()
        if size is not None and limit and decimal(size[1]) > limit:
            await self._send(f"552 5.3.4 Message size exceeds fixed limit of {limit} octets")
            return
        if (await self._answer("MAIL")).startswith("2"):
            self._forget()
            self._sender = match[1].decode("utf-8", "replace")
            self._parameters = [match[2].decode("utf-8", "replace")]

    async def _recipient(self, rest: bytes) -> None:
        match = _PATH.fullmatch(rest)
        if self._sender is None or match is None:
            await self._send("503 5.5.1 Need MAIL first")
            return
        recipient = match[1].decode("utf-8", "replace")
        local_part = recipient.rpartition("@")[0]
        rate = self._does.rate
        if self._does.recipient_limit and len(self._recipients) >= self._does.recipient_limit:
            await self._send("452 4.5.3 Too many recipients")
        elif self._host.is_greylisted(self._client, self._sender, recipient):
            await self._send(
                f"450 4.2.0 <{recipient}>: Recipient address rejected: Greylisted, see https://greylist.test/"
            )
        elif rate is not None and rate.phase == "RCPT" and self._host.is_too_fast():
            await self._say_rate(rate.reply)
        elif (scripted := self._host.say("RCPT", of=local_part)) is not None:
            await self._act(scripted)
        elif (await self._answer("RCPT")).startswith("2"):
            self._recipients.append(recipient)
            self._parameters.append(match[2].decode("utf-8", "replace"))

    async def _say_rate(self, reply: str) -> None:
        await self._send(reply)
        if reply.startswith("421"):
            raise _Over

    async def _data(self) -> None:
        if not self._recipients:
            await self._send("554 5.5.1 Error: no valid recipients")
            return
        if not (await self._answer("DATA")).startswith("354"):
            self._forget()
            return
        content = await self._content()
        self._lines.append(".")
        objection = self._objection(content)
        refused: set[str] = set()
        for recipient in self._recipients if self._does.lmtp else [""]:
            if objection:
                await self._send(objection)
                continue
            whose = f"<{recipient}> " if recipient else ""
            said = await self._answer(
                ".", f"250 2.0.0 {whose}Ok: taken as {len(self._host.received) + 1:05d}"
            )
            if not said.startswith("2"):
                refused |= {recipient} if recipient else set(self._recipients)
        self._recipients = [one for one in self._recipients if one not in refused]
        if self._recipients and not objection:
            self._messages += 1
            self._take(content)
        self._forget()

    def _take(self, content: bytes) -> None:
        host = self._host
        if any(recipient.rpartition("@")[0] in self._does.traps for recipient in self._recipients):
            host.trapped.add(self._client)
        host.take(
            Received(
                at=host.now(),
                client=self._client,
                helo=self._helo,
                sender=self._sender or "",
                recipients=tuple(self._recipients),
                parameters=tuple(self._parameters),
                content=content,
                tls=self._tls,
                user=self._user,
                connection=self._number,
            )
        )

    def _objection(self, content: bytes) -> str:
        limit = self._size_limit()
        if limit and len(content) > limit:
            return f"552 5.3.4 Message size exceeds fixed limit of {limit} octets"
        if "8BITMIME" not in self._does.offers and not content.isascii():
            return "554 5.6.1 Eight-bit content is not for this host"
        return ""

    def _size_limit(self) -> int:
        for offer in self._does.offers:
            if offer.startswith("SIZE "):
                return decimal(offer[5:].encode())
        return 0

    # -- bytes -----------------------------------------------------------------------------------------

    async def _answer(self, phase: str, polite: str = "") -> str:
        """Do what the script says for a phase, or be polite; what was said."""
        scripted = self._host.say(phase)
        return await self._act(scripted if scripted is not None else Say(polite or _POLITE[phase]))

    async def _act(self, scripted: Say) -> str:
        if scripted.after:
            await asyncio.sleep(scripted.after)
        if scripted.text == DROP:
            raise _Over
        if scripted.text == SILENCE:
            await self._silence()
        if scripted.text == CUT:
            self._connection.send(b"250-half of a rep")
            raise _Over
        await self._send(scripted.text)
        if scripted.text.startswith("421"):
            raise _Over
        return scripted.text

    async def _silence(self) -> None:
        while await self._connection.receive():
            pass
        raise _Over

    async def _send(self, text: str) -> None:
        *more, last = text.split("\n")
        lines = [f"{line[:3]}-{line[4:]}" for line in more] + [last]
        self._connection.send("".join(f"{line}\r\n" for line in lines).encode())
        await self._connection.drain()

    async def _fill(self) -> None:
        data = await self._connection.receive()
        if not data or len(self._buffer) > _LARGEST:
            raise _Over
        self._buffer += data

    async def _line(self) -> bytes:
        while b"\r\n" not in self._buffer:
            await self._fill()
        line, _, self._buffer = self._buffer.partition(b"\r\n")
        return line

    async def _content(self) -> bytes:
        while not self._buffer.startswith(b".\r\n") and b"\r\n.\r\n" not in self._buffer:
            await self._fill()
        if self._buffer.startswith(b".\r\n"):
            self._buffer = self._buffer[3:]
            return b""
        content, _, self._buffer = self._buffer.partition(b"\r\n.\r\n")
        return (b"\r\n" + content).replace(b"\r\n.", b"\r\n")[2:] + b"\r\n"


def _decoded(text: bytes) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error:
        return b""
