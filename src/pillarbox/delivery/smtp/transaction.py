"""One message over a session: MAIL, RCPT, DATA, the content, and what the server says of each recipient.

DESCRIPTION
    `Transaction.run()` sends the envelope, in one packet where the server offers PIPELINING, and the content if the
    server took a recipient.  A session that was kept is tested with RSET, in the same packet (RFC 2920 §3.1); QUIT
    goes with the final dot of the last message, as Postfix sends it.  `heard` is told of each recipient's `Verdict`
    as soon as there is one.  A conversation that breaks gives the verdict `Broken` to everybody who has none.

    The queue file's content is sent as it is, dots doubled; see mime_downgrade.py for servers without 8BITMIME.

STANDARDS
    RFC 5321 §3.3; RFC 2920 §3.1 (what may be pipelined); RFC 1870 (SIZE); RFC 8689 §2 (REQUIRETLS);
    RFC 3461 §5 (DSN parameters); RFC 6531 §3.4 (SMTPUTF8); RFC 2033 §4.2 (LMTP's replies after the dot)
"""

import asyncio
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final

import msgspec

from pillarbox.delivery.smtp.conversation import Broken
from pillarbox.delivery.smtp.request import SEND_SMTPUTF8, DeliverBySmtp, SmtpRecipient
from pillarbox.delivery.smtp.session import Session
from pillarbox.observability import events
from pillarbox.vocabulary.address import Address
from pillarbox.vocabulary.envelope import Notify, Ret
from pillarbox.wire.smtp.client import Exchange, stuff, xtext
from pillarbox.wire.smtp.replies import ServerReply

_NOTIFY = (
    (b"NEVER", int(Notify.NEVER)),
    (b"SUCCESS", int(Notify.SUCCESS)),
    (b"FAILURE", int(Notify.FAILURE)),
    (b"DELAY", int(Notify.DELAY)),
)


class Stale(Exception):
    """The server does not want to go on with a session that was kept.  It has got nothing of the message."""


class Verdict(msgspec.Struct, frozen=True):
    """What a server, or the way to it, says of a recipient."""

    status: str  # 2.x.x, 4.x.x or 5.x.x
    text: str
    reply: ServerReply | None = None
    handled_dsn: bool = False  # the server takes care of success notices
    diagnostic: str = ""  # for Diagnostic-Code:, if that is no reply

    @property
    def is_sent(self) -> bool:
        """Taken by the server."""
        return self.status[0] == "2"

    relay: str = ""  # who has the word, where no server was asked

    @property
    def is_soft(self) -> bool:
        """Another server, or another time, may take it."""
        return self.status[0] == "4"


class Transaction:
    """One message for some recipients."""

    def __init__(
        self,
        session: Session,
        job: DeliverBySmtp,
        recipients: Sequence[SmtpRecipient],
        *,
        heard: Callable[[int, Verdict], None],
        rewrite: Callable[[Address], Address] | None = None,
        is_last: bool = False,
    ) -> None:
        """`heard` gets a recipient's place among `recipients`, and its verdict.

        `rewrite` gives the address by which the server is told of one of ours (smtp_generic_maps).

        `is_last`: no other message follows over the session.
        """
        self._is_last = is_last
        self._is_unproven = session.uses > 0
        session.queue_id = job.queue_id
        self._rewrite = rewrite
        self._session = session
        self._job = job
        self._recipients = recipients
        self._heard = heard
        self._verdicts: list[Verdict | None] = [None] * len(recipients)
        self.broken: Broken | None = None

    async def run(self, content: Iterable[bytes]) -> None:
        """Deliver; `content` are whole lines with CRLF.  The session can be used again if it is not over.

        Stale if the session was kept, and is of no use now.
        """
        try:
            if (objection := self._objection()) is not None:
                self._all(objection)
                return
            await self._envelope(content)
        except Broken as fault:
            self.broken = fault
        self._all(Verdict(self.broken.status, self.broken.text) if self.broken else _LEFT_OVER)

    def _objection(self) -> Verdict | None:
        """What the server's offer says against the message."""
        session, job = self._session, self._job
        label = session.target.label
        if job.needs_smtputf8 and not session.capabilities.smtputf8:
            return Verdict("5.6.7", f"SMTPUTF8 is required, but was not offered by host {label}")
        size = session.capabilities.size
        if size and job.size > size:
            return Verdict("5.3.4", f"message size {job.size} exceeds size limit {size} of server {label}")
        return None

    # -- envelope --------------------------------------------------------------------------------------

    async def _envelope(self, content: Iterable[bytes]) -> None:
        session, client = self._session, self._session.rules.client
        engine = session.conversation.engine
        pipelining = session.capabilities.pipelining
        if self._is_unproven:
            engine.command(Exchange.RSET, b"RSET")
            if not pipelining:
                await self._prove()
        told = self._tell_of_client()
        try:
            engine.mail(self._shown(self._job.sender), self._mail_parameters())
        except ValueError:
            self._all(Verdict("5.1.7", "bad sender address syntax"))
            return
        if told and self._is_unproven:
            await self._prove()
        for exchange in told:
            reply = await self._ask(client.smtp_xforward_timeout, _TELLING[exchange])
            self._note_xforward(exchange, reply)
        if not pipelining:
            reply = await self._ask(client.smtp_mail_timeout, "sending MAIL FROM")
            session.in_transaction = True
            if reply.kind != 2:
                self._all(self._refused(reply, Exchange.MAIL))
                return
        asked: list[int] = []
        for at, recipient in enumerate(self._recipients):
            try:
                engine.rcpt(self._shown(recipient.address), self._rcpt_parameters(recipient))
            except ValueError:
                self._settle(at, Verdict("5.1.3", "bad recipient address syntax"))
                continue
            asked.append(at)
            if not pipelining:
                self._take_rcpt(at, await self._ask(client.smtp_rcpt_timeout, "sending RCPT TO"))
        # Else RCPT's reply is the last word, and RSET ends it (Session.quit).
        sends = not self._job.trace_only or self._probes_data
        if pipelining:
            if sends:
                engine.command(Exchange.DATA, b"DATA")
            if self._is_unproven:
                await self._prove()
            reply = await self._ask(client.smtp_mail_timeout, "sending MAIL FROM")
            session.in_transaction = True
            if reply.kind != 2:
                self._all(self._refused(reply, Exchange.MAIL))
            for at in asked:
                self._take_rcpt(at, await self._ask(client.smtp_rcpt_timeout, "sending RCPT TO"))
        elif sends and any(verdict is None for verdict in self._verdicts):
            engine.command(Exchange.DATA, b"DATA")
        else:
            return
        if sends:
            await self._data(content)

    async def _prove(self) -> None:
        """RSET's reply, the first over a session that was kept.  Stale."""
        self._is_unproven = False
        session = self._session
        try:
            reply = await self._ask(session.rules.client.smtp_rset_timeout, "sending RSET probe")
        except Broken as fault:
            raise Stale from fault
        if reply.kind != 2:
            if session.capabilities.pipelining:  # DATA was said, and may be answered with 354
                session.conversation.abort()
            raise Stale

    def _tell_of_client(self) -> list[Exchange]:
        """smtp_send_xforward_command: who has sent the message to us, as far as the server wants to know."""
        session, job = self._session, self._job
        offered = session.capabilities.xforward
        if not offered or not session.rules.client.smtp_send_xforward_command:
            return []
        sent: list[Exchange] = []
        for exchange, words in _XFORWARD:
            known = [
                b"%s=%s" % (word, xtext(value))
                for word, attribute in words
                if word in offered and (value := _forwarded(job, attribute))
            ]
            if known:
                session.conversation.engine.command(exchange, b" ".join((b"XFORWARD", *known)))
                sent.append(exchange)
        return sent

    def _note_xforward(self, exchange: Exchange, reply: ServerReply) -> None:
        """A server that does not want it after all gets the message all the same."""
        if reply.kind != 2:
            text = reply.text.decode("utf-8", "replace")
            said = f"host {self._session.target.relay} said: {text} (in reply to {exchange.value})"
            self._session.tell(events.Warned(said))

    def _shown(self, address: bytes) -> bytes:
        """An address of the envelope as the server sees it.  LookupFault."""
        is_quoted = self._session.rules.client.smtp_quote_rfc821_envelope
        if not address or (self._rewrite is None and is_quoted):
            return address
        try:
            parsed = Address.parse(address)
        except ValueError:
            return address
        if self._rewrite is not None:
            parsed = self._rewrite(parsed)
        return parsed.external if is_quoted else parsed.internal

    @property
    def _probes_data(self) -> bool:
        """smtp_address_verify_target = data, and no message is to be sent."""
        return self._job.trace_only and self._session.rules.client.smtp_address_verify_target == "data"

    def _take_rcpt(self, at: int, reply: ServerReply) -> None:
        if self._verdicts[at] is not None:
            return
        if reply.kind != 2:
            self._settle(at, self._refused(reply, Exchange.RCPT))
        elif self._job.trace_only and not self._probes_data:
            self._settle(at, Verdict(reply.status, reply.text.decode("utf-8", "replace"), reply))

    async def _data(self, content: Iterable[bytes]) -> None:
        session, client = self._session, self._session.rules.client
        reply = await self._ask(client.smtp_data_init_timeout, "sending DATA command")
        accepted = [at for at, verdict in enumerate(self._verdicts) if verdict is None]
        if reply.kind != 3:
            self._all(self._refused(reply, Exchange.DATA))
            return
        if self._probes_data:
            # The server waits for a message that there is not: nothing but a lost connection ends that.
            self._all(Verdict("2.0.0", reply.text.decode("utf-8", "replace"), reply))
            session.conversation.abort()
            return
        if not accepted:
            # RFC 2920 §3.1: the server took DATA though it took no recipient; an empty message ends it.
            lmtp = session.rules.lmtp
            session.conversation.engine.end_of_data(0 if lmtp else 1)
            session.in_transaction = False
            if lmtp:  # a reply for each recipient, and there is none (RFC 2033 §4.2)
                return
            if self._is_last:
                session.quit_with_next()
            await self._ask(client.smtp_data_done_timeout, "sending end of data")
            return
        limit = client.smtp_line_length_limit

        def broken() -> None:
            text = f"{self._job.queue_id}: breaking line > {limit} bytes with <CR><LF>SPACE"
            session.tell(events.Noted(text))

        chunks: Iterator[bytes] = stuff(content, line_limit=limit, broken=broken)
        await session.conversation.send_content(chunks, limit=client.smtp_data_xfer_timeout)
        if session.measures.delay_dotcrlf:
            await asyncio.sleep(client.smtp_pix_workaround_delay_time)
        lmtp = session.rules.lmtp
        session.in_transaction = False
        session.conversation.engine.end_of_data(len(accepted) if lmtp else 1)
        if self._is_last:
            session.quit_with_next()
        doing = "sending end of data -- message may be sent more than once"
        if lmtp:
            await self._take_ends(accepted, doing)
            return
        reply = await self._ask_end(doing)
        if reply.kind != 2:
            self._all(self._refused(reply, Exchange.END_OF_DATA))
            return
        for at in accepted:
            self._take_end(at, reply)

    async def _take_ends(self, accepted: Sequence[int], doing: str) -> None:
        """LMTP's replies, one for each recipient; with garbage among them they count when all have come."""
        held: list[tuple[int, ServerReply]] = []
        for at in accepted:
            held.append((at, await self._ask_end(doing)))
            if not self._session.is_garbled:
                self._take_end(*held.pop())
        for at, reply in held:
            self._take_end(at, reply)

    async def _ask_end(self, doing: str) -> ServerReply:
        """A reply to the end of data.  Broken, also if it is QUIT's, and garbage stood for the reply."""
        session = self._session
        reply = await self._ask(session.rules.client.smtp_data_done_timeout, doing)
        if session.is_garbled and reply.code == _GOODBYE:
            session.conversation.abort()
            raise Broken("4.4.2", f"lost connection with {session.target.label} while {doing}")
        return reply

    def _take_end(self, at: int, reply: ServerReply) -> None:
        if reply.kind == 2:
            text = reply.text.decode("utf-8", "replace")
            dsn = self._session.capabilities.dsn
            self._settle(at, Verdict(reply.status, text, reply, handled_dsn=dsn))
        else:
            self._settle(at, self._refused(reply, Exchange.END_OF_DATA))

    # -- parameters ------------------------------------------------------------------------------------

    def _mail_parameters(self) -> list[bytes]:
        offered, job = self._session.capabilities, self._job
        parameters: list[bytes] = []
        if offered.has_size and not self._session.downgrades(job.encoding):
            parameters.append(b"SIZE=%d" % job.size)
        if offered.eight_bit and job.encoding in (b"8bit", b"7bit"):
            parameters.append(b"BODY=8BITMIME" if job.encoding == b"8bit" else b"BODY=7BIT")
        if self._session.is_logged_in and self._session.rules.sasl.smtp_send_dummy_mail_auth:
            parameters.append(b"AUTH=<>")
        if offered.dsn:
            if envelope_id := job.attributes.get(b"envelope_id"):
                parameters.append(b"ENVID=" + xtext(envelope_id))
            ret = job.attributes.get(b"ret_flags")
            if ret in (b"%d" % Ret.FULL, b"%d" % Ret.HEADERS):
                parameters.append(b"RET=FULL" if ret == b"%d" % Ret.FULL else b"RET=HDRS")
        if offered.smtputf8 and job.send_options & SEND_SMTPUTF8:
            parameters.append(b"SMTPUTF8")
        if self._session.asks_for_tls:
            parameters.append(b"REQUIRETLS")
        return parameters

    def _rcpt_parameters(self, recipient: SmtpRecipient) -> list[bytes]:
        if not self._session.capabilities.dsn:
            return []
        parameters: list[bytes] = []
        kind, semicolon, address = recipient.dsn_original.partition(b";")
        if not recipient.dsn_original:  # a copy that nobody asked for
            is_utf8 = self._job.needs_smtputf8 and not recipient.original.isascii()
            kind, semicolon, address = b"utf-8" if is_utf8 else b"rfc822", b";", recipient.original
        if semicolon and kind and address and (address.isascii() or self._job.needs_smtputf8):
            parameters.append(b"ORCPT=%s;%s" % (kind, xtext(address)))
        words = [name for name, flag in _NOTIFY if recipient.notify & flag] if recipient.notify else []
        if words:
            parameters.append(b"NOTIFY=" + b",".join(words))
        return parameters

    # -- verdicts --------------------------------------------------------------------------------------

    def _all(self, verdict: Verdict) -> None:
        """For all who have none yet."""
        for at, known in enumerate(self._verdicts):
            if known is None:
                self._settle(at, verdict)

    def _settle(self, at: int, verdict: Verdict) -> None:
        self._verdicts[at] = verdict
        self._heard(at, verdict)

    def _refused(self, reply: ServerReply, exchange: Exchange) -> Verdict:
        self._session.conversation.note(reply)
        text = reply.text.decode("utf-8", "replace")
        said = f"host {self._session.target.label} said: {text} (in reply to {exchange.value})"
        if reply.kind == 2:  # it makes no sense here
            return Verdict("5.5.0", f"Protocol error: {said}", reply)
        return Verdict(reply.status, said, reply)

    async def _ask(self, limit: float, doing: str) -> ServerReply:
        return await self._session.ask(limit, doing)


_XFORWARD = (
    (
        Exchange.XFORWARD_CLIENT,
        ((b"NAME", b"log_client_name"), (b"ADDR", b"log_client_address"), (b"PORT", b"log_client_port")),
    ),
    (
        Exchange.XFORWARD_SESSION,
        (
            (b"PROTO", b"log_protocol_name"),
            (b"HELO", b"log_helo_name"),
            (b"IDENT", b"log_ident"),
            (b"SOURCE", b"rewrite_context"),
        ),
    ),
)
"""Attributes of the queue file in the order of XFORWARD_README, and what they are called on the wire."""
_TELLING = {
    Exchange.XFORWARD_CLIENT: "sending XFORWARD name/address",
    Exchange.XFORWARD_SESSION: "sending XFORWARD protocol/helo_name",
}


def _forwarded(job: DeliverBySmtp, attribute: bytes) -> bytes:
    """The value for a server; empty if it is not known."""
    value = job.attributes.get(attribute, b"")
    if attribute == b"rewrite_context":
        return value.upper()
    return b"" if value == b"unknown" else value


_GOODBYE: Final = 221
_LEFT_OVER = Verdict("4.3.0", "unexpected end of the conversation")
