"""How much TLS a destination has to have: levels, policy tables, contexts, and whether a certificate will do.

DESCRIPTION
    The level comes from smtp_tls_policy_maps by the nexthop, as it is written or by its domain and parents, or else
    from smtp_tls_security_level.  From `encrypt` upwards there is no delivery in clear text.

        none         never
        may          if the server offers it; any certificate; clear text if the handshake fails
        encrypt      any certificate
        dane         what TLSA records say of each server (dane_policy.py); without any: may
        dane-only    the same; without any there is no delivery
        half-dane    dane for a server that insecure MX records name; no level that is written down
        fingerprint  a certificate, or public key, with a known fingerprint
        verify       a trusted certificate that names the server (smtp_tls_verify_cert_match)
        secure       a trusted certificate that names the destination (smtp_tls_secure_cert_match)

FAULTS
    ConfigurationFault  at open: a level or version that does not exist, a file that cannot be loaded
    BadPolicy           a policy table's answer that cannot be read: mail waits

STANDARDS
    RFC 3207 (STARTTLS); RFC 7435 (opportunistic security); RFC 6125 §6.4 (names in certificates)
"""

import hashlib
import hmac
import ssl
from collections.abc import Sequence
from typing import Final

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from pillarbox.config.parameters.smtp_client_tls import SmtpClientTls
from pillarbox.delivery.smtp.destination import Destination
from pillarbox.net.dns.records import Tlsa
from pillarbox.net.openssl import limit_depth
from pillarbox.net.tls_versions import version_range
from pillarbox.tables.table import LookupTable
from pillarbox.vocabulary.faults import ConfigurationFault

LEVELS: Final = (
    "none",
    "may",
    "encrypt",
    "half-dane",
    "dane",
    "dane-only",
    "fingerprint",
    "verify",
    "secure",
)
_BY_DNS: Final = ("dane", "dane-only")
_USUAL_DEPTH: Final = 9
_UNWRITTEN: Final = "half-dane"


class BadPolicy(Exception):
    """A policy that cannot be read."""


class TlsPolicy(msgspec.Struct, frozen=True):
    """What one destination has to have."""

    level: str
    match: tuple[str, ...] = ()  # names, or fingerprints
    protocols: str = ""
    ciphers: str = ""
    exclude: tuple[str, ...] = ()
    servername: str = ""
    tlsa: tuple[Tlsa, ...] = ()  # of which one has to match; `match` are the names for DANE-TA then

    @property
    def is_by_dns(self) -> bool:
        """Whether TLSA records have to be looked up before anything is known."""
        return self.level in _BY_DNS and not self.tlsa

    @property
    def is_required(self) -> bool:
        """Whether there is no delivery without TLS."""
        return LEVELS.index(self.level) >= LEVELS.index("encrypt")

    @property
    def wants_trust(self) -> bool:
        """Whether the certificate has to be that of somebody we know."""
        return self.level in ("verify", "secure")


class TlsPolicies:
    """Policies and contexts of one service."""

    def __init__(
        self, settings: SmtpClientTls, tables: Sequence[LookupTable], *, medium: str, high: str
    ) -> None:
        """`medium` and `high` are tls_medium_cipherlist and tls_high_cipherlist."""
        self._settings = settings
        self._tables = tables
        self._grades = {"medium": medium, "high": high, "low": medium, "export": medium, "null": medium}
        self._contexts: dict[tuple[object, ...], ssl.SSLContext] = {}
        self.default = self._complete(TlsPolicy(_default_level(settings)))
        for parameter in ("smtp_tls_protocols", "smtp_tls_mandatory_protocols"):
            version_range(getattr(settings, parameter))

    def policy(self, destination: Destination) -> TlsPolicy:
        """What a destination has to have.  BadPolicy, LookupFault."""
        for key in _keys(destination):
            for table in self._tables:
                if (answer := table.query(key)) is not None:
                    return self._complete(read_policy(answer))
        return self.default

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
        by_level = {
            "verify": settings.smtp_tls_verify_cert_match,
            "secure": settings.smtp_tls_secure_cert_match,
            "fingerprint": settings.smtp_tls_fingerprint_cert_match,
        }
        mandatory = policy.is_required
        exclude = settings.smtp_tls_exclude_ciphers
        if mandatory:
            exclude += settings.smtp_tls_mandatory_exclude_ciphers
        return msgspec.structs.replace(
            policy,
            match=policy.match or by_level.get(policy.level, ()),
            protocols=policy.protocols
            or (settings.smtp_tls_mandatory_protocols if mandatory else settings.smtp_tls_protocols),
            ciphers=policy.ciphers
            or (settings.smtp_tls_mandatory_ciphers if mandatory else settings.smtp_tls_ciphers),
            exclude=policy.exclude or exclude,
            servername=policy.servername or settings.smtp_tls_servername,
        )

    def context(self, policy: TlsPolicy) -> ssl.SSLContext:
        """A context for the handshake.  ConfigurationFault if certificates or ciphers cannot be loaded."""
        key = (policy.wants_trust, policy.is_required, policy.protocols, policy.ciphers, policy.exclude)
        context = self._contexts.get(key)
        if context is None:
            context = self._contexts[key] = self._new_context(policy)
        return context

    def _new_context(self, policy: TlsPolicy) -> ssl.SSLContext:
        settings = self._settings
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False  # names are compared by _names_match(), after Postfix's rules
        context.verify_mode = ssl.CERT_REQUIRED if policy.wants_trust else ssl.CERT_NONE
        if policy.wants_trust and not limit_depth(context, settings.smtp_tls_scert_verifydepth):
            if settings.smtp_tls_scert_verifydepth != _USUAL_DEPTH:
                raise ConfigurationFault("smtp_tls_scert_verifydepth", "this Python hides its OpenSSL")
        context.minimum_version, context.maximum_version = version_range(policy.protocols)
        ciphers = ":".join([self._grades[policy.ciphers], *(f"!{name}" for name in policy.exclude)])
        try:
            # As Postfix: what is too old is said by smtp_tls_…protocols and …ciphers, not by how OpenSSL was built;
            # and opportunistic TLS with old servers is better than clear text (RFC 7435 §3).
            context.set_ciphers(f"{ciphers}:@SECLEVEL=0")
            if settings.smtp_tls_CAfile or settings.smtp_tls_CApath:
                context.load_verify_locations(
                    settings.smtp_tls_CAfile or None, settings.smtp_tls_CApath or None
                )
            elif policy.wants_trust:
                context.load_default_certs(ssl.Purpose.SERVER_AUTH)
            for chain in settings.smtp_tls_chain_files:
                context.load_cert_chain(chain)
            if settings.smtp_tls_cert_file:
                context.load_cert_chain(settings.smtp_tls_cert_file, settings.smtp_tls_key_file or None)
            if settings.smtp_tls_eccert_file:
                context.load_cert_chain(settings.smtp_tls_eccert_file, settings.smtp_tls_eckey_file or None)
        except (OSError, ssl.SSLError) as error:
            raise ConfigurationFault("smtp_tls_…", f"client TLS configuration problem: {error}") from error
        return context

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

    def objection(
        self, policy: TlsPolicy, certificate: bytes | None, *, destination: Destination, host: str
    ) -> str:
        """Why a certificate (DER) will not do, in Postfix's words; empty if it will."""
        if policy.level == "fingerprint":
            wanted = {one.replace(":", "").lower() for item in policy.match for one in item.split("|")}
            found = (
                fingerprints(certificate, self._settings.smtp_tls_fingerprint_digest) if certificate else ()
            )
            if any(hmac.compare_digest(a, b) for a in found for b in wanted):
                return ""
            return "Server certificate not verified"
        if not policy.wants_trust:
            return ""
        names = certificate_names(certificate) if certificate else []
        wanted_names = _wanted_names(policy.match, destination=destination, host=host)
        if any(_names_match(name, wanted) for name in names for wanted in wanted_names):
            return ""
        return "Server certificate not verified"


def _default_level(settings: SmtpClientTls) -> str:
    level: str = settings.smtp_tls_security_level
    if not level:
        level = "may" if settings.smtp_use_tls else "none"
        if settings.smtp_enforce_tls:
            level = "verify" if settings.smtp_tls_enforce_peername else "encrypt"
    return level


def _keys(destination: Destination) -> list[str]:
    """The nexthop as written; for a bare domain its parents, too, with a dot in front."""
    text = destination.text.lower()
    keys = [text]
    if destination.host and destination.text.lower() == destination.host:
        labels = destination.host.split(".")
        keys += ["." + ".".join(labels[at:]) for at in range(1, len(labels))]
    return keys


def read_policy(text: str) -> TlsPolicy:
    """`level [attribute=value]…`.  BadPolicy."""
    level, *attributes = text.replace(",", " ").split() or [""]
    level = level.lower()
    if level not in LEVELS or level == _UNWRITTEN:
        raise BadPolicy(f'invalid security level "{level}"')
    values: dict[str, str] = {}
    for attribute in attributes:
        name, equals, value = attribute.partition("=")
        if not equals or not value or name not in ("match", "protocols", "ciphers", "exclude", "servername"):
            raise BadPolicy(f'malformed or unknown attribute "{attribute}"')
        if name == "match" and level not in ("fingerprint", "verify", "secure"):
            raise BadPolicy(f'attribute "match" invalid with security level "{level}"')
        values[name] = f"{values[name]}:{value}" if name == "match" and name in values else value
    try:
        if "protocols" in values:
            version_range(values["protocols"])
    except ConfigurationFault as fault:
        raise BadPolicy(str(fault)) from fault
    match = values.get("match", "")
    if values.get("ciphers", "medium") not in ("medium", "high", "low", "export", "null"):
        raise BadPolicy(f'invalid cipher grade "{values["ciphers"]}"')
    return TlsPolicy(
        level,
        tuple(match.split("|" if level == "fingerprint" else ":")) if match else (),
        values.get("protocols", ""),
        values.get("ciphers", ""),
        tuple(values["exclude"].split(":")) if "exclude" in values else (),
        values.get("servername", ""),
    )


def fingerprints(certificate: bytes, digest: str) -> tuple[str, ...]:
    """Hexadecimal digests of the certificate and of its public key."""
    public_key = x509.load_der_x509_certificate(certificate).public_key()
    key = public_key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return tuple(hashlib.new(digest, data, usedforsecurity=False).hexdigest() for data in (certificate, key))


def certificate_names(certificate: bytes) -> list[str]:
    """DNS names of subjectAltName; the common name only where there are none (RFC 6125 §6.4.4)."""
    loaded = x509.load_der_x509_certificate(certificate)
    try:
        names = loaded.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        found = [name.lower() for name in names.get_values_for_type(x509.DNSName)]
    except (x509.ExtensionNotFound, ValueError):
        found = []
    if found:
        return found
    return [
        str(attribute.value).lower()
        for attribute in loaded.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)
    ]


def _wanted_names(match: Sequence[str], *, destination: Destination, host: str) -> list[str]:
    names = {"hostname": host, "nexthop": destination.host, "dot-nexthop": f".{destination.host}"}
    return [names.get(word.lower(), word.lower()) for word in match]


def _names_match(name: str, wanted: str) -> bool:
    """Whether a certificate's name is the wanted one; `.example.org` is any name below the domain."""
    if wanted.startswith("."):
        return name.removeprefix("*").endswith(wanted)
    if name.startswith("*."):
        return wanted.partition(".")[2] == name[2:] and wanted.count(".") >= 2
    return name == wanted
