"""One SMTP client: what it may do, what it is told, and what becomes of its messages.

DESCRIPTION
    `run()` asks the engine for one command after the other and dispatches by type.  A handler gives the reply,
    at once or after waiting; the engine puts replies in order.  Replies to pipelined commands go out together.

    Refusals are counted: from smtpd_soft_error_limit on each costs the client a second, at
    smtpd_hard_error_limit it is sent away.  Commands that do no work (NOOP, RSET …) are counted too.

FAULTS
    What the client sees is Postfix's text; what the log sees are events.  A fault of ours is
    `451 4.3.0` for the client and a warning for the log; the session goes on where it can.

STANDARDS
    RFC 5321 §3, §4; RFC 3207; RFC 4954; reply texts as Postfix 3.9 and later
"""

import asyncio
import base64
import binascii
import os
import ssl
from collections.abc import Awaitable, Callable
from typing import Any, Final, Protocol

from pillarbox.access.client import ClientFacts
from pillarbox.access.restrictions import (
    REJECT_UNLISTED_RECIPIENT,
    Outcome,
    Question,
    RestrictionList,
)
from pillarbox.net.connection import IdleTimeout, TlsFault
from pillarbox.observability import events
from pillarbox.queue.incoming import IncomingQueue, QueueFileFault
from pillarbox.queue.submission import MessageTooBig, TooManyHops
from pillarbox.routing.alias_expansion import ExpansionFault, is_alias
from pillarbox.routing.resolution import Resolver
from pillarbox.sessions.login import Authenticator, ExchangeAborted, Failure
from pillarbox.sessions.smtp.client_records import ClientRecords
from pillarbox.sessions.smtp.policy import SmtpPolicy
from pillarbox.sessions.smtp.transaction import Transaction
from pillarbox.sessions.transport import Transport
from pillarbox.tables.table import LookupFault
from pillarbox.vocabulary.address import Address
from pillarbox.vocabulary.clock import Clock
from pillarbox.vocabulary.identifiers import QueueId
from pillarbox.vocabulary.reply import Reply
from pillarbox.wire.smtp.commands import (
    Auth,
    Bdat,
    Data,
    Ehlo,
    Etrn,
    Helo,
    Help,
    MailFrom,
    Noop,
    Quit,
    RcptTo,
    Refused,
    Rset,
    StartTls,
    Vrfy,
)
from pillarbox.wire.smtp.dot_stream import BareNewline
from pillarbox.wire.smtp.server import AuthResponse, Content, EndOfContent, Pause, SmtpServer


class SmtpTransport(Transport, Protocol):
    """A transport that TLS can be put on."""

    idle_limit: float

    @property
    def tls(self) -> ssl.SSLObject | None:
        """The TLS session, if there is one."""
        ...

    @property
    def local_address(self) -> tuple[str, int]:
        """Address and port of our end."""
        ...

    async def start_tls(self, context: ssl.SSLContext) -> None:
        """Put TLS on.  TlsFault if it fails."""
        ...


Queued = Callable[[QueueId], None]
"""Told of each message that was committed."""

_VERBS: Final[dict[type, str]] = {
    Helo: "helo",
    Ehlo: "ehlo",
    StartTls: "starttls",
    Auth: "auth",
    MailFrom: "mail",
    RcptTo: "rcpt",
    Data: "data",
    Bdat: "bdat",
    Rset: "rset",
    Noop: "noop",
    Vrfy: "vrfy",
    Etrn: "etrn",
    Quit: "quit",
    Help: "help",
}
"""In the order of the disconnect line (with XCLIENT and XFORWARD left out)."""

_NEUTER: Final = bytes(
    0x3F if octet < 0x21 or octet == 0x7F or octet in b'<>()\\";@' else octet for octet in range(256)
)
"""What a HELO name must not hold, lest it look like more in `Received:`, the log and the queue file."""

_JUNK: Final = frozenset((Helo, Ehlo, Rset, Noop, Vrfy, Etrn, Help))

_OK: Final = Reply(250, (b"2.0.0 Ok",))
_MAIL_OK: Final = Reply(250, (b"2.1.0 Ok",))
_RCPT_OK: Final = Reply(250, (b"2.1.5 Ok",))
_GO_AHEAD: Final = Reply(354, (b"End data with <CR><LF>.<CR><LF>",))
_BYE: Final = Reply(221, (b"2.0.0 Bye",))
_AUTH_FIRST: Final = Reply(530, (b"5.7.0 Must issue a STARTTLS command first",))


class _Goodbye(Exception):
    """The session ends after this reply."""

    def __init__(self, reply: Reply, why: str = "") -> None:
        self.reply = reply
        self.why = why


class _Gone(Exception):
    """The client has closed the connection in the middle of a command."""


class SmtpSession:
    """A client of one SMTP service."""

    def __init__(
        self,
        transport: SmtpTransport,
        client: ClientFacts,
        *,
        policy: SmtpPolicy,
        queue: IncomingQueue,
        resolver: Resolver,
        clock: Clock,
        tell: events.EventSink,
        queued: Queued,
        authenticator: Authenticator | None = None,
        tls_context: ssl.SSLContext | None = None,
    ) -> None:
        self._transport = transport
        self._client = client
        self._policy = policy
        self._queue = queue
        self._resolver = resolver
        self._clock = clock
        self._tell = tell
        self._queued = queued
        self._authenticator = authenticator
        self._tls_context = tls_context
        excluded = policy.server.smtpd_forbid_bare_newline_exclusions.contains(client.address)
        self._bare_newline = BareNewline.NO if excluded else policy.bare_newline
        self._engine = self._new_engine()
        self._transaction: Transaction | None = None
        self._records = ClientRecords()
        self._errors = 0
        self._junk = 0
        self._counts: dict[str, list[int]] = {}
        self._last = "CONNECT"

    # -- the conversation ------------------------------------------------------------------------------

    async def run(self) -> None:
        """Serve the client until it leaves or is sent away."""
        client = self._client.label
        self._tell(events.ClientConnected(client))
        try:
            await self._converse()
        except _Goodbye as end:
            self._send_last(end.reply)
            if end.why:
                self._tell(events.ClientLost(self._queue_id, end.why, self._last, client))
        except IdleTimeout:
            self._send_last(Reply(421, (b"4.4.2 %s Error: timeout exceeded" % self._policy.host,)))
            self._tell(events.ClientLost(self._queue_id, "timeout", self._last, client))
        except TlsFault as fault:
            self._tell(events.TlsFailed(client, str(fault)))
        except _Gone:
            self._lost()
        finally:
            self._abort_transaction()
            self._transport.close()
            self._tell(events.ClientDisconnected(client, self._command_counts()))

    async def _converse(self) -> None:
        if self._policy.tls.smtpd_tls_wrappermode:
            await self._begin_tls()
        await self._greet()
        engine = self._engine
        while True:
            command = engine.next_command()
            if command is Pause.NEED_DATA:
                await self._flush()
                data = await self._transport.receive()
                if not data:
                    self._lost()
                    return
                engine.receive_data(data)
            elif type(command) is Content:
                await self._take_content(command.data)
            elif command is Pause.CLOSED:
                await self._flush()
                return
            else:
                await self._answer(command)

    async def _greet(self) -> None:
        """220, unless the client is refused or too hasty (RFC 5321 §4.3.1: wait for the greeting)."""
        refusal = None
        if not self._policy.access.smtpd_delay_reject:
            refusal = self._evaluate(self._policy.client_restrictions)
        if isinstance(refusal, Reply):
            raise _Goodbye(refusal)
        banner = self._policy.identity.smtpd_banner.encode()
        self._engine.greet(Reply(220, (banner,)))

    async def _answer(self, command: object) -> None:
        """One command: order, limits, handler, reply, counts."""
        kind = type(command)
        self._check_bare_newline()  # before a smuggled message is committed
        if kind is Refused:
            reply: Reply = self._refused(command)  # type: ignore[arg-type]
        else:
            if kind in _VERBS:
                self._last = _VERBS[kind].upper()
            self._check_pipelining()
            try:
                outcome = _HANDLERS[kind](self, command)
                reply = outcome if isinstance(outcome, Reply) else await outcome
            except LookupFault as fault:
                reply = self._lookup_failed(fault, b"")
        self._count(command, kind, reply)
        is_junk = kind in _JUNK and self._junk > self._policy.server.smtpd_junk_command_limit
        if is_junk or not reply.is_positive:
            await self._penalty(reply)
        self._engine.reply(reply)
        if kind is StartTls and reply.is_positive:
            await self._after_starttls()

    async def _flush(self) -> None:
        if out := self._engine.data_to_send():
            self._transport.send(out)
            await self._transport.drain()

    def _send_last(self, reply: Reply) -> None:
        self._transport.send(self._engine.data_to_send() + reply.encode())
        self._engine.close()

    def _lost(self) -> None:
        if self._last != "QUIT":
            self._tell(events.ClientLost(self._queue_id, "lost connection", self._last, self._client.label))

    def _command_counts(self) -> tuple[tuple[str, int, int], ...]:
        """Successes and totals by verb, in the order of the disconnect line."""
        counts = self._counts
        return tuple(
            (verb, counts[verb][0], counts[verb][1])
            for verb in (*_VERBS.values(), "unknown")
            if verb in counts
        )

    # -- limits ----------------------------------------------------------------------------------------

    def _count(self, command: object, kind: type, reply: Reply) -> None:
        """For the disconnect line; a command that failed at its end failed."""
        if isinstance(command, EndOfContent):
            if command.chunked:
                self._add_count("bdat", succeeded=reply.is_positive)
            elif not reply.is_positive:
                self._counts["data"][0] -= 1
            return
        verb = _VERBS.get(kind, "unknown")
        if isinstance(command, Refused):
            verb = command.verb.decode("ascii").lower()
        self._add_count(verb, succeeded=reply.is_positive)
        if kind in _JUNK:
            self._junk += 1

    def _add_count(self, verb: str, *, succeeded: bool) -> None:
        count = self._counts.setdefault(verb, [0, 0])
        count[0] += succeeded
        count[1] += 1

    async def _penalty(self, reply: Reply) -> None:
        """smtpd_soft_error_limit and smtpd_hard_error_limit."""
        self._errors += 1
        server = self._policy.server
        if self._errors >= server.smtpd_hard_error_limit:
            self._engine.reply(reply)
            text = b"4.7.0 %s Error: too many errors" % self._policy.host
            raise _Goodbye(Reply(421, (text,)), "too many errors")
        if self._errors > server.smtpd_soft_error_limit:
            await self._flush()
            await asyncio.sleep(server.smtpd_error_sleep_time)

    def _check_pipelining(self) -> None:
        """smtpd_forbid_unauth_pipelining: input behind a command that has to be the last of its group."""
        engine = self._engine
        if not engine.input_waiting or (engine.pipelining_allowed and self._client.protocol == "ESMTP"):
            return
        if (
            engine.state.name in ("DATA", "BDAT", "AUTH")
            or not self._policy.server.smtpd_forbid_unauth_pipelining
        ):
            return
        self._tell(events.ImproperPipelining(self._last, self._client.label, engine.waiting_input))
        raise _Goodbye(Reply(554, (b"5.5.0 Error: SMTP protocol synchronization",)))

    def _check_bare_newline(self) -> None:
        if self._bare_newline is BareNewline.REJECT and self._engine.bare_newline_seen:
            code = self._policy.server.smtpd_forbid_bare_newline_reject_code
            text = b"%d.5.2 %s Error: bare <LF> received" % (code // 100, self._policy.host)
            raise _Goodbye(Reply(code, (text,)))

    def _refused(self, command: Refused) -> Reply:
        self._last = command.verb.decode("ascii")
        word = command.line.split(None, 1)[0].upper() if command.line.strip() else b""
        # smtpd_forbidden_commands: a web browser or a spammer that talks without listening.
        if word in self._policy.forbidden_commands or (word and not word[:1].isalpha()):
            self._tell(events.NotSmtp(self._client.label, command.line))
            raise _Goodbye(Reply(221, (b"2.7.0 Error: I can break rules, too. Goodbye.",)))
        return command.reply

    # -- commands --------------------------------------------------------------------------------------

    def _helo(self, command: Helo) -> Reply:
        refusal = self._hello(command.domain, "SMTP")
        return refusal or Reply(250, (self._policy.host,))

    def _ehlo(self, command: Ehlo) -> Reply:
        refusal = self._hello(command.domain, "ESMTP")
        return refusal or Reply(250, (self._policy.host, *self._keywords()))

    def _hello(self, domain: bytes, protocol: str) -> Reply | None:
        self._abort_transaction()
        self._engine.reset()  # even if the greeting is refused: there is no sender any more
        if not _is_utf8(domain):
            return Reply(500, (b"5.5.2 Error: bad UTF-8 syntax",))
        self._client.helo = domain.translate(_NEUTER)
        self._client.protocol = protocol
        if not self._policy.access.smtpd_delay_reject:
            outcome = self._evaluate(self._policy.helo_restrictions)
            if isinstance(outcome, Reply):
                return outcome
        return None

    def _keywords(self) -> list[bytes]:
        """EHLO's answer, in Postfix's order."""
        policy, secured = self._policy, self._client.uses_tls
        words = [
            b"PIPELINING",
            b"SIZE %d" % policy.rules.message_size_limit if policy.rules.message_size_limit else b"SIZE",
        ]
        if not policy.server.disable_vrfy_command:
            words.append(b"VRFY")
        if self._tls_context is not None and not secured:
            words.append(b"STARTTLS")
        if mechanisms := self._mechanisms():
            words.append(b"AUTH " + b" ".join(mechanisms))
            if policy.sasl.broken_sasl_auth_clients:
                words.append(b"AUTH=" + b" ".join(mechanisms))
        words += [b"ENHANCEDSTATUSCODES", b"8BITMIME", b"DSN", b"SMTPUTF8", b"CHUNKING"]
        discarded = policy.discarded_keywords
        return [
            word for word in words if word.partition(b" ")[0].partition(b"=")[0].decode() not in discarded
        ]

    def _mechanisms(self) -> tuple[bytes, ...]:
        """What may be offered here: nothing in clear text under smtpd_tls_auth_only."""
        if self._authenticator is None or not self._policy.sasl.smtpd_sasl_auth_enable:
            return ()
        if self._policy.tls.smtpd_tls_auth_only and not self._client.uses_tls:
            return ()
        if self._policy.sasl.smtpd_sasl_exceptions_networks.contains(self._client.address):
            return ()
        return self._authenticator.mechanisms

    def _mail(self, command: MailFrom) -> Reply:
        if self._must_start_tls:
            return _AUTH_FIRST
        limit = self._policy.rules.message_size_limit
        if limit and command.size is not None and command.size > limit:
            return Reply(552, (b"5.3.4 Message size exceeds fixed limit",))
        if not _is_utf8(command.text):
            return Reply(500, (b"5.5.2 Error: bad UTF-8 syntax",))
        if self._disk_is_full(command.size or 0):
            return Reply(452, (b"4.3.1 Insufficient system storage",))
        self._client.sender = command.sender
        self._client.sasl_sender = (command.auth or b"").decode("ascii")
        if not self._policy.access.smtpd_delay_reject:
            outcome = self._evaluate(self._policy.sender_restrictions)
            if isinstance(outcome, Reply):
                return outcome
        self._transaction = Transaction(
            command, policy=self._policy, queue=self._queue, resolver=self._resolver
        )
        return _MAIL_OK

    def _rcpt(self, command: RcptTo) -> Reply:
        transaction = self._transaction
        if transaction is None:
            raise AssertionError("RCPT without MAIL reached the session")
        if not _is_utf8(command.text):
            return Reply(500, (b"5.5.2 Error: bad UTF-8 syntax",))
        if transaction.recipient_count >= self._policy.server.smtpd_recipient_limit:
            return Reply(452, (b"4.5.3 Error: too many recipients",))
        try:
            refusal = self._recipient_refusal(command.recipient)
            if refusal is None:
                first = transaction.add_recipient(command)
        except LookupFault as fault:
            refusal = self._lookup_failed(fault, command.recipient.external)
        except QueueFileFault as fault:
            refusal = self._write_failed(fault)
        if refusal is not None:
            self._tell_refusal("RCPT", refusal, command.recipient.external)
            return refusal
        if first:
            client = self._client
            self._tell(
                events.MessageBegun(
                    transaction.queue_id,
                    client.label,
                    client.sasl_method,
                    client.sasl_username,
                    client.sasl_sender,
                )
            )
        return _RCPT_OK

    def _recipient_refusal(self, recipient: Address) -> Reply | None:
        """Why the recipient is not taken; None if it is."""
        policy = self._policy
        # RFC 5321 §4.5.1: postmaster without a domain is always accepted.
        question = Question(self._client, self._resolver, policy.codes, recipient)
        question.resolution = self._resolver.resolve(recipient)
        lists: list[RestrictionList] = []
        if policy.access.smtpd_delay_reject:
            lists += [policy.client_restrictions, policy.helo_restrictions, policy.sender_restrictions]
        lists += [policy.relay_restrictions, policy.recipient_restrictions]
        if not recipient.domain and recipient.folded == b"postmaster":
            return None
        for restrictions in lists:
            outcome = restrictions.evaluate(question)
            if isinstance(outcome, Reply):
                return outcome
        if not policy.access.smtpd_reject_unlisted_recipient or self._is_alias(recipient):
            return None
        outcome = REJECT_UNLISTED_RECIPIENT.evaluate(question)
        return outcome if isinstance(outcome, Reply) else None

    def _is_alias(self, recipient: Address) -> bool:
        return is_alias(self._resolver.complete(recipient), resolver=self._resolver)

    def _data(self, command: Data) -> Reply:
        return self._begin_content() or _GO_AHEAD

    def _begin_content(self) -> Reply | None:
        transaction = self._transaction
        if transaction is None:
            raise AssertionError("content without MAIL reached the session")
        outcome = self._evaluate(self._policy.data_restrictions)
        if isinstance(outcome, Reply):
            self._tell_refusal("DATA", outcome, None)
            return outcome
        try:
            transaction.begin(
                self._client,
                now=self._clock.now(),
                client_records=self._records.of(self._client, self._transport.local_address),
                tls=_tls_text(self._transport.tls),
            )
        except LookupFault as fault:
            return self._lookup_failed(fault, b"")
        except ExpansionFault as fault:
            self._tell(
                events.Warned(f"{transaction.queue_id}: {fault} -- message not accepted, try again later")
            )
            return Reply(451, (b"4.3.0 Error: queue file write error",))
        return None

    async def _take_content(self, content: bytes) -> None:
        """Content of DATA, which was answered with 354, or of a BDAT chunk, which was not."""
        transaction = self._transaction
        if transaction is not None and (transaction.begun or self._begin_chunks(transaction)):
            await transaction.feed(content)

    def _begin_chunks(self, transaction: Transaction) -> bool:
        """The first BDAT chunk: nobody has looked at the envelope yet.  A refusal waits for its end."""
        if transaction.refusal is None:
            transaction.refusal = self._begin_content()
        return transaction.refusal is None

    async def _end_of_content(self, command: EndOfContent) -> Reply:
        transaction = self._transaction
        if transaction is None:
            raise AssertionError("content without MAIL reached the session")
        if command.chunked:
            self._last = "BDAT"
        if not transaction.begun and not self._begin_chunks(transaction) and transaction.refusal is not None:
            self._abort_transaction()
            return transaction.refusal
        if transaction.fault is None and not command.last:
            return Reply(250, (b"2.0.0 Ok: %d bytes" % command.size,))
        reply = await self._commit(transaction, command)
        if not reply.is_positive:
            queue_id = transaction.queue_id or "NOQUEUE"
            self._tell(events.ContentRefused(queue_id, self._client.label, reply.first_line))
        self._abort_transaction()
        return reply

    async def _commit(self, transaction: Transaction, command: EndOfContent) -> Reply:
        submission = transaction.submission
        if submission is None:
            raise AssertionError("content without a recipient reached the session")
        await self._flush()
        try:
            outcome = self._evaluate(self._policy.end_of_data_restrictions)
            if isinstance(outcome, Reply):
                return outcome
            if transaction.fault is not None:
                raise transaction.fault
            queue_id = await submission.commit()
        except MessageTooBig:
            return Reply(552, (b"5.3.4 Error: message file too big",))
        except TooManyHops:
            return Reply(554, (b"5.4.0 Error: too many hops",))
        except QueueFileFault as fault:
            return self._write_failed(fault)
        except LookupFault as fault:
            return self._lookup_failed(fault, b"")
        self._tell(events.MessageIdSeen(queue_id, submission.message_id))
        self._queued(queue_id)
        self._errors = self._junk = 0
        size = b"%d bytes " % command.size if command.chunked else b""
        return Reply(250, (b"2.0.0 Ok: %squeued as %s" % (size, queue_id.encode()),))

    def _rset(self, command: Rset) -> Reply:
        self._abort_transaction()
        return _OK

    def _noop(self, command: Noop) -> Reply:
        return _OK

    def _vrfy(self, command: Vrfy) -> Reply:
        if self._policy.server.disable_vrfy_command:
            return Reply(502, (b"5.5.1 VRFY command is disabled",))
        refusal = self._recipient_refusal(command.address)
        return refusal or Reply(252, (b"2.0.0 " + command.address.external,))

    def _etrn(self, command: Etrn) -> Reply:
        return Reply(458, (b"4.0.0 Unable to queue messages for this destination",))

    def _help(self, command: Help) -> Reply:
        verbs = " ".join(verb.upper() for verb in _VERBS.values())
        return Reply(214, (b"2.0.0 Commands: " + verbs.encode(),))

    def _quit(self, command: Quit) -> Reply:
        return _BYE

    # -- TLS and SASL ----------------------------------------------------------------------------------

    @property
    def _must_start_tls(self) -> bool:
        return self._policy.tls.smtpd_tls_security_level == "encrypt" and not self._client.uses_tls

    def _starttls(self, command: StartTls) -> Reply:
        if self._client.uses_tls:
            return Reply(554, (b"5.5.1 Error: TLS already active",))
        if self._tls_context is None:
            return Reply(502, (b"5.5.1 Error: command not implemented",))
        return Reply(220, (b"2.0.0 Ready to start TLS",))

    async def _after_starttls(self) -> None:
        await self._flush()
        await self._begin_tls()
        self._engine.start_tls()
        # RFC 3207 §4.2: what the client said before does not count any more.
        self._client.helo = b""
        self._client.protocol = "SMTP"
        self._client.sasl_username = self._client.sasl_method = ""

    async def _begin_tls(self) -> None:
        if self._tls_context is None:
            raise TlsFault("no certificate is configured")
        await self._transport.start_tls(self._tls_context)
        self._client.uses_tls = True
        if self._policy.tls.smtpd_tls_loglevel and (session := self._transport.tls) is not None:
            name, protocol, bits = session.cipher() or ("?", "?", 0)
            self._tell(events.TlsEstablished("from", self._client.label, protocol, name, bits))

    async def _auth(self, command: Auth) -> Reply:
        if self._client.protocol != "ESMTP" or not self._client.helo:
            return Reply(503, (b"5.5.1 Error: send EHLO first",))
        if not self._policy.sasl.smtpd_sasl_auth_enable or self._authenticator is None:
            return Reply(503, (b"5.5.1 Error: authentication not enabled",))
        if self._must_start_tls or (self._policy.tls.smtpd_tls_auth_only and not self._client.uses_tls):
            return Reply(538, (b"5.7.0 Encryption required for requested authentication mechanism",))
        if self._client.sasl_username:
            return Reply(503, (b"5.5.1 Error: already authenticated",))
        if command.mechanism not in self._mechanisms():
            return self._login_failed(command.mechanism, Failure("Invalid authentication mechanism"))
        try:
            initial = None if command.initial_response is None else _decode(command.initial_response)
            result = await self._authenticator.authenticate(
                command.mechanism, initial, self._exchange, secured=self._client.uses_tls
            )
        except ExchangeAborted:
            return Reply(501, (b"5.7.0 Authentication aborted",))
        except (_Gone, _Goodbye):
            self._add_count("auth", succeeded=False)
            raise
        if isinstance(result, Failure):
            return self._login_failed(command.mechanism, result)
        self._client.sasl_method = command.mechanism.decode("ascii")
        self._client.sasl_username = result.user
        return Reply(235, (b"2.7.0 Authentication successful",))

    async def _exchange(self, challenge: bytes) -> bytes:
        """Send a challenge, wait for the answer (RFC 4954 §4)."""
        self._engine.reply(Reply(334, (base64.b64encode(challenge),)))
        while True:
            answer = self._engine.next_command()
            if answer is not Pause.NEED_DATA:
                break
            await self._flush()
            data = await self._transport.receive()
            if not data:
                raise _Gone
            self._engine.receive_data(data)
        limit = self._policy.sasl.smtpd_sasl_response_limit
        if not isinstance(answer, AuthResponse) or len(answer.data) > limit:  # else: a line without end
            raise _Goodbye(Reply(500, (b"5.5.6 SASL response limit exceeded",)))
        if answer.data == b"*":
            raise ExchangeAborted
        return _decode(answer.data)

    def _login_failed(self, mechanism: bytes, failure: Failure) -> Reply:
        name = mechanism.decode("ascii", "replace")
        self._tell(events.AuthenticationFailed(self._client.label, name, failure.reason, failure.user))
        reason = (failure.reason or "(reason unavailable)").encode()
        if failure.temporary:
            return Reply(454, (b"4.7.0 Temporary authentication failure: " + reason,))
        return Reply(535, (b"5.7.8 Error: authentication failed: " + reason,))

    # -- inside ----------------------------------------------------------------------------------------

    def _new_engine(self) -> SmtpServer:
        server = self._policy.server
        return SmtpServer(
            self._policy.host,
            max_line=server.line_length_limit,
            max_response=self._policy.sasl.smtpd_sasl_response_limit,
            strict=server.strict_rfc821_envelopes,
            helo_required=server.smtpd_helo_required,
            bare_newline=self._bare_newline,
        )

    @property
    def _queue_id(self) -> str:
        return self._transaction.queue_id if self._transaction is not None else ""

    def _evaluate(self, restrictions: RestrictionList) -> Outcome:
        return restrictions.evaluate(Question(self._client, self._resolver, self._policy.codes))

    def _abort_transaction(self) -> None:
        if self._transaction is not None:
            self._transaction.abort()
            self._transaction = None

    def _disk_is_full(self, size: int) -> bool:
        """queue_minfree: room for one and a half messages of the largest size, at least."""
        policy = self._policy
        room = os.statvfs(self._queue.directory)
        needed = max(policy.server.queue_minfree, policy.rules.message_size_limit * 3 // 2, size)
        return room.f_bavail * room.f_frsize < needed

    def _lookup_failed(self, fault: LookupFault, what: bytes) -> Reply:
        self._tell(events.Warned(fault.reason))
        return Reply(451, (b"4.3.0 <%s>: Temporary lookup failure" % what,))

    def _write_failed(self, fault: QueueFileFault) -> Reply:
        self._tell(events.Warned(str(fault)))
        if fault.full:
            return Reply(452, (b"4.3.1 Insufficient system storage",))
        return Reply(451, (b"4.3.0 Error: queue file write error",))

    def _tell_refusal(self, stage: str, reply: Reply, recipient: bytes | None) -> None:
        client = self._client
        self._tell(
            events.CommandRefused(
                self._queue_id,
                stage,
                client.label,
                reply.first_line,
                client.sender.external if client.sender is not None else None,
                recipient,
                client.protocol,
                client.helo,
            )
        )


def _decode(text: bytes) -> bytes:
    """`=` stands for an empty initial response (RFC 4954 §4)."""
    if text == b"=":
        return b""
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise ExchangeAborted from error


def _is_utf8(text: bytes) -> bool:
    if text.isascii():
        return True
    try:
        text.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _tls_text(session: ssl.SSLObject | None) -> str:
    """smtpd_tls_received_header's text."""
    cipher = session.cipher() if session is not None else None
    if cipher is None:
        return ""
    name, protocol, bits = cipher
    return f"using {protocol} with cipher {name} ({bits}/{bits} bits)"


_HANDLERS: Final[dict[type, Callable[[SmtpSession, Any], Reply | Awaitable[Reply]]]] = {
    Helo: SmtpSession._helo,
    Ehlo: SmtpSession._ehlo,
    MailFrom: SmtpSession._mail,
    RcptTo: SmtpSession._rcpt,
    Data: SmtpSession._data,
    EndOfContent: SmtpSession._end_of_content,
    Rset: SmtpSession._rset,
    Noop: SmtpSession._noop,
    Vrfy: SmtpSession._vrfy,
    Etrn: SmtpSession._etrn,
    Help: SmtpSession._help,
    Quit: SmtpSession._quit,
    StartTls: SmtpSession._starttls,
    Auth: SmtpSession._auth,
}
