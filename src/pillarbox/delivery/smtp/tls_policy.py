"""How much TLS a destination has to have: levels, contexts, and whether a certificate will do.

DESCRIPTION
    The level comes from smtp_tls_policy_maps by the nexthop, as it is written or by its domain and parents
    (policy_table.py), or else from smtp_tls_security_level.  From `encrypt` upwards there is no delivery in clear
    text.

        none         never
        may          if the server offers it; any certificate; clear text if the handshake fails
        encrypt      any certificate
        dane         what TLSA records say of each server (dane_policy.py); without any: may
        dane-only    the same; without any there is no delivery
        half-dane    dane for a server that insecure MX records name; no level that is written down
        fingerprint  a certificate, or public key, with a known fingerprint
        verify       a trusted certificate that names the server (smtp_tls_verify_cert_match)
        secure       a trusted certificate that names the destination (smtp_tls_secure_cert_match)

    Without certificates or authorities that main.cf names there is no TLS at all (`load()`), as in Postfix: mail
    goes in clear text where that will do, else it waits.

FAULTS
    ConfigurationFault  at open: a level or version that does not exist
    BadPolicy           a policy table's answer that cannot be read: mail waits

STANDARDS
    RFC 3207 (STARTTLS); RFC 7435 (opportunistic security); RFC 6125 §6.4 (names in certificates)
"""

import hashlib
import hmac
import ssl
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Final

import msgspec

from pillarbox.config.parameters.smtp_client_tls import SmtpClientTls
from pillarbox.config.parameters.tls_library import TlsLibrary
from pillarbox.delivery.smtp.destination import Destination
from pillarbox.delivery.smtp.policy_table import (
    LEVELS,
    BadPolicy,
    TlsPolicy,
    find_policy,
    fits_pattern,
    site_level,
)
from pillarbox.delivery.smtp.trust_anchors import Anchors, read_anchors, trust
from pillarbox.net.dns.records import Tlsa
from pillarbox.net.openssl import limit_depth
from pillarbox.net.tls_contexts import BadChain, load_chain_files
from pillarbox.net.tls_options import apply_options
from pillarbox.net.tls_versions import limit_versions, version_range
from pillarbox.tables.table import LookupTable
from pillarbox.vocabulary.faults import ConfigurationFault

_USUAL_DEPTH: Final = 9


class TlsPolicies:
    """Policies and contexts of one service."""

    def __init__(
        self,
        settings: SmtpClientTls,
        tables: Sequence[LookupTable],
        *,
        grades: Mapping[str, str],
        sites: Sequence[LookupTable] = (),
        library: TlsLibrary | None = None,
        prefix: str = "smtp",
    ) -> None:
        """`grades` are the cipher lists by grade, `sites` smtp_tls_per_site.

        `library`: how OpenSSL behaves; None: as ever.
        """
        self._library = library
        self._settings = settings
        self._tables = tables
        self._sites = () if tables else sites
        self._prefix = prefix
        self._anchors: dict[tuple[str, ...], Anchors] = {}
        self._grades = grades
        self._contexts: dict[tuple[object, ...], ssl.SSLContext] = {}
        self.warnings: dict[str, str] = {}
        """Of files that there is TLS without."""
        self.fault = ""
        """Why there is no TLS at all."""
        self.default = self._complete(TlsPolicy(_default_level(settings)))
        for parameter in ("smtp_tls_protocols", "smtp_tls_mandatory_protocols"):
            version_range(getattr(settings, parameter))

    def load(self) -> None:
        """Read certificates and authorities, while that is allowed; without them there is a `fault`.

        A table may ask for any level, and a key that only root may read cannot be read later: with a certificate of
        ours there is a context for each level from the start, with main.cf's protocols and ciphers.
        """
        policy = self.default
        if policy.level == "none" or policy.is_by_dns:
            policy = self.at_level(policy, "encrypt")
        try:
            self.context(policy)
        except ConfigurationFault as fault:
            self.fault = fault.what
            return
        settings = self._settings
        if settings.smtp_tls_chain_files or settings.smtp_tls_cert_file or settings.smtp_tls_eccert_file:
            for level in ("may", "encrypt", "secure"):
                with suppress(ConfigurationFault):  # whoever needs it meets it again
                    self.context(self._complete(TlsPolicy(level)))

    def policy(self, destination: Destination) -> TlsPolicy:
        """What a destination has to have.  BadPolicy, LookupFault."""
        found = find_policy(self._tables, destination, parameter=f"{self._prefix}_tls_policy_maps")
        policy = self.default if found is None else self._complete(found)
        if policy.level == "fingerprint" and not policy.match:
            raise BadPolicy(
                f"nexthop domain {destination.text}: configured at fingerprint security level, "
                "but with no fingerprints to match."
            )
        return policy

    def at_server(self, policy: TlsPolicy, destination: Destination, host: str) -> TlsPolicy:
        """The policy, now that the server's name is known (smtp_tls_per_site).  BadPolicy, LookupFault."""
        if not self._sites:
            return policy
        parameter = f"{self._prefix}_tls_per_site"
        level = site_level(
            self._sites, destination.text, host, default=self.default.level, parameter=parameter
        )
        return policy if level is None or level == policy.level else self._complete(TlsPolicy(level))

    def excludes(self, policy: TlsPolicy, host: str) -> bool:
        """Whether MTA-STS has another server in mind (smtp_tls_enforce_sts_mx_patterns)."""
        external = policy.external
        return (
            external is not None
            and self._restricts_servers(policy)
            and not fits_pattern(host, external.patterns)
        )

    def _restricts_servers(self, policy: TlsPolicy) -> bool:
        external = policy.external
        return (
            external is not None
            and external.kind == "sts"
            and bool(external.patterns)
            and policy.wants_trust
            and self._settings.smtp_tls_enforce_sts_mx_patterns
        )

    def optional(self) -> TlsPolicy:
        """For a message whose sender needs no TLS: tables are not asked, and nothing is more than a wish."""
        level = "may" if LEVELS.index(self.default.level) > LEVELS.index("may") else self.default.level
        if self._settings.smtp_tls_wrappermode:
            level = "encrypt"  # there is no other way to speak with the server
        return self._complete(TlsPolicy(level))

    def at_level(
        self,
        policy: TlsPolicy,
        level: str,
        *,
        tlsa: tuple[Tlsa, ...] = (),
        names: tuple[str, ...] = (),
        servername: str = "",
    ) -> TlsPolicy:
        """A policy of level dane, now that the DNS has been asked."""
        return self._complete(
            msgspec.structs.replace(
                policy, level=level, tlsa=tlsa, match=names, servername=servername or policy.servername
            )
        )

    def _complete(self, policy: TlsPolicy) -> TlsPolicy:
        """With the defaults of main.cf for what the policy leaves open."""
        if policy.is_by_dns:
            return policy
        settings = self._settings
        by_level: dict[str, tuple[str, ...]] = {
            "verify": _names(settings.smtp_tls_verify_cert_match),
            "secure": _names(settings.smtp_tls_secure_cert_match),
            "fingerprint": settings.smtp_tls_fingerprint_cert_match,
        }
        match = policy.match or by_level.get(policy.level, ())
        if self._restricts_servers(policy):
            match = ("hostname",)  # RFC 8461 §4.1: the names of the policy are those of its servers
        anchors = policy.anchors or settings.smtp_tls_trust_anchor_file
        mandatory = policy.is_required
        exclude = settings.smtp_tls_exclude_ciphers
        if mandatory:
            exclude += settings.smtp_tls_mandatory_exclude_ciphers
        return msgspec.structs.replace(
            policy,
            match=match,
            anchors=anchors if policy.wants_trust else (),
            protocols=policy.protocols
            or (settings.smtp_tls_mandatory_protocols if mandatory else settings.smtp_tls_protocols),
            ciphers=policy.ciphers
            or (settings.smtp_tls_mandatory_ciphers if mandatory else settings.smtp_tls_ciphers),
            exclude=policy.exclude or exclude,
            servername=policy.servername or settings.smtp_tls_servername,
        )

    def context(self, policy: TlsPolicy) -> ssl.SSLContext:
        """A context for the handshake.  ConfigurationFault if certificates or ciphers cannot be loaded."""
        key = (
            policy.wants_trust,
            policy.is_required,
            policy.protocols,
            policy.ciphers,
            policy.exclude,
            policy.anchors,
        )
        context = self._contexts.get(key)
        if context is None:
            context = self._contexts[key] = self._new_context(policy)
        return context

    def _new_context(self, policy: TlsPolicy) -> ssl.SSLContext:
        settings = self._settings
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False  # names are compared by _names_match(), after Postfix's rules
        anchors = self.anchors(policy)
        if policy.wants_trust and not (
            anchors and anchors.keys
        ):  # else Anchors.mismatch() looks at the chain
            context.verify_mode = ssl.CERT_REQUIRED
        else:
            context.verify_mode = ssl.CERT_NONE
        if policy.wants_trust and not limit_depth(context, settings.smtp_tls_scert_verifydepth):
            if settings.smtp_tls_scert_verifydepth != _USUAL_DEPTH:
                raise ConfigurationFault("smtp_tls_scert_verifydepth", "this Python hides its OpenSSL")
        limit_versions(context, policy.protocols)
        if self._library is not None:
            apply_options(context, self._library)
        grade = self._grades.get(policy.ciphers.lower())
        if grade is None:
            name = "smtp_tls_mandatory_ciphers" if policy.is_required else "smtp_tls_ciphers"
            raise ConfigurationFault(name, f'invalid TLS cipher grade: "{policy.ciphers}"')
        ciphers = ":".join([grade, *(f"!{name}" for name in policy.exclude)])
        try:
            # As Postfix: what is too old is said by smtp_tls_…protocols and …ciphers, not by how OpenSSL was built;
            # and opportunistic TLS with old servers is better than clear text (RFC 7435 §3).
            context.set_ciphers(f"{ciphers}:@SECLEVEL=0")
            if anchors is not None:
                trust(context, anchors)
            elif settings.smtp_tls_CAfile or settings.smtp_tls_CApath:
                context.load_verify_locations(
                    settings.smtp_tls_CAfile or None, settings.smtp_tls_CApath or None
                )
            elif policy.wants_trust:
                context.load_default_certs(ssl.Purpose.SERVER_AUTH)
            self._load_chains(context)
            if settings.smtp_tls_cert_file:
                context.load_cert_chain(settings.smtp_tls_cert_file, settings.smtp_tls_key_file or None)
            if settings.smtp_tls_eccert_file:
                context.load_cert_chain(settings.smtp_tls_eccert_file, settings.smtp_tls_eckey_file or None)
        except (OSError, ssl.SSLError, BadChain) as error:
            raise ConfigurationFault("smtp_tls_…", f"client TLS configuration problem: {error}") from error
        return context

    def _load_chains(self, context: ssl.SSLContext) -> None:
        """Ours, if servers ask for them; as in Postfix without one that is not there TLS goes on."""
        try:
            load_chain_files(context, self._settings.smtp_tls_chain_files)
        except FileNotFoundError as error:
            self.warnings[error.filename] = f"error opening chain file: {error.filename}: {error.strerror}"

    def anchors(self, policy: TlsPolicy) -> Anchors | None:
        """The only authorities that count; None: the usual ones.  ConfigurationFault."""
        if not policy.anchors:
            return None
        known = self._anchors.get(policy.anchors)
        if known is None:
            known = self._anchors[policy.anchors] = read_anchors(policy.anchors)
        return known

    def server_name(self, policy: TlsPolicy, destination: Destination, host: str) -> str | None:
        """The name to ask for in the handshake (SNI)."""
        name = policy.servername
        if name == "hostname":
            name = host
        elif name == "nexthop":
            name = destination.host
        elif not name and policy.wants_trust:
            name = host  # many servers choose their certificate by it
        return None if not name or Destination("", name).is_address else name

    def unusable_fingerprints(self, policy: TlsPolicy) -> list[str]:
        """Those of another length than smtp_tls_fingerprint_digest gives: no certificate, and no key, has such."""
        length = hashlib.new(self._settings.smtp_tls_fingerprint_digest, usedforsecurity=False).digest_size
        return [one for one in wanted_fingerprints(policy) if len(one) != 2 * length]

    def objection(
        self, policy: TlsPolicy, certificate: bytes | None, *, destination: Destination, host: str
    ) -> str:
        """Why a certificate (DER) will not do, in Postfix's words; empty if it will."""
        if policy.level == "fingerprint":
            digest = self._settings.smtp_tls_fingerprint_digest
            found = fingerprints(certificate, digest) if certificate else ()
            if any(hmac.compare_digest(a, b) for a in found for b in wanted_fingerprints(policy)):
                return ""
            return "Server certificate not verified"
        if not policy.wants_trust:
            return ""
        names = certificate_names(certificate) if certificate else []
        wanted_names = _wanted_names(policy.match, destination=destination, host=host)
        deep = self._library is None or self._library.tls_wildcard_matches_multiple_labels
        if any(_names_match(name, wanted, deep=deep) for name in names for wanted in wanted_names):
            return ""
        return "Server certificate not verified"


def _names(words: Sequence[str]) -> tuple[str, ...]:
    """Names may have colons between them, as in a policy table."""
    return tuple(name for word in words for name in word.split(":") if name)


def _default_level(settings: SmtpClientTls) -> str:
    level: str = settings.smtp_tls_security_level
    if not level:
        level = "may" if settings.smtp_use_tls else "none"
        if settings.smtp_enforce_tls:
            level = "verify" if settings.smtp_tls_enforce_peername else "encrypt"
    return level


def wanted_fingerprints(policy: TlsPolicy) -> list[str]:
    """Hexadecimal digests, in lower case and without colons, as they are written down."""
    return [one.replace(":", "").lower() for item in policy.match for one in item.split("|")]


def fingerprints(certificate: bytes, digest: str) -> tuple[str, ...]:
    """Hexadecimal digests of the certificate and of its public key."""
    from pillarbox.delivery.smtp.certificates import public_key

    parts = (certificate, public_key(certificate))
    return tuple(hashlib.new(digest, data, usedforsecurity=False).hexdigest() for data in parts)


def certificate_names(certificate: bytes) -> list[str]:
    """DNS names of subjectAltName; the common name only where there are none (RFC 6125 §6.4.4)."""
    from pillarbox.delivery.smtp.certificates import alternative_names, common_names

    return [name.lower() for name in alternative_names(certificate) or common_names(certificate)]


def _wanted_names(match: Sequence[str], *, destination: Destination, host: str) -> list[str]:
    names = {"hostname": host, "nexthop": destination.host, "dot-nexthop": f".{destination.host}"}
    return [names.get(word.lower(), word.lower()) for word in match]


def _names_match(name: str, wanted: str, *, deep: bool) -> bool:
    """Whether a certificate's name is the wanted one; `.example.org` is any name below the domain.

    `deep`: a star stands for more than one label, too.
    """
    if wanted.startswith("."):
        return name.removeprefix("*").endswith(wanted)
    if name.startswith("*."):
        if name.count(".") < 2:  # nobody has a whole top-level domain
            return False
        return wanted.partition(".")[2] == name[2:] or (deep and wanted.endswith(name[1:]))
    return name == wanted
