"""A session with a server, from the greeting until it takes mail: hello and TLS (logging_in.py says who we are).

DESCRIPTION
    `open_session()` connects and does what has to be done before mail can be sent.  A session can be used for
    several messages (session_cache.py).

FAULTS
    SiteFault  this server cannot be used now; the text goes into the log and the notices.  `retry_plain` says that
               TLS failed and clear text would be allowed.

STANDARDS
    RFC 5321 §3.1, §3.2; RFC 3207 (STARTTLS); RFC 2033 (LHLO)
"""

import asyncio
import re
import ssl
from collections.abc import Callable
from typing import Final

import msgspec

from pillarbox.config.parameters.smtp_client import MailExchange, SmtpClient
from pillarbox.config.parameters.smtp_client_sasl import SmtpClientSasl
from pillarbox.config.parameters.smtp_client_tls import SmtpClientTls
from pillarbox.delivery.smtp.conversation import Broken, Conversation
from pillarbox.delivery.smtp.dane import described, match
from pillarbox.delivery.smtp.destination import Destination
from pillarbox.delivery.smtp.mismatch import Mismatch
from pillarbox.delivery.smtp.policy_table import TlsPolicy
from pillarbox.delivery.smtp.requirement import Requirement
from pillarbox.delivery.smtp.source_addresses import Sources
from pillarbox.delivery.smtp.tls_policy import TlsPolicies, wanted_fingerprints
from pillarbox.delivery.smtp.tls_reports import Facts
from pillarbox.delivery.smtp.tls_texts import (
    FINGERPRINT_MISMATCH,
    NAME_MISMATCH,
    UNUSABLE_FINGERPRINTS,
    failure_kind,
    verification_failure,
)
from pillarbox.delivery.smtp.workarounds import Measures
from pillarbox.net.connection import Connection, IdleTimeout
from pillarbox.net.openssl import is_chain_good
from pillarbox.net.peer_chain import peer_chain
from pillarbox.net.tls_faults import TlsFault
from pillarbox.net.tls_figures import tls_figures
from pillarbox.observability import events
from pillarbox.tables.ehlo_keywords import DiscardedKeywords
from pillarbox.tables.word_list import WordList
from pillarbox.vocabulary.faults import ConfigurationFault
from pillarbox.wire.smtp.capabilities import Capabilities, read_capabilities
from pillarbox.wire.smtp.client import Exchange
from pillarbox.wire.smtp.replies import MAX_LINE, ServerReply

DISCARDING_TABLES: Final = {
    "SMTP": "smtp_discard_ehlo_keyword_address_maps",
    "LMTP": "lmtp_discard_lhlo_keyword_address_maps",
}
"""What the parameter is called that takes keywords from a server."""


class SiteFault(Exception):
    """A server that cannot be used now."""

    def __init__(
        self,
        status: str,
        text: str,
        *,
        reply: ServerReply | None = None,
        retry_plain: bool = False,
        is_of_server: bool = False,
        diagnostic: str = "",
    ) -> None:
        """`is_of_server`: what is final for one server is not while there are others."""
        super().__init__(text)
        self.is_of_server = is_of_server
        self.status = status
        self.text = text
        self.reply = reply
        self.retry_plain = retry_plain
        self.diagnostic = diagnostic  # for Diagnostic-Code:, if that is no reply


class SessionRules(msgspec.Struct, frozen=True, kw_only=True):
    """What main.cf says of sessions."""

    exchange: MailExchange
    client: SmtpClient
    sasl: SmtpClientSasl
    tls: SmtpClientTls
    myhostname: str
    window: int = 0  # tcp_windowsize
    sources: Sources = {}
    lmtp: bool = False
    mechanisms: WordList | None = None  # smtp_sasl_mechanism_filter; None: all

    @property
    def protocol(self) -> str:
        """For texts."""
        return "LMTP" if self.lmtp else "SMTP"


class Session:
    """A server that takes mail."""

    def __init__(
        self,
        conversation: Conversation,
        *,
        discarded: Callable[[], DiscardedKeywords],
        rules: SessionRules,
        destination: Destination,
        policy: TlsPolicy,
        tell: events.EventSink,
        requirement: Requirement = Requirement.NONE,
    ) -> None:
        """`discarded` tells what is offered in vain; SiteFault if that cannot be known."""
        self.requirement = requirement
        self.conversation = conversation
        self.target = conversation.target
        self.capabilities = Capabilities()
        self.mechanisms: tuple[
            bytes, ...
        ] = ()  # that the server offers, and smtp_sasl_mechanism_filter lets us use
        self.queue_id = ""  # of the message that it is used for now
        self.rules = rules
        self.uses = 0  # messages before this one
        self.opened = asyncio.get_running_loop().time()
        self.measures = Measures()
        self._says_esmtp = False
        self.is_tls = False
        self.is_logged_in = False
        self.is_trusted = False
        self.tls_outcome = ""  # for reports: good, or a failure of RFC 8460 §4.3; empty: TLS was not tried
        self.first_hello = b""  # the server's answer, before TLS
        self.has_quit = False
        self.is_garbled = False  # the server has said what is no reply
        self.in_transaction = False  # the server was told MAIL, and no end of data: RSET before QUIT
        self._discarded = discarded
        self._destination = destination
        self._policy = policy
        self.tell = tell

    @property
    def is_kept_under_tls(self) -> bool:
        """smtp_tls_connection_reuse, or what the destination's policy says of it."""
        reuse = self._policy.reuse
        return self.rules.tls.smtp_tls_connection_reuse if reuse is None else reuse

    @property
    def facts(self) -> Facts:
        """What a report of TLS says of the session."""
        wire = self.conversation.wire
        return Facts(
            sender_address=wire.local_address[0] if isinstance(wire, Connection) else "",
            server=self.target.host,
            server_address=self.target.address,
            ehlo=self.first_hello.decode("utf-8", "replace"),
        )

    def downgrades(self, encoding: bytes) -> bool:
        """Whether 8-bit bodies of a message, whose BODY was `encoding`, are turned into quoted-printable for it."""
        keeps = self.capabilities.eight_bit or self.rules.exchange.disable_mime_output_conversion
        return not keeps and encoding != b"7bit"

    # -- hello -----------------------------------------------------------------------------------------

    async def greet(self) -> bytes:
        """The greeting, as the server said it; `hello()` is next.  SiteFault, Broken."""
        rules = self.rules
        answered = await self.ask(rules.client.smtp_helo_timeout, "receiving the initial server greeting")
        if answered.kind != 2:
            status = answered.status
            if answered.kind == 5 and rules.client.smtp_skip_5xx_greeting:
                status = "4" + status[1:]
            raise self._refused(answered, status=status)
        _, *words = re.split(rb"[- \t\n]+", b"\n".join(answered.lines), maxsplit=1)
        words = words[0].upper().split() if words else []
        self._says_esmtp = b"ESMTP" in words
        name = rules.myhostname
        if self._may_be_ourselves and words[:1] == [name.upper().encode()]:
            self.tell(events.Warned(f"host {self.target.relay} greeted me with my own hostname {name}"))
        return b"\n".join(answered.lines)

    @property
    def _may_be_ourselves(self) -> bool:
        """Whether a server of our own name is a loop: at another port it may be a filter."""
        return self.target.port == 25 and not self.rules.lmtp

    @property
    def speaks_esmtp(self) -> bool:
        """Whether EHLO is tried first."""
        exchange = self.rules.exchange
        return (
            not exchange.smtp_never_send_ehlo
            and not self.measures.disable_esmtp
            and (exchange.smtp_always_send_ehlo or self._says_esmtp)
        )

    async def hello(self, *, esmtp: bool = True) -> None:
        """The name and what the server offers.  SiteFault, Broken."""
        if self.rules.lmtp:
            reply = await self._hello(Exchange.LHLO)
            if reply.kind != 2:
                raise self._refused(reply)
            self._take_capabilities(reply)
            return
        if esmtp:
            reply = await self._hello(Exchange.EHLO)
            if reply.kind == 2:
                self._take_capabilities(reply)
                return
            if reply.code == 421:
                raise self._refused(reply)
        reply = await self._hello(Exchange.HELO)
        if reply.kind != 2:
            raise self._refused(reply)
        self.capabilities, self.mechanisms = Capabilities(), ()

    async def _hello(self, exchange: Exchange) -> ServerReply:
        name = self.rules.client.smtp_helo_name.encode()
        self.conversation.engine.hello(exchange, name)
        return await self.ask(
            self.rules.client.smtp_helo_timeout, f"performing the {exchange.name} handshake"
        )

    def _take_capabilities(self, reply: ServerReply) -> None:
        discarded = self._discarded()
        self.capabilities = read_capabilities(reply, discarded=discarded.words)
        if note := discarded.note:
            self.tell(events.Noted(note))
        self.first_hello = self.first_hello or b"\r\n".join(reply.lines)
        own = self.rules.myhostname
        if self._may_be_ourselves and self.capabilities.name.lower() == own.lower().encode():
            self.tell(
                events.Warned(f"host {self.target.relay} replied to HELO/EHLO with my own hostname {own}")
            )
            status = "5.4.6" if self.target.is_best else "4.4.6"
            raise SiteFault(status, f"mail for {self._destination.text} loops back to myself")
        for size in self.capabilities.odd_sizes:
            odd = size.decode("utf-8", "replace")
            self.tell(events.Warned(f'bad EHLO SIZE limit "{odd}" from {self.target.relay}'))
        if self.rules.sasl.smtp_sasl_auth_enable:
            self._take_mechanisms()

    def _take_mechanisms(self) -> None:
        """AUTH: what is there for us (RFC 4954 §3); a list that has nothing is told, if none before it has."""
        wanted = self.rules.mechanisms
        found: list[bytes] = []
        for offer in self.capabilities.logins:
            offered = offer.split()
            ours = [word for word in offered if wanted is None or word.decode("ascii", "replace") in wanted]
            if not ours and not found:
                names = offer.decode("ascii", "replace")
                what = f"no supported AUTH mechanisms: '{names}'" if offered else "null AUTH mechanism list"
                self.tell(events.Warned(f"{self.target.relay} offered {what}"))
            found += ours
        self.mechanisms = tuple(dict.fromkeys(word.upper() for word in found))

    def use_8bitmime(self) -> None:
        """RFC 6531 §3.1: SMTPUTF8 comes with 8BITMIME; of a server that offers it alone both are expected."""
        if self.capabilities.smtputf8 and not self.capabilities.eight_bit:
            self.tell(events.Noted(f"host {self.target.label} offers SMTPUTF8 support, but not 8BITMIME"))
            self.capabilities = msgspec.structs.replace(self.capabilities, eight_bit=True)

    # -- TLS -------------------------------------------------------------------------------------------

    async def secure(self, policies: TlsPolicies, *, allowed: bool) -> None:
        """STARTTLS if the policy and the server want it; `allowed` is false after TLS has failed once."""
        policy, tls = self._policy, self.rules.tls
        if policy.level == "none" or not allowed:
            if self.requirement.is_tls:
                raise self._requires_tls("5.7.30", f"TLS is turned off for host {self.target.label}")
            if self.capabilities.starttls and tls.smtp_tls_note_starttls_offer and policy.level == "none":
                self.tell(events.Noted(f"Host offered STARTTLS: [{self.target.host}]"))
            return
        if not self.capabilities.starttls:
            self.tls_outcome = "starttls-not-supported"
            if self.requirement.is_tls:
                raise self._requires_tls("5.7.30", f"TLS service was not offered by host {self.target.label}")
            if policy.is_required:
                raise SiteFault("4.7.4", f"TLS is required, but was not offered by host {self.target.label}")
            return
        if policies.fault and not policy.is_required and not self.requirement.is_tls:
            return
        self._check_availability(policies)
        self.conversation.engine.command(Exchange.STARTTLS, b"STARTTLS")
        reply = await self.ask(tls.smtp_starttls_timeout, "receiving the STARTTLS response")
        if reply.kind != 2:
            self.tls_outcome = "starttls-not-supported"
            text = reply.text.decode("utf-8", "replace")
            if self.requirement.is_tls:
                raise self._requires_tls("5.7.10", f"host {self.target.label} refused to start TLS: {text}")
            if policy.is_required:
                raise SiteFault(
                    reply.status if reply.kind in (4, 5) else "4.7.5",
                    f"TLS is required, but host {self.target.label} refused to start TLS: {text}",
                    reply=reply,
                )
            return
        await self.handshake(policies)
        await self.hello()

    @staticmethod
    def _check_availability(policies: TlsPolicies) -> None:
        if policies.fault:
            raise SiteFault("4.7.5", "TLS is required, but our TLS engine is unavailable")

    def check_requirement(self) -> None:
        """REQUIRETLS (RFC 8689 §4.2.1), now that the server is known.  SiteFault."""
        if self.requirement is Requirement.ENFORCED and not self.is_trusted:
            raise self._unverified("matching")
        if self.requirement is Requirement.ENFORCED and not self.asks_for_tls:
            raise self._requires_tls(
                "5.7.30",
                "no server was found that supports REQUIRETLS. The last attempted server was "
                + self.target.label,
            )

    @property
    def asks_for_tls(self) -> bool:
        """Whether MAIL is sent with REQUIRETLS."""
        return bool(self.requirement) and self.is_tls and self.capabilities.requiretls

    def _unverified(self, kind: str) -> SiteFault:
        return self._requires_tls(
            "5.7.10",
            f"no {kind} server certificate was found. The last attempted server was {self.target.label}",
        )

    def _requires_tls(self, status: str, but: str) -> SiteFault:
        return SiteFault(
            status, f"REQUIRETLS Failure: sender requested REQUIRETLS, but {but}", is_of_server=True
        )

    def _fingerprint_mismatch(self, policies: TlsPolicies) -> str:
        """What is wrong with a certificate that fits no fingerprint; those that none could fit are told."""
        relay, unusable = self.target.relay, policies.unusable_fingerprints(self._policy)
        for digest in reversed(unusable):
            for record in ("3 1 255", "3 0 255"):  # of the key, of the certificate; 255 is for private use
                self.tell(events.Warned(f"{relay}: unusable TLSA RR: {record} {digest.upper()}"))
        if len(unusable) < len(wanted_fingerprints(self._policy)):
            return FINGERPRINT_MISMATCH
        self.tell(events.Warned(f"{relay}: all fingerprints unusable"))
        return UNUSABLE_FINGERPRINTS

    async def handshake(self, policies: TlsPolicies) -> None:
        """TLS on the connection, and a certificate that will do.  SiteFault."""
        wire, policy = self.conversation.wire, self._policy
        self._check_availability(policies)
        if not isinstance(wire, Connection):
            raise SiteFault("4.7.5", "Cannot start TLS: handshake failure")
        self.conversation.engine.started_tls()
        wire.idle_limit = self.rules.tls.smtp_starttls_timeout
        mismatch = self._fingerprint_mismatch(policies) if policy.level == "fingerprint" else NAME_MISMATCH
        name = policies.server_name(policy, self._destination, self.target.host)
        try:
            await wire.start_tls(policies.context(policy), server_side=False, server_hostname=name)
        except (TlsFault, IdleTimeout, OSError) as error:
            self.tls_outcome = failure_kind(error.__cause__)
            raise self._tls_fault(error) from error
        except ConfigurationFault as fault:
            self.tell(events.Warned(str(fault)))
            raise SiteFault("4.7.5", "client TLS configuration problem") from fault
        self.is_tls = True
        certificate = wire.tls.getpeercert(binary_form=True) if wire.tls is not None else None
        is_strange = False  # nobody we trust has signed it
        what = mismatch
        if policy.tlsa:
            what = self._dane_mismatch(wire)
            objection = "Server certificate not verified" if what else ""
        else:
            objection = policies.objection(
                policy, certificate, destination=self._destination, host=self.target.host
            )
            anchors = policies.anchors(policy)
            if anchors is not None and anchors.keys and wire.tls is not None:
                if strange := anchors.mismatch(peer_chain(wire.tls)):
                    what, objection = strange, "Server certificate not verified"
                    is_strange = True
        self.is_trusted = not objection and (
            policy.wants_trust or policy.level in ("fingerprint", "dane", "dane-only")
        )
        self.tls_outcome = "good"
        if objection:
            self.tls_outcome = "certificate-not-trusted" if is_strange else "certificate-host-mismatch"
            if not policy.wants_trust:
                self.tls_outcome = "validation-failure"
        if objection:
            self.tell(events.Noted(f"server certificate verification failed for {self.target.relay}: {what}"))
        self._tell_tls(wire, certificate, matched=not objection, is_strange=is_strange)
        if objection:
            if self.requirement is Requirement.ENFORCED:
                raise self._unverified("matching")
            raise SiteFault("4.7.5", objection)

    def _dane_mismatch(self, wire: Connection) -> str:
        """Why the server's certificates are not those that TLSA records tell of; empty if they are."""
        policy = self._policy
        try:
            found = match(peer_chain(wire.tls) if wire.tls is not None else (), policy.tlsa, policy.match)
        except Mismatch as mismatch:
            return str(mismatch)
        if self.rules.tls.smtp_tls_loglevel > 1:
            kind = "TA certificate" if found.depth else "EE certificate"
            record = described(found.record)
            self.tell(
                events.Noted(f"{self.target.relay}: Matched DANE {kind} at depth {found.depth}: {record}")
            )
        return ""

    def _tls_fault(self, error: Exception) -> SiteFault:
        self.conversation.is_over = True
        cause = error.__cause__
        if isinstance(cause, ssl.SSLCertVerificationError):
            self.tell(events.Noted(verification_failure(self.target.relay, cause)))
            if self.requirement is Requirement.ENFORCED:
                return self._unverified("trusted")
            return SiteFault("4.7.5", "Server certificate not verified")
        library = error.openssl if isinstance(error, TlsFault) else ""
        reason = "Connection timed out" if isinstance(error, IdleTimeout) else str(error)
        self.tell(events.Noted(f"SSL_connect error to {self.target.relay}: {'-1' if library else reason}"))
        if library:
            self.tell(events.Warned(f"TLS library problem: {library}:"))
        return SiteFault(
            "4.7.5",
            "Cannot start TLS: handshake failure",
            retry_plain=not self._policy.is_required and not self.requirement.is_tls,
        )

    def _tell_tls(
        self, wire: Connection, certificate: bytes | None, *, matched: bool, is_strange: bool
    ) -> None:
        if self.rules.tls.smtp_tls_loglevel < 1 or wire.tls is None:
            return
        policy = self._policy
        if not certificate:
            trust = "Anonymous"
        elif policy.wants_trust and not is_strange:
            trust = "Verified" if matched else "Untrusted"
        elif policy.level in ("fingerprint", "dane", "dane-only"):
            trust = "Verified" if matched else "Untrusted"
        elif policy.level == "half-dane":
            trust = "Trusted" if matched else "Untrusted"
        else:
            trust = "Trusted" if is_chain_good(wire.tls) else "Untrusted"
        cipher, _, bits = wire.tls.cipher() or ("?", "", 0)
        self.tell(
            events.Noted(
                f"{trust} TLS connection established to {self.target.relay}: {wire.tls.version()} with cipher "
                f"{cipher} ({bits}/{bits} bits){tls_figures(wire.tls).text}"
            )
        )

    # -- the end ---------------------------------------------------------------------------------------

    def quit_with_next(self) -> None:
        """Say goodbye with what is said next, to a server that may be told ahead and need not answer (RFC 2920)."""
        if self.capabilities.pipelining and self.rules.client.smtp_skip_quit_response:
            self.conversation.engine.quit()
            self.has_quit = True

    async def quit(self) -> None:
        """Say goodbye, unless that was said or the server is gone."""
        if not self.conversation.is_over and not self.has_quit:
            if self.in_transaction and not self.conversation.is_closing:
                self.conversation.engine.command(Exchange.RSET, b"RSET")
            self.conversation.engine.command(Exchange.QUIT, b"QUIT")
            self.conversation.flush()
            if not self.rules.client.smtp_skip_quit_response:
                try:
                    await self.ask(self.rules.client.smtp_quit_timeout, "sending the QUIT command")
                except Broken:
                    self.conversation.abort()
                    return
        self.conversation.close()

    async def ask(self, limit: float, doing: str) -> ServerReply:
        """Send what the engine has; the next reply.  Broken."""
        try:
            return (await self.conversation.ask(limit=limit, doing=doing)).reply
        finally:
            self._tell_of_oddities()

    def _tell_of_oddities(self) -> None:
        """What came that is no reply, or too much of one, also from a server that is gone now."""
        engine = self.conversation.engine
        if engine.garbage:
            self.is_garbled = self.conversation.is_odd = True
        if self.capabilities.pipelining:
            for line in engine.garbage:
                self._tell_of_garbage(line.decode("utf-8", "replace"))
        engine.garbage.clear()
        for line in engine.too_long:
            text = line.decode("utf-8", "replace")
            self.tell(events.Warned(f"{self.target.relay}: response longer than {MAX_LINE}: {text}..."))
        engine.too_long.clear()

    def _tell_of_garbage(self, text: str) -> None:
        """What is no reply would be taken for one, if several were expected."""
        target, parameter = self.target, DISCARDING_TABLES[self.rules.protocol]
        protocol = "LMTP" if self.rules.lmtp else "ESMTP"
        self.tell(events.Warned(f"{self.queue_id}: non-{protocol} response from {target.relay}: {text}"))
        self.tell(
            events.Warned(
                f"to prevent loss of mail, turn off command pipelining for {target.address} with the {parameter} "
                "parameter"
            )
        )

    def _refused(self, reply: ServerReply, *, status: str = "") -> SiteFault:
        self.conversation.note(reply)
        text = reply.text.decode("utf-8", "replace")
        return SiteFault(
            status or reply.status, f"host {self.target.label} refused to talk to me: {text}", reply=reply
        )
