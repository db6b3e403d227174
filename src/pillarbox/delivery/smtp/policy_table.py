"""What tables say of a destination's TLS: smtp_tls_policy_maps, and smtp_tls_per_site from before it.

DESCRIPTION
    smtp_tls_policy_maps answers with a level and attributes; those with blanks in them stand between braces:

        secure match=.example.org servername=hostname
        secure match=mx.example.org policy_type=sts policy_domain=example.org { policy_string = mode: enforce }

    `policy_type` and its kin come from programs that fetch MTA-STS policies (RFC 8461).  They tell where a
    certificate's names come from, and what TLSRPT reports tell.  `enable_rpk` is read: certificates are asked for
    all the same.

    smtp_tls_per_site has one word for a nexthop or for a server: NONE, MAY, MUST_NOPEERMATCH, MUST.  It counts
    where there are no smtp_tls_policy_maps.  Of both words the stronger counts, but NONE is stronger than MAY; and
    a level of main.cf that is more than MAY is not weakened by MAY.

FAULTS
    BadPolicy  an answer that cannot be read: mail waits, since a policy that is half understood could be too weak

STANDARDS
    postconf(5); RFC 8460 §4.4 (policy types), RFC 8461 §3.2 (policies)
"""

from collections.abc import Sequence
from typing import Final

import msgspec

from pillarbox.config.value_types import words
from pillarbox.delivery.smtp.destination import Destination
from pillarbox.net.dns.records import Tlsa
from pillarbox.net.tls_versions import version_range
from pillarbox.tables.table import LookupTable
from pillarbox.vocabulary.digits import decimal
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
_UNWRITTEN: Final = "half-dane"
_ATTRIBUTE_SEPARATORS: Final = " \t\r\n,"


class BadPolicy(Exception):
    """A policy that cannot be read."""


class ExternalPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """A policy that somebody else found for a domain (MTA-STS)."""

    kind: str  # sts or no-policy-found
    domain: str = ""
    strings: tuple[str, ...] = ()
    patterns: tuple[str, ...] = ()  # of mail exchangers: mx.example.org, *.example.org
    failure: str = ""  # why the policy could not be had; for reports


class TlsPolicy(msgspec.Struct, frozen=True):
    """What one destination has to have."""

    level: str
    match: tuple[str, ...] = ()  # names, or fingerprints
    protocols: str = ""
    ciphers: str = ""
    exclude: tuple[str, ...] = ()
    servername: str = ""
    tlsa: tuple[Tlsa, ...] = ()  # of which one has to match; `match` are the names for DANE-TA then
    anchors: tuple[str, ...] = ()  # files of authorities, in place of all others
    reuse: bool | None = None  # keep connections; None: as main.cf says
    external: ExternalPolicy | None = None
    ignored: tuple[str, ...] = ()  # warnings: what was written and means nothing

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


# -- smtp_tls_policy_maps ------------------------------------------------------------------------------


def find_policy(
    tables: Sequence[LookupTable], destination: Destination, *, parameter: str
) -> TlsPolicy | None:
    """What the tables of a parameter say of a nexthop; None: nothing.  BadPolicy, LookupFault."""
    for key in _keys(destination):
        for table in tables:
            if (answer := table.query(key)) is not None:
                where = f'{parameter}, next-hop destination "{key}"'
                try:
                    policy = read_policy(answer)
                except BadPolicy as fault:
                    raise BadPolicy(f"{where}: {fault}") from None
                warnings = tuple(f"{where}: {text}" for text in policy.ignored)
                return msgspec.structs.replace(policy, ignored=warnings) if warnings else policy
    return None


def _keys(destination: Destination) -> list[str]:
    """The nexthop as written; for a bare domain its parents, too, with a dot in front."""
    text = destination.text.lower()
    keys = [text]
    if destination.host and destination.text.lower() == destination.host:
        labels = destination.host.split(".")
        keys += ["." + ".".join(labels[at:]) for at in range(1, len(labels))]
    return keys


_ONCE: Final = frozenset(
    {
        "ciphers",
        "protocols",
        "servername",
        "exclude",
        "policy_ttl",
        "policy_type",
        "policy_domain",
        "policy_failure",
    }
)
_LAST_COUNTS: Final = frozenset({"connection_reuse", "enable_rpk"})
_MANY: Final = frozenset({"match", "tafile", "policy_string", "mx_host_pattern"})
_OF_OTHERS: Final = ("policy_ttl", "policy_string", "policy_domain", "mx_host_pattern", "policy_failure")
_TYPES: Final = ("sts", "no-policy-found")
_FAILURES: Final = frozenset(
    {
        "starttls-not-supported",
        "certificate-host-mismatch",
        "certificate-not-trusted",
        "certificate-expired",
        "validation-failure",
        "sts-policy-fetch-error",
        "sts-policy-invalid",
        "sts-webpki-invalid",
        "tlsa-invalid",
        "dnssec-invalid",
        "dane-required",
    }
)


def read_policy(text: str) -> TlsPolicy:
    """`level [attribute=value]…`.  BadPolicy."""
    level, *attributes = words(text, separators=_ATTRIBUTE_SEPARATORS) or ("",)
    if not level:
        raise BadPolicy("invalid empty policy")
    level = level.lower()
    if level not in LEVELS or level == _UNWRITTEN:
        raise BadPolicy(f'invalid security level "{level}"')
    if level == "none":
        vain = tuple(f'ignoring attribute "{attribute}" with TLS disabled' for attribute in attributes)
        return TlsPolicy(level, ignored=vain)
    values = _read_attributes(attributes)
    try:
        if "protocols" in values:
            version_range(values["protocols"][0])
    except ConfigurationFault as fault:
        raise BadPolicy(str(fault)) from fault
    match = _matching(level, values)
    if _single(values, "ciphers", "medium") not in ("medium", "high", "low", "export", "null"):
        raise BadPolicy(f'invalid cipher grade "{values["ciphers"][0]}"')
    if "tafile" in values and level not in ("verify", "secure"):
        raise BadPolicy(f'attribute "tafile" invalid at security level "{level}"')
    _switch(values, "enable_rpk")
    return TlsPolicy(
        level,
        match,
        _single(values, "protocols"),
        _single(values, "ciphers"),
        tuple(_single(values, "exclude").split(":")) if "exclude" in values else (),
        _single(values, "servername"),
        anchors=tuple(values.get("tafile", ())),
        reuse=_switch(values, "connection_reuse"),
        external=_external(values),
    )


def _read_attributes(attributes: Sequence[str]) -> dict[str, list[str]]:
    values: dict[str, list[str]] = {}
    for attribute in attributes:
        inner = attribute[1:-1] if attribute.startswith("{") and attribute.endswith("}") else attribute
        name, equals, value = (part.strip() for part in " ".join(inner.split()).partition("="))
        name = name.lower()
        if not equals:
            raise BadPolicy(
                f"malformed attribute/value pair \"{attribute}\": missing '=' after attribute name"
            )
        if name not in _ONCE | _LAST_COUNTS | _MANY:
            raise BadPolicy(f'invalid attribute name: "{name}"')
        if not value and name != "protocols":
            raise BadPolicy(f'attribute "{name}" has empty value')
        if name in _ONCE and name in values:
            raise BadPolicy(f'attribute "{name}" is specified multiple times')
        values.setdefault(name, []).append(value)
    return values


def _single(values: dict[str, list[str]], name: str, default: str = "") -> str:
    return values[name][-1] if name in values else default


def _switch(values: dict[str, list[str]], name: str) -> bool | None:
    if name not in values:
        return None
    word = values[name][-1].lower()
    if word not in ("yes", "no"):
        raise BadPolicy(f'attribute "{name}" has bad value: "{word}"')
    return word == "yes"


def _matching(level: str, values: dict[str, list[str]]) -> tuple[str, ...]:
    if "match" not in values:
        return ()
    if level not in ("fingerprint", "verify", "secure"):
        raise BadPolicy(f'attribute "match" invalid at security level "{level}"')
    separator = "|" if level == "fingerprint" else ":"
    return tuple(part for value in values["match"] for part in value.split(separator))


def _external(values: dict[str, list[str]]) -> ExternalPolicy | None:
    if "policy_type" not in values:
        if any(name in values for name in _OF_OTHERS):
            raise BadPolicy(f"one of the attributes {', '.join(_OF_OTHERS)} without policy_type")
        return None
    kind = values["policy_type"][0].lower()
    if kind not in _TYPES:
        raise BadPolicy(f'attribute "policy_type" has an unexpected value: "{kind}"')
    failure = _single(values, "policy_failure").lower()
    if failure and failure not in _FAILURES:
        raise BadPolicy(f'attribute "policy_failure" has an unexpected value: "{failure}"')
    if "policy_ttl" in values:
        try:
            decimal(values["policy_ttl"][0].encode(), max_digits=18)
        except ValueError as error:
            raise BadPolicy(f'attribute "policy_ttl" has a malformed value: {error}') from error
    return ExternalPolicy(
        kind=kind,
        domain=_single(values, "policy_domain").lower(),
        strings=tuple(values.get("policy_string", ())),
        patterns=tuple(pattern.lower() for pattern in values.get("mx_host_pattern", ())),
        failure=failure,
    )


def fits_pattern(host: str, patterns: Sequence[str]) -> bool:
    """Whether a mail exchanger is one of an MTA-STS policy's: a star stands for one label (RFC 8461 §4.1).

    `.example.org`, as some programs write `*.example.org`, is the same.
    """
    host = host.lower().removesuffix(".")
    parent = host.partition(".")[2]
    return any(
        (pattern.lstrip("*") == f".{parent}" and bool(parent))
        if pattern.startswith(("*.", "."))
        else pattern.removesuffix(".") == host
        for pattern in patterns
    )


# -- smtp_tls_per_site ---------------------------------------------------------------------------------

_SITE_LEVELS: Final = {"none": "none", "may": "may", "must_nopeermatch": "encrypt", "must": "verify"}
_SITE_STRENGTH: Final = ("", "may", "none", "encrypt", "verify")


def site_level(
    tables: Sequence[LookupTable], nexthop: str, host: str, *, default: str, parameter: str
) -> str | None:
    """The level of a server, by the nexthop and by its own name; None: the tables know neither.  BadPolicy."""
    names = [("next-hop destination", nexthop)]
    if host.lower() != nexthop.lower():
        names.append(("server hostname", host))
    found = ""
    for what, name in names:
        for table in tables:
            if (answer := table.query(name.lower())) is None:
                continue
            level = _SITE_LEVELS.get(answer.strip().lower())
            if level is None:
                raise BadPolicy(f"{parameter}: unknown TLS policy '{answer}' for {what} {name}")
            found = max(found, level, key=_SITE_STRENGTH.index)
            break
    if found == "may" and LEVELS.index(default) > LEVELS.index("may"):
        return default
    return found or None
