"""One SMTP client: what it may do, what it is told, and what becomes of its messages.

DESCRIPTION
    `run()` asks the engine for one command after the other and dispatches by type to the functions of the
    command modules beside this one.  A handler gives the reply; the engine puts replies in order.  Replies to
    pipelined commands go out together.

    Refusals are counted: from smtpd_soft_error_limit on each costs the client a second, at
    smtpd_hard_error_limit it is sent away.  Commands that do no work (NOOP, RSET …) are counted too.

FAULTS
    What the client sees is Postfix's text; what the log sees are events.  A fault of ours is
    `451 4.3.0` for the client and a warning for the log; the session goes on where it can.

STANDARDS
    RFC 5321 §3, §4; RFC 3207; RFC 4954; reply texts as Postfix 3.9 and later
"""

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from typing import Any, Final, NoReturn

from pillarbox.access.client import ClientFacts
from pillarbox.access.client_rates import ClientRate
from pillarbox.net.connection import IdleTimeout
from pillarbox.net.dns.host_lookup import HostLookup
from pillarbox.net.dns.records import Resolver as DnsResolver
from pillarbox.net.tls_faults import TlsFault
from pillarbox.observability import events
from pillarbox.queue.incoming import IncomingQueue
from pillarbox.queue.submission import Submission
from pillarbox.routing.resolution import Resolver
from pillarbox.sessions.login import Authenticator
from pillarbox.sessions.smtp.auth_command import auth
from pillarbox.sessions.smtp.command_counts import JUNK, VERBS
from pillarbox.sessions.smtp.content_commands import data, end_of_content, take_content, tell_ids_of_lost
from pillarbox.sessions.smtp.deadline import Deadline
from pillarbox.sessions.smtp.early_refusals import greeting
from pillarbox.sessions.smtp.envelope_commands import VRFY_DISABLED, count_use, mail, rcpt, refuse_path, vrfy
from pillarbox.sessions.smtp.flush_command import etrn
from pillarbox.sessions.smtp.hello_commands import ehlo, helo
from pillarbox.sessions.smtp.plain_commands import help_, noop, quit_, rset
from pillarbox.sessions.smtp.policy import SmtpPolicy
from pillarbox.sessions.smtp.proxy_commands import xclient, xforward
from pillarbox.sessions.smtp.session_state import OK, Gone, Goodbye, Queued, SessionState
from pillarbox.sessions.smtp.tls_command import begin_with_tls, finish_starttls, starttls
from pillarbox.sessions.smtp.transaction import NewSubmission
from pillarbox.sessions.smtp.transport import SmtpTransport
from pillarbox.sessions.smtp.trouble import ReportTo, Trouble
from pillarbox.tables.table import LookupFault
from pillarbox.vocabulary.clock import Clock
from pillarbox.vocabulary.reply import Reply
from pillarbox.wire.smtp import commands
from pillarbox.wire.smtp.dot_stream import MARK_OF_END, BareNewline
from pillarbox.wire.smtp.dsn_parameters import unknown_notify
from pillarbox.wire.smtp.server import AuthResponse, Content, EndOfContent, Pause
from pillarbox.wire.smtp.transcript import Transcript

_NEW_BEGINNINGS: Final = (commands.Helo, commands.Ehlo, commands.Rset)
"""Before their reply, what was said in a long session is told of, or forgotten."""
_WORDS: Final = {kind: verb.upper() for kind, verb in VERBS.items()}
_NEED_DATA: Final = Pause.NEED_DATA
_CLOSED: Final = Pause.CLOSED
_NEEDS_TLS: Final = 530
"""Before STARTTLS (RFC 3207 §4)."""
_TOO_BIG: Final = 552
_LAST_WORDS: Final = (421, 521)
"""Replies that close the connection (RFC 5321 §3.8; RFC 7504)."""

_HANDLERS: Final[dict[type, Callable[[SessionState, Any], Awaitable[Reply]]]] = {
    commands.Helo: helo,
    commands.Ehlo: ehlo,
    commands.MailFrom: mail,
    commands.RcptTo: rcpt,
    commands.Data: data,
    EndOfContent: end_of_content,
    commands.Rset: rset,
    commands.Noop: noop,
    commands.Vrfy: vrfy,
    commands.Etrn: etrn,
    commands.Help: help_,
    commands.Quit: quit_,
    commands.StartTls: starttls,
    commands.Auth: auth,
    commands.XClient: xclient,
    commands.XForward: xforward,
}


def _into(queue: IncomingQueue | None) -> NewSubmission:
    assert queue is not None, "there is a queue, or else another way in"
    return lambda rules: Submission(queue, rules)


class SmtpSession:
    """A client of one SMTP service."""

    def __init__(
        self,
        transport: SmtpTransport,
        client: ClientFacts,
        *,
        policy: SmtpPolicy,
        queue: IncomingQueue | None,
        resolver: Resolver,
        dns: DnsResolver,
        hosts: HostLookup,
        clock: Clock,
        tell: events.EventSink,
        queued: Queued,
        authenticator: Authenticator | None = None,
        tls_context: ssl.SSLContext | None = None,
        rate: ClientRate | None = None,
        report: ReportTo | None = None,
        take_time: Callable[[float], Awaitable[None]] | None = None,
        submission: NewSubmission | None = None,
    ) -> None:
        """`report` tells postmaster of what goes wrong; `take_time` waits while mail comes faster than it goes.

        `submission` makes a message's way in where there is no queue: then the session stands alone, with a local
        program (smtpd -S).
        """
        self._state = SessionState(
            transport,
            client,
            policy=policy,
            submission=submission or _into(queue),
            resolver=resolver,
            dns=dns,
            hosts=hosts,
            clock=clock,
            tell=tell,
            queued=queued,
            authenticator=authenticator,
            tls_context=tls_context,
            rate=rate,
        )
        self._state.take_time = take_time
        self._state.stands_alone = self._state.pipelined = (
            submission is not None
        )  # nobody minds what comes early
        if report is not None:
            trouble = Trouble(
                report,
                wanted=policy.notify_classes,
                threshold=policy.server.smtpd_history_flush_threshold,
            )
            self._state.trouble = trouble
            self._state.engine.transcript = trouble.transcript
        trace = policy.debugged.trace(
            client.label,
            lambda line: tell(events.Noted(line)),
            names=(client.name,),
            address=client.address_text,
        )
        if trace is not None:
            if self._state.engine.transcript is None:
                self._state.engine.transcript = Transcript(kept=False)
            self._state.engine.transcript.trace = trace
        self._deadline: Deadline | None = None
        if policy.server.smtpd_per_request_deadline:
            self._deadline = Deadline(
                policy.server.smtpd_timeout, least_rate=policy.server.smtpd_min_data_rate, clock=clock
            )

    # -- the conversation ------------------------------------------------------------------------------

    async def run(self) -> None:
        """Serve the client until it leaves or is sent away."""
        state = self._state
        tell, client = state.tell, state.client  # XCLIENT may change whose session it is
        tell(events.ClientConnected(client.label))
        try:
            await self._converse()
        except Goodbye as end:
            self._send_last(end.reply)
            self._was_ended(end.why)
            if end.why:
                self._tell_end(end.why)
        except IdleTimeout:
            self._send_last(Reply(421, (b"4.4.2 %s Error: timeout exceeded" % state.policy.host,)))
            self._was_ended("timeout")
            self._tell_end("timeout")
        except (Gone, TlsFault):
            self._lost()
        finally:
            state.abort_transaction()
            state.transport.close()
            tell(events.ClientDisconnected(client.label, state.counts.totals()))
        if state.trouble is not None:
            await state.trouble.ended(client.label)

    async def _converse(self) -> None:
        state = self._state
        if state.policy.tls.smtpd_tls_wrappermode:
            if not await begin_with_tls(state):
                return
            state.tell_engine()
        await self._greet()
        engine, transport = state.engine, state.transport
        while True:
            command = engine.next_command()
            if command is _NEED_DATA:
                if state.send_replies():
                    await transport.drain()
                wanted = engine.content_wanted
                if self._deadline is not None:
                    received = await self._receive_in_time(self._deadline)
                else:
                    received = await (
                        transport.gather(wanted, MARK_OF_END) if wanted else transport.receive()
                    )
                if not received:
                    self._lost()
                    return
                engine.receive_data(received)
            elif type(command) is Content:
                await take_content(state, command.data)
            elif command is _CLOSED:
                await state.flush()
                return
            else:
                await self._answer(command)
                if self._deadline is not None:
                    self._deadline.restart()

    async def _receive_in_time(self, deadline: Deadline) -> bytes:
        """What the client sends next.  IdleTimeout when it has taken too long over a request."""
        transport, in_content = self._state.transport, self._state.engine.receives_content
        left = deadline.begin_wait()
        if left <= 0:
            raise IdleTimeout
        try:
            async with asyncio.timeout(left):
                received = await transport.receive()
        except TimeoutError:
            raise IdleTimeout from None
        deadline.end_wait(content=len(received) if in_content else 0)
        return received

    async def _greet(self) -> None:
        """220, unless the client is refused (RFC 5321 §4.3.1)."""
        state = self._state
        reply = await greeting(state)
        if reply.code in _LAST_WORDS:
            raise Goodbye(reply)
        # What a client says within TLS that it begins with is not looked at, as Postfix does not.
        if state.transport.has_input and not state.policy.tls.smtpd_tls_wrappermode:
            await self._hear_too_early()
        state.engine.greet(state.with_footer(reply) if state.denied else reply)

    async def _hear_too_early(self) -> None:
        """A client has to wait for its greeting (RFC 5321 §3.1); many of those that do not send spam."""
        received = await self._state.transport.receive()
        if received:
            self._state.engine.receive_data(received)
            self._object_to_pipelining()

    async def _answer(self, command: object) -> None:
        """One command: order, limits, handler, reply, counts."""
        state, kind = self._state, type(command)
        engine, policy = state.engine, state.policy
        refuses_line_end = engine.bare_newline_seen and state.bare_newline is BareNewline.REJECT
        if refuses_line_end and kind not in (EndOfContent, AuthResponse):
            self._refuse_line_end()
        if kind is commands.Ignored:
            await self._do_nothing()
            return
        reply: Reply
        state.is_excused = state.is_judged = False
        over = state.under_way() if kind is EndOfContent and policy.footer else None
        if self._begins(command, kind) and engine.input_waiting and state.last != "UNKNOWN":
            self._check_pipelining(command)
        if state.objection:
            text = b"4.7.1 %s Error: %s" % (policy.host, state.objection.encode())
            raise Goodbye(Reply(421, (text,)))
        if type(command) is commands.Refused:
            self._end_if_not_smtp(command)
        if state.denied and kind is not commands.Quit:
            denied = b"5.7.0 Error: access denied for " + state.client.label.encode()
            reply = Reply(503, (denied,))
        elif type(command) is commands.Refused:
            reply = self._refused(command)
        elif refuses_line_end and type(command) is EndOfContent:
            reply = self._refuse_content(is_last=command.last)  # before a smuggled message is committed
        else:
            try:
                reply = await _HANDLERS[kind](state, command)
            except LookupFault as fault:
                reply = state.lookup_failed(fault, b"")
        if is_refusal := reply.code >= 400:
            reply = state.softened(reply)
        if state.trouble is not None:
            state.trouble.answered(command, reply)
        is_error = is_refusal and not state.is_excused
        state.counts.count(command, kind, succeeded=not is_error)
        if is_error or (kind in JUNK and state.counts.junk - 1 > policy.server.smtpd_junk_command_limit):
            await self._penalty(reply)
        if reply.code in _LAST_WORDS:
            raise Goodbye(reply)
        if state.trouble is not None and kind in _NEW_BEGINNINGS and not is_refusal:
            await state.trouble.transaction_ended(state.client.label)
        engine.reply(state.with_footer(reply, over) if is_refusal else reply)
        if state.transaction is not None and not engine.in_transaction:
            state.abort_transaction()
        if kind is commands.StartTls and not is_refusal:
            await finish_starttls(state)
        if state.trouble is not None and state.is_judged:
            await state.trouble.transaction_ended(state.client.label)

    def _begins(self, command: object, kind: type) -> bool:
        """Whether a command is looked at: it is then what `lost connection after …` tells.

        What is no command is not, nor is what a client without rights or without TLS says, but for words that
        nobody knows.
        """
        state = self._state
        if (word := _WORDS.get(kind)) is None:
            if type(command) is not commands.Refused or not command.verb:
                return False
            word = command.verb.decode("ascii")
            if command.reply.code == _NEEDS_TLS:
                return False
        if state.denied and word not in ("UNKNOWN", "QUIT"):
            return False
        state.last = word
        return True

    async def _do_nothing(self) -> None:
        """smtpd_noop_commands: any word, even one that mail needs."""
        state = self._state
        state.counts.junk += 1
        if state.counts.junk - 1 > state.policy.server.smtpd_junk_command_limit:
            await self._penalty(OK)
        state.engine.reply(OK)

    def _send_last(self, reply: Reply) -> None:
        state = self._state
        last = state.with_footer(state.softened(reply))
        if state.engine.transcript is not None:
            state.engine.transcript.replied(last.encode())
        state.transport.send(state.engine.data_to_send() + last.encode())
        state.engine.close()

    def _was_ended(self, reason: str) -> None:
        trouble = self._state.trouble
        if trouble is not None and reason:
            trouble.reason = reason
            if reason == "too many errors":
                trouble.add("protocol")

    def _lost(self) -> None:
        state = self._state
        if state.last != "QUIT":
            self._was_ended("lost connection")
            if state.last != "END-OF-MESSAGE":  # who hangs up after its message has done no harm
                self._tell_end("lost connection")

    def _tell_end(self, what: str) -> None:
        """The client is gone: after which command, and how much of a message had come by then."""
        state = self._state
        after = state.last
        is_under_way = state.transaction is not None and state.transaction.begun
        if is_under_way and after in ("DATA", "BDAT"):
            after = f"{after} ({state.octets} bytes)"
            tell_ids_of_lost(state)
            if state.last == "DATA":
                state.counts.take_back("data")
            elif state.engine.receives_content:
                state.counts.add("bdat", succeeded=False)
        state.tell(events.ClientLost(what, after, state.client.label))

    # -- limits ----------------------------------------------------------------------------------------

    async def _penalty(self, reply: Reply) -> None:
        """smtpd_soft_error_limit and smtpd_hard_error_limit."""
        state = self._state
        state.counts.errors += 1
        server = state.policy.server
        if state.counts.errors >= server.smtpd_hard_error_limit:
            state.engine.reply(state.with_footer(reply))
            text = b"4.7.0 %s Error: too many errors" % state.policy.host
            raise Goodbye(Reply(421, (text,)), "too many errors")
        if state.counts.errors > server.smtpd_soft_error_limit:
            await state.flush()
            await asyncio.sleep(server.smtpd_error_sleep_time)

    def _check_pipelining(self, command: object) -> None:
        """smtpd_forbid_unauth_pipelining: input behind a command that has to be the last of its group."""
        state = self._state
        engine = state.engine
        if engine.pipelining_allowed and state.client.protocol == "ESMTP":
            return
        if engine.state.name in ("DATA", "AUTH"):
            return
        try:
            self._object_to_pipelining()
        except Goodbye:
            state.counts.count(command, type(command), succeeded=False)
            raise

    def _object_to_pipelining(self) -> None:
        state = self._state
        if not state.pipelined:
            waiting = state.engine.waiting_input
            state.tell(events.ImproperPipelining(state.last, state.client.label, waiting))
        state.pipelined = True
        if not state.policy.server.smtpd_forbid_unauth_pipelining:
            return
        raise Goodbye(Reply(554, (b"5.5.0 Error: SMTP protocol synchronization",)))

    @property
    def _bare_newline(self) -> Reply:
        code = self._state.policy.server.smtpd_forbid_bare_newline_reject_code
        return Reply(code, (b"%d.5.2 %s Error: bare <LF> received" % (code // 100, self._state.policy.host),))

    def _refuse_line_end(self) -> NoReturn:
        """smtpd_forbid_bare_newline = reject: a command that ends so is the last."""
        self._state.tell_verdict("reject", self._state.last, b"bare <LF> received", None)
        raise Goodbye(self._bare_newline)

    def _refuse_content(self, *, is_last: bool) -> Reply:
        """smtpd_forbid_bare_newline = reject: a message is refused, the session goes on."""
        state = self._state
        state.engine.bare_newline_seen = False
        if is_last:
            state.last = "END-OF-MESSAGE"
        first = state.transaction.first_recipient if state.transaction is not None else None
        stage = "END-OF-MESSAGE" if is_last else "BDAT content"
        state.tell_verdict("reject", stage, b"bare <LF> received", first)
        tell_ids_of_lost(state)
        state.abort_transaction()
        return self._bare_newline

    def _tell_of_chunk(self, command: commands.Refused) -> None:
        """BDAT without a size, with none but nothing, or with more than a message may have."""
        state = self._state
        message = state.queue_id or "NOQUEUE"
        if command.path:
            line = state.engine.line[:100].decode("utf-8", "backslashreplace")
            state.tell(
                events.Warned(f"{message}: malformed BDAT command syntax from {state.client.label}: {line}")
            )
        elif command.reply.code == 551 and command.reply.text[0].endswith(b"Null BDAT request"):
            state.tell(events.Warned(f"{message}: null BDAT request from {state.client.label}"))
        elif command.reply.code == _TOO_BIG:
            label = state.client.label
            state.tell(events.Warned(f"{message}: BDAT request from {label} exceeds message size limit"))

    def _end_if_not_smtp(self, command: commands.Refused) -> None:
        """smtpd_forbidden_commands, also of a client that is not let in."""
        state = self._state
        if command.line and state.policy.is_forbidden(command.line):
            line = command.line.rstrip(b"\r") if state.bare_newline is BareNewline.NO else command.line
            state.tell(events.NotSmtp(state.client.label, line))
            state.counts.count(command, type(command), succeeded=False)
            raise Goodbye(Reply(221, (b"2.7.0 Error: I can break rules, too. Goodbye.",)))

    def _refused(self, command: commands.Refused) -> Reply:
        state = self._state
        if command.verb == b"VRFY" and state.policy.server.disable_vrfy_command:
            return VRFY_DISABLED
        if _is_formed(command) and (too_often := count_use(state, command.verb)) is not None:
            return too_often
        if command.without is not None:
            if (bad := refuse_path(state, command.without, alone=True)) is not None:
                return bad
        if command.verb == b"BDAT":
            self._tell_of_chunk(command)
        elif command.path:
            path = command.path.decode("utf-8", "backslashreplace")
            verb = command.verb.decode("ascii")
            state.tell(
                events.Warned(f"Illegal address syntax from {state.client.label} in {verb} command: {path}")
            )
        elif unknown := unknown_notify(command.value):
            word, value = (text.decode("utf-8", "backslashreplace") for text in (unknown, command.value))
            state.tell(events.Warned(f'unknown DSN NOTIFY command value "{word}" in "{value}"'))
        return command.reply


def _is_formed(command: commands.Refused) -> bool:
    """Whether a command has the form of one that counts for anvil(8): only its words are wrong."""
    text = command.reply.text[0]
    if command.verb not in (b"MAIL", b"RCPT", b"VRFY") or command.reply.code not in (501, 503, 552, 555):
        return False
    return not text.startswith((b"5.5.1 ", b"5.5.4 Syntax: "))
