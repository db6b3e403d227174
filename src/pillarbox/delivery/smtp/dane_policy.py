"""Levels dane and dane-only: what the DNS says of each server, made a policy.

DESCRIPTION
    TLSA records are looked up at _PORT._tcp.HOST for hosts whose address is signed: first by the name behind
    the host's aliases, then by the host's own.  What is found counts if it is signed:

        no records       dane: as may; dane-only: this server is not used
        none is usable   dane: as encrypt; dane-only: this server is not used
        usable records   one has to match the server's certificate (dane.py)
        unknown          this server is not used now: whoever can suppress answers must not have clear text

    MX records that are not signed let somebody else say which servers are asked: then there is nothing for
    dane-only, and smtp_tls_dane_insecure_mx_policy says how much TLSA records count for dane.

    The resolver that /etc/resolv.conf names is believed when it says that it has verified (AD), as Postfix believes
    it: it should be on this host, or be reached by a network that nobody else can write to (RFC 7672 §1.3.4).

FAULTS
    NoPolicy      this server is not used; the status and text are the mail's
    ConfigurationFault  by `configured()`, at start

STANDARDS
    RFC 7672 §2, §3; postconf(5)
"""

from typing import Final

import msgspec

from pillarbox.config.parameters.dane import Dane
from pillarbox.config.parameters.smtp_client import MailExchange, SmtpClient
from pillarbox.config.parameters.smtp_client_tls import SmtpClientTls
from pillarbox.delivery.smtp.dane import END_ENTITY, TRUST_ANCHOR, described, read_digests, usable
from pillarbox.delivery.smtp.destination import Destination
from pillarbox.delivery.smtp.mail_exchangers import Target
from pillarbox.delivery.smtp.policy_table import TlsPolicy
from pillarbox.delivery.smtp.tls_policy import TlsPolicies
from pillarbox.net.dns.records import Answer, DnsFault, RecordType, Resolver, Tlsa
from pillarbox.observability.events import EventSink, Warned

CONFIGURATION_PROBLEM: Final = "client TLS configuration problem"


class NoPolicy(Exception):
    """This server cannot be used under the policy."""

    status = "4.7.5"

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.text = text


class DaneRules(msgspec.Struct, frozen=True, kw_only=True):
    """What main.cf says of it."""

    has_proofs: bool  # the DNS is asked for proofs
    ignores_mx_faults: bool
    insecure_mx: str  # may, encrypt or dane
    force: bool  # look for TLSA records of insecure hosts, too
    digests: tuple[str, ...]


def dane_rules(
    dane: Dane, client: SmtpClient, tls: SmtpClientTls, exchange: MailExchange, *, lmtp: bool
) -> DaneRules:
    """ConfigurationFault for digests that are not known."""
    return DaneRules(
        has_proofs=client.smtp_dns_support_level == "dnssec"
        and "dns" in (client.smtp_host_lookup or ("dns",)),
        ignores_mx_faults=exchange.ignore_mx_lookup_error and not lmtp,
        insecure_mx=dane.smtp_tls_dane_insecure_mx_policy,
        force=tls.smtp_tls_force_insecure_host_tlsa_lookup,
        digests=read_digests(dane.tls_dane_digests),
    )


class _Found(msgspec.Struct, frozen=True):
    """TLSA records, and the host that they are of."""

    host: str
    records: tuple[Tlsa, ...] = ()


class DanePolicies:
    """Answers for one service."""

    def __init__(self, resolver: Resolver, policies: TlsPolicies, rules: DaneRules) -> None:
        """`resolver` asks for proofs if the rules say so."""
        self._resolver = resolver
        self._policies = policies
        self._rules = rules

    async def of(
        self, policy: TlsPolicy, destination: Destination, target: Target, *, tell: EventSink
    ) -> TlsPolicy:
        """The policy for one server.  NoPolicy."""
        if not policy.is_by_dns:
            return policy
        if not target.port:
            tell(
                Warned(
                    f'{destination.text}: the "dane" security level is invalid for delivery via unix-domain sockets'
                )
            )
            raise NoPolicy(CONFIGURATION_PROBLEM)
        if (obstacle := self._obstacle()) is not None:
            tell(Warned(f"{destination.text}: {policy.level} configured {obstacle}"))
            if policy.level == "dane-only":
                raise NoPolicy(CONFIGURATION_PROBLEM)
            return self._policies.at_level(policy, "may")
        is_secure = target.mx is None or target.mx.is_secure
        if not is_secure and (policy.level == "dane-only" or self._rules.insecure_mx == "may"):
            return self._without(policy, "may", "non DNSSEC destination")
        found = await self._look_up(target, tell)
        if found is None or not found.records:
            return self._without(policy, "may", "no TLSA records found")
        records = usable(found.records, self._rules.digests)
        if not records:
            _tell_unusable(found, target, policy, tell)
            return self._without(policy, "encrypt", "TLSA records unusable")
        if not is_secure and self._rules.insecure_mx == "encrypt":
            return self._without(policy, "encrypt", "Verification not possible, MX RRset is insecure")
        names = (found.host, *((target.mx.canonical, target.mx.asked) if target.mx is not None else ()))
        return self._policies.at_level(
            policy,
            policy.level if is_secure else "half-dane",
            tlsa=records,
            names=tuple(dict.fromkeys(filter(None, names))),
            servername=found.host,
        )

    def _obstacle(self) -> str | None:
        if not self._rules.has_proofs:
            return "with dnssec lookups disabled"
        if self._rules.ignores_mx_faults:
            return "with MX lookup errors ignored"
        return None

    def _without(self, policy: TlsPolicy, level: str, why: str) -> TlsPolicy:
        """What is left where DANE cannot be had."""
        if policy.level == "dane-only":
            raise NoPolicy(why)
        return self._policies.at_level(policy, level)

    # -- lookups ---------------------------------------------------------------------------------------

    async def _look_up(self, target: Target, tell: EventSink) -> _Found | None:
        """The host's TLSA records; None if there can be none that counts.  NoPolicy if nobody knows."""
        canonical = target.canonical or target.host
        is_alias = canonical != target.host
        try:
            if not target.is_secure and not self._rules.force:
                if not is_alias or not await self._alias_is_secure(target, tell):
                    return None
            if target.is_secure:
                found = await self._records(canonical, target.port, tell)
                if found.records or not is_alias:
                    return found
            return await self._records(target.host, target.port, tell)
        except DnsFault as fault:
            tell(Warned(f"DANE TLSA lookup problem: {fault.public}"))
            raise NoPolicy(f"TLSA lookup error for {target.host}:{target.port}") from fault

    async def _alias_is_secure(self, target: Target, tell: EventSink) -> bool:
        """Whether the host's name is signed, though what it is an alias of is not."""
        answer = await self._resolver.resolve(target.host, RecordType.CNAME)
        if not answer.records:
            tell(Warned(f"DNSSEC status lookup error for {target.host}: no longer a CNAME"))
            raise NoPolicy(f"TLSA lookup error for {target.host}:{target.port}")
        return answer.authentic

    async def _records(self, host: str, port: int, tell: EventSink) -> _Found:
        name = f"_{port}._tcp.{host}"
        answer = await self._resolver.resolve(name, RecordType.TLSA)
        if not answer.authentic:
            return _Found(host)
        return _Found(host, _told_of(name, answer, tell))


def _told_of(name: str, answer: Answer, tell: EventSink) -> tuple[Tlsa, ...]:
    """All TLSA records; what no mail system can use is said."""
    shown = name if answer.name == name else f"{name} -> {answer.name}"
    records = tuple(record for record in answer.records if isinstance(record, Tlsa))
    for record in records:
        if record.usage not in (TRUST_ANCHOR, END_ENTITY):
            tell(Warned(f"{shown} unsupported TLSA certificate usage: {described(record)}"))
    return records


def _tell_unusable(found: _Found, target: Target, policy: TlsPolicy, tell: EventSink) -> None:
    """Records of the right usages that say nothing that could be checked."""
    others = [record for record in found.records if record.usage in (TRUST_ANCHOR, END_ENTITY)]
    for record in others:
        tell(Warned(f"{target.relay}: unusable TLSA RR: {described(record)}"))
    if others:
        fallback = "" if policy.level == "dane-only" else ", fallback to unauthenticated TLS"
        tell(Warned(f"{target.relay}: all TLSA records unusable{fallback}"))
