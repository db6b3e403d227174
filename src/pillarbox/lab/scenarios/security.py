"""TLS and logins: how each level meets each certificate, and handshakes that go wrong."""

from typing import Final

from pillarbox.lab.behaviour import (
    GARBAGE,
    HANG_UP,
    HANG_UP_LATER,
    NO_HANDSHAKE,
    OFFERS,
    Behaviour,
    Say,
)
from pillarbox.lab.scenario import Expected, Host, Scenario, delivered, expired, host, returned
from pillarbox.lab.zones import Dnssec, Zone

_CERTIFICATES: Final = ("good", "expired", "self-signed", "wrong name", "unknown authority", "old protocol")
_BREAKS: Final = {
    "nocipher": ("no cipher", "no common cipher"),
    "garbage": (GARBAGE, "clear text after 220"),
    "hangup": (HANG_UP, "closes after 220"),
    "hanguplater": (HANG_UP_LATER, "closes after our hello"),
    "nohandshake": (NO_HANDSHAKE, "not a word after 220"),
}


def _word(kind: str) -> str:
    return kind.replace(" ", "").replace("-", "")


MAY: Final = (
    *(
        Scenario(
            name=f"may-{_word(kind)}",
            about=f"level may, certificate {kind}: better than clear text",
            hosts=(host(Behaviour(tls=kind)),),
            expected={"bob": delivered(0, tls=True)},
        )
        for kind in _CERTIFICATES
    ),
    *(
        Scenario(
            name=f"may-{name}",
            about=f"level may, {about}: in clear text the next time",
            hosts=(host(Behaviour(tls=does)),),
            expected={"bob": delivered(0, attempts=None, after=(290.0, 2700.0), tls=False)},
        )
        for name, (does, about) in _BREAKS.items()
    ),
    Scenario(
        name="may-refused",
        about="level may, 454 to STARTTLS: in clear text at once",
        hosts=(host(Behaviour(tls="good", replies={"STARTTLS": "454 4.7.0 TLS not available"})),),
        expected={"bob": delivered(0, tls=False)},
    ),
    Scenario(
        name="may-lost",
        about="level may, 421 after the handshake, once",
        hosts=(host(Behaviour(tls="good", replies={"EHLO+TLS": Say("421 4.3.0 Sorry", times=1)})),),
        expected={"bob": delivered(0, attempts=2, after=(290.0, 2700.0), tls=True)},
    ),
    Scenario(
        name="tlsonly",
        about="the server takes no mail in clear text, and we do not speak TLS with it",
        hosts=(host(Behaviour(tls="good", tls_only=True)),),
        policy="none",
        expected={"bob": returned("5.7.0", "Must issue a STARTTLS command first")},
    ),
)

# level, what the policy says more, certificate, and whether it will do
_LEVELS: Final = (
    ("encrypt", "", "self-signed", True),
    ("encrypt", "", "expired", True),
    ("encrypt", "", "", False),
    ("encrypt", "", "no cipher", False),
    ("encrypt", "", "old protocol", True),
    ("verify", "", "good", True),
    ("verify", "", "wrong name", False),
    ("verify", "", "self-signed", False),
    ("verify", "", "expired", False),
    ("verify", "", "unknown authority", False),
    ("verify", "match=elsewhere.test", "wrong name", True),
    ("secure", "", "good", True),
    ("secure", "match=nexthop", "good", False),
    ("secure", "match=.{name}", "good", True),
    ("secure", "", "unknown authority", False),
    ("fingerprint", "match={fingerprint0}", "self-signed", True),
    ("fingerprint", "match={keyprint0}", "expired", True),
    ("fingerprint", "match=" + ":".join(["AA"] * 32), "good", False),
)
_WHY: Final = {
    "": ("4.7.4", "TLS is required, but was not offered"),
    "no cipher": ("4.7.5", "Cannot start TLS: handshake failure"),
    "self-signed": ("4.7.5", "Server certificate not verified"),
    "expired": ("4.7.5", "Server certificate not verified"),
    "unknown authority": ("4.7.5", "Server certificate not verified"),
    "wrong name": ("4.7.5", "Server certificate not verified"),
    "good": ("4.7.5", "Server certificate not verified"),
}

LEVELS: Final = tuple(
    Scenario(
        name=f"{level}{number}",
        about=f"level {level} {more}, certificate {certificate or 'none'}",
        hosts=(host(Behaviour(tls=certificate)),),
        policy=f"{level} {more}",
        expected={"bob": delivered(0, tls=True) if will_do else expired(*_WHY[certificate])},
    )
    for number, (level, more, certificate, will_do) in enumerate(_LEVELS)
)

OPTIONAL: Final = (
    Scenario(
        name="tls-optional",
        about="level secure, and a sender who would rather have the message sent in clear text (RFC 8689)",
        header="TLS-Required: no\n",
        policy="secure",
        expected={"bob": delivered(0, tls=False)},
    ),
)

LOGINS: Final = (
    Scenario(
        name="relayhost",
        about="a relayhost that wants TLS and a login",
        hosts=(host(Behaviour(tls="good", tls_only=True, login=("pillarbox", "let me in"))),),
        transport="relayhost:[mx0.{name}]",
        service="relayhost unix - - n - - smtp -o smtp_sasl_auth_enable=yes"
        " -o {{ smtp_sasl_password_maps = inline:{{ {{ [mx0.{name}] = pillarbox:let me in }} }} }}"
        " -o smtp_sasl_security_options=noanonymous -o smtp_tls_security_level=encrypt",
        expected={"bob": delivered(0, tls=True)},
    ),
    Scenario(
        name="badlogin",
        about="a relayhost that does not know our password",
        hosts=(host(Behaviour(tls="good", login=("pillarbox", "something else"))),),
        transport="badlogin:[mx0.{name}]",
        service="badlogin unix - - n - - smtp -o smtp_sasl_auth_enable=yes"
        " -o {{ smtp_sasl_password_maps = inline:{{ {{ [mx0.{name}] = pillarbox:let me in }} }} }}"
        " -o smtp_sasl_security_options=noanonymous -o smtp_tls_security_level=encrypt",
        expected={"bob": expired("4.7.8", "Authentication credentials invalid")},
    ),
)

_UNVERIFIED: Final = expired("4.7.5", "Server certificate not verified")
_SERVED: Final = delivered(0, tls=True)
_TLSA: Final = "_{port}._tcp.mx0 IN TLSA "

# name, what it is about, level, certificate, zone signed, its TLSA record, what comes of it
_DANE: Final[tuple[tuple[str, str, str, str, Dnssec, str, Expected], ...]] = (
    ("ee", "its own key is right", "dane", "self-signed", "valid", "{tlsa0}", _SERVED),
    ("ee-expired", "its own key is right, and dates do not count", "dane", "expired", "valid", "{tlsa0}", _SERVED),
    ("ee-only", "dane-only, and its own key is right", "dane-only", "wrong name", "valid", "{tlsa0}", _SERVED),
    ("ta", "the authority is right", "dane", "good", "valid", "{authority}", _SERVED),
    ("ta-name", "the authority is right, not the name", "dane", "wrong name", "valid", "{authority}", _UNVERIFIED),
    ("ta-expired", "its dates are not right", "dane", "expired", "valid", "{authority}", _UNVERIFIED),
    ("ta-other", "another authority", "dane", "unknown authority", "valid", "{authority}", _UNVERIFIED),
    ("wrong", "another key", "dane", "good", "valid", "3 1 1 " + "ab" * 32, _UNVERIFIED),
    ("unsigned", "another key, but who says so", "dane", "good", "", "3 1 1 " + "ab" * 32, _SERVED),
    ("none", "no record", "dane", "self-signed", "valid", "", _SERVED),
    ("unusable", "a record for browsers", "dane", "self-signed", "valid", "1 0 1 " + "ab" * 32, _SERVED),
    ("notls", "a record, and no STARTTLS", "dane", "", "valid", "3 1 1 " + "ab" * 32,
     expired("4.7.4", "TLS is required, but was not offered")),
    ("only", "dane-only without a record", "dane-only", "good", "valid", "",
     expired("4.7.5", "no TLSA records found")),
    ("only-unsigned", "dane-only, not signed", "dane-only", "good", "", "{tlsa0}",
     expired("4.7.5", "non DNSSEC destination")),
)  # fmt: skip


def _dane_service(name: str, level: str) -> str:
    return (
        f"{name} unix - - n - - smtp -o smtp_tls_security_level={level} -o smtp_dns_support_level=dnssec"
        " -o smtp_tls_loglevel=1"
    )


DANE: Final = (
    *(
        Scenario(
            name=f"dane-{name}",
            about=f"level {level}: {about}",
            hosts=(host(Behaviour(tls=certificate)),),
            dnssec=dnssec,
            records=_TLSA + record if record else "",
            transport=f"dane-{name}:{{name}}",
            service=_dane_service(f"dane-{name}", level),
            expected={"bob": expected},
        )
        for name, about, level, certificate, dnssec, record, expected in _DANE
    ),
    Scenario(
        name="dane-bogus",
        about="level dane: a record with a signature that does not hold: who knows what it was",
        hosts=(host(Behaviour(tls="good")),),
        dnssec="valid",
        below=Zone(name="_tcp.mx0", records="_{port} IN TLSA {tlsa0}", dnssec="broken"),
        transport="dane-bogus:{name}",
        service=_dane_service("dane-bogus", "dane"),
        expected={"bob": expired("4.7.5", "TLSA lookup error")},
    ),
)

CACHED: Final = (
    Scenario(
        name="cachedlogin",
        about="a relayhost that does not know our password, and is not told it twice",
        hosts=(host(Behaviour(tls="good", login=("pillarbox", "something else"))),),
        transport="cachedlogin:[mx0.{name}]",
        service="cachedlogin unix - - n - - smtp -o smtp_sasl_auth_enable=yes"
        " -o {{ smtp_sasl_password_maps = inline:{{ {{ [mx0.{name}] = pillarbox:let me in }} }} }}"
        " -o smtp_sasl_security_options=noanonymous -o smtp_tls_security_level=encrypt"
        " -o smtp_sasl_auth_cache_name=btree:$data_directory/sasl_auth_cache",
        expected={"bob": expired("4.7.8", "Authentication credentials invalid")},
    ),
)

_REQUIRETLS: Final = (*OFFERS, "REQUIRETLS")
_UNKNOWN_TO_ALL: Final = returned("5.7.10", "no matching server certificate was found")

# name, what it is about, level, hosts, what comes of it
_REQUIRED: Final[tuple[tuple[str, str, str, tuple[Host, ...], Expected], ...]] = (
    ("kept", "a verified server that offers it", "secure",
     (host(Behaviour(tls="good", offers=_REQUIRETLS)),), delivered(0, tls=True)),
    ("second", "the second of two servers offers it", "secure",
     (host(Behaviour(tls="good"), preference=1), host(Behaviour(tls="good", offers=_REQUIRETLS))),
     delivered(1, tls=True)),
    ("none", "no server offers it", "secure",
     (host(Behaviour(tls="good"), preference=1), host(Behaviour(tls="good"))),
     returned("5.7.30", "no server was found that supports REQUIRETLS")),
    ("clear", "a server without TLS that says it offers it", "may",
     (host(Behaviour(offers=_REQUIRETLS)),), returned("5.7.30", "TLS service was not offered by host")),
    ("refused", "a server that refuses to start TLS", "may",
     (host(Behaviour(tls="good", offers=_REQUIRETLS, replies={"STARTTLS": "454 4.7.0 Not now"})),),
     returned("5.7.10", "refused to start TLS")),
    ("unverified", "it is offered, but nobody says whose certificate it has to be", "may",
     (host(Behaviour(tls="good", offers=_REQUIRETLS)),), _UNKNOWN_TO_ALL),
    ("wrongname", "the certificate of somebody else", "secure",
     (host(Behaviour(tls="wrong name", offers=_REQUIRETLS)),), _UNKNOWN_TO_ALL),
    ("nobody", "the certificate of an unknown authority", "secure",
     (host(Behaviour(tls="unknown authority", offers=_REQUIRETLS)),),
     returned("5.7.10", "no trusted server certificate was found")),
)  # fmt: skip

REQUIRED: Final = tuple(
    Scenario(
        name=f"requiretls-{name}",
        about=f"REQUIRETLS, level {level}: {about}",
        hosts=hosts,
        parameters=("REQUIRETLS",),
        policy=level,
        expected={"bob": expected},
    )
    for name, about, level, hosts, expected in _REQUIRED
)

SECURITY: Final = (*MAY, *LEVELS, *OPTIONAL, *LOGINS, *CACHED, *DANE, *REQUIRED)
