"""TLSRPT: each TLS session with a domain that wants reports, told to the host's reporter.

DESCRIPTION
    A domain publishes at _smtp._tls.DOMAIN how it wants to hear of TLS sessions with its servers (RFC 8460 §3).
    Each new session with one of them is told, good or bad, to the program at smtp_tlsrpt_socket_name, such as
    tlsrpt-collectd of sys4's tlsrpt-reporter, which gathers them and sends the reports.  A session is one datagram
    of JSON, in the form of sys4's library: the policy that counted, and what failed.

    A policy is that of the DNS (TLSA records), one that a policy table tells of (policy_type=sts …), or there is
    none.

FAULTS
    A reporter that is not there, or does not keep up, loses datagrams: that is told once a minute, and no mail
    waits.

STANDARDS
    RFC 8460; TLSRPT_README of Postfix 3.10; libtlsrpt of sys4 (the datagrams)
"""

import json
import re
import socket
from collections.abc import Callable, Sequence
from typing import Final

import msgspec

from pillarbox.delivery.smtp.policy_table import TlsPolicy
from pillarbox.net.dns.records import DnsFault, RecordType, Resolver
from pillarbox.observability.events import EventSink, Warned

_VERSION: Final = "v=TLSRPTv1"
_RECORD: Final = re.compile(r"v=TLSRPTv1[ \t]*;.*", re.DOTALL)
_POLICY_TYPES: Final = {"tlsa": 1, "sts": 2, "no-policy-found": 9}
_FAILURES: Final = {
    "starttls-not-supported": 201,
    "certificate-host-mismatch": 202,
    "certificate-not-trusted": 203,
    "certificate-expired": 204,
    "validation-failure": 205,
    "sts-policy-fetch-error": 301,
    "sts-policy-invalid": 302,
    "sts-webpki-invalid": 303,
    "tlsa-invalid": 304,
    "dnssec-invalid": 305,
    "dane-required": 306,
}
_LONGEST: Final = 4096  # octets of a server's EHLO reply that are told
_QUIET_SECONDS: Final = 60.0


class Wish(msgspec.Struct, frozen=True):
    """A domain that wants reports."""

    domain: str
    record: str


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """What a report says of a session."""

    sender_address: str  # ours
    server: str  # its name
    server_address: str
    ehlo: str = ""  # what the server said before STARTTLS


class Reporter:
    """Tells the reporter of the host."""

    def __init__(self, path: str, resolver: Resolver, *, monotonic: Callable[[], float]) -> None:
        """`path` of the reporter's socket; `tell` is to be set when there is a log."""
        self._path = path
        self._resolver = resolver
        self.tell: EventSink = lambda _: None
        self._monotonic = monotonic
        self._quiet_until = 0.0

    async def wish(self, domain: str) -> Wish | None:
        """What a domain wants; None: nothing that we could find out."""
        name = f"_smtp._tls.{domain}"
        try:
            answer = await self._resolver.resolve(name, RecordType.TXT)
        except DnsFault as fault:
            self.tell(Warned(f"TLSRPT support: policy lookup failed for {domain}: {fault.public}"))
            return None
        texts = [record.decode("utf-8", "replace") for record in answer.records if isinstance(record, bytes)]
        versioned = [text for text in texts if text.startswith(_VERSION)]
        good = [text for text in versioned if _RECORD.fullmatch(text)]
        for text in set(versioned) - set(good):
            self.tell(Warned(f'TLSRPT support: ignoring malformed policy for {domain}: "{text[:200]}"'))
        if len(good) > 1:  # RFC 8460 §3: then there is none
            self.tell(Warned(f"TLSRPT support: Too many policies for {domain}"))
            return None
        return Wish(domain, good[0]) if good else None

    def report(self, wish: Wish, policy: TlsPolicy, session: Facts, outcome: str) -> None:
        """A session whose TLS was `good`, or failed with a result type of RFC 8460 §4.3."""
        if policy.external is not None and policy.external.failure:
            outcome = policy.external.failure
        if outcome == "good":
            self._send(wish, policy, ())
            return
        told = {
            "c": _FAILURES[outcome],
            "s": session.sender_address,
            "n": session.server,
            "h": session.ehlo[:_LONGEST],
            "r": session.server_address,
        }
        self._send(wish, policy, ({name: value for name, value in told.items() if value != ""},))

    def _send(self, wish: Wish, policy: TlsPolicy, failures: Sequence[dict[str, object]]) -> None:
        told: dict[str, object] = dict(described(policy))
        if failures:
            told["failure-details"] = list(failures)
        told |= {"t": len(failures), "f": int(bool(failures))}
        text = json.dumps({"d": wish.domain, "pr": wish.record, "policies": [told]}, ensure_ascii=False)
        self._send_datagram(text.encode("utf-8", "replace"))

    def _send_datagram(self, datagram: bytes) -> None:
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as sock:
                sock.sendto(datagram, self._path)
        except OSError as error:
            if self._monotonic() >= self._quiet_until:
                self._quiet_until = self._monotonic() + _QUIET_SECONDS
                reason = error.strerror or str(error)
                self.tell(Warned(f"Could not report TLS handshake result to {self._path}: {reason}"))


def described(policy: TlsPolicy) -> dict[str, object]:
    """The policy that counts, as a report has it."""
    external = policy.external
    if policy.tlsa:
        strings = [
            f"{record.usage} {record.selector} {record.matching} {record.data.hex().upper()}"
            for record in policy.tlsa
        ]
        return {
            "policy-type": _POLICY_TYPES["tlsa"],
            "policy-domain": policy.servername,
            "policy-string": strings,
        }
    if external is not None and external.kind == "sts":
        told: dict[str, object] = {"policy-type": _POLICY_TYPES["sts"], "policy-domain": external.domain}
        if external.strings:
            told["policy-string"] = list(external.strings)
        if external.patterns:
            told["mx-host"] = list(external.patterns)
        return told
    return {"policy-type": _POLICY_TYPES["no-policy-found"]}
