"""The cases of test_dns_restrictions_peer.py: zones, restrictions, and whom they are asked about.

DESCRIPTION
    Each case is a restriction class of its own, which the sender's local part chooses.
"""

from collections.abc import Iterable
from typing import Final

from fakes.smtp_exchanges import Exchange
from fakes.zones import Zones
from pillarbox.net.dns.records import Mx, RecordType

A, AAAA, CNAME, MX, NS, TXT = (
    RecordType.A, RecordType.AAAA, RecordType.CNAME, RecordType.MX, RecordType.NS, RecordType.TXT
)  # fmt: skip
ZONES: Final[Zones] = {
    "good.test": {MX: [Mx(10, "mx.good.test")], NS: ["ns.evil.test"]},
    "sub.good.test": {A: ["192.0.2.9"]},
    "mx.good.test": {A: ["192.0.2.66"]},
    "ns.evil.test": {A: ["192.0.2.77"]},
    "host.test": {A: ["192.0.2.1"]},
    "six.test": {AAAA: ["2001:db8::1"]},
    "alias.test": {CNAME: ["host.test"]},
    "lost.test": {CNAME: ["nowhere.test"]},
    "null.test": {MX: [Mx(0, "")], A: ["192.0.2.3"]},
    "dead.test": {MX: [Mx(10, "gone.test")], NS: ["gone.test"], A: ["192.0.2.1"]},
    "broken.test": {MX: [Mx(10, "fails.test")]},
    "empty.test": {TXT: [b"nothing"]},
    "first.test": {MX: [Mx(10, "home.test"), Mx(20, "host.test")]},
    "second.test": {MX: [Mx(10, "host.test"), Mx(20, "home.test")]},
    "home.test": {A: ["127.0.0.1"]},
    "2.0.0.127.bl.test": {A: ["127.0.0.2"], TXT: [b"see http://x.test/?127.0.0.2"]},
    "3.0.0.127.bl.test": {A: ["127.0.0.3", "127.0.0.10"]},
    "4.0.0.127.bl.test": {A: ["127.0.0.4"], TXT: [b"odd \x01\xc3\xbc $client", b"two"]},
    "5.0.0.127.bl.test": {CNAME: ["2.0.0.127.bl.test"]},
    "6.0.0.127.bl.test": {TXT: [b"no address"]},
    "good.test.dbl.test": {A: ["127.0.1.2"], TXT: [b"bad domain"]},
    "short.dbl.test": {A: ["127.0.1.3"]},
    "192.0.2.99.dbl.test": {A: ["127.0.1.255"], TXT: [b"ask no such question"]},
    "a.12345.dbl.test": {A: ["127.0.1.255"]},
    "client.test.wl.test": {A: ["127.0.0.1"]},
    "99.2.0.192.wl.test": {A: ["127.0.0.1"]},
}
FAILING: Final = frozenset(
    (
        "fails.test",
        "2.0.0.127.fails.test",
        "99.2.0.192.fails.test",
        "client.test.fails.test",
        "x.test.fails.test",
    )
)
_DOMAINS: Final = (
    "good.test", "sub.good.test", "host.test", "six.test", "alias.test", "lost.test", "null.test", "dead.test",
    "broken.test", "empty.test", "none.test", "fails.test", "[192.0.2.1]", "pillarbox.test", "com", "a.12345",
)  # fmt: skip
_TABLE: Final = (
    "inline:{ {192.0.2.66=REJECT server} {192.0.2.1=REJECT address} {gone.test=REJECT name} {evil.test=REJECT parent} "
    "{192.0.2.9=550 5.1.1 nine} {2001:db8=REJECT network} }"
)

CLASSES: Final[dict[str, str]] = {}
"""Restriction classes, by name."""
EXCHANGES: Final[list[Exchange]] = []


def case(
    restriction: str,
    *,
    helo: str = "x.test",
    name: str = "client.test",
    address: str = "192.0.2.99",
    senders: Iterable[str] = ("s.test",),
    recipients: Iterable[str] = ("me@pillarbox.test",),
    service: str = "chosen",
) -> None:
    """What a client, or several senders or recipients, are told."""
    chosen = f"c{len(CLASSES)}"
    CLASSES[chosen] = restriction
    steps = [f"EHLO {helo}", f"XCLIENT NAME={name} REVERSE_NAME={name} ADDR={address}", f"EHLO {helo}"]
    for sender in senders:
        steps += [f"MAIL FROM:<{chosen}@{sender}>", *(f"RCPT TO:<{one}>" for one in recipients), "RSET"]
    title = f"{restriction[:44]} of {helo} {name} {address}".replace("|", "")
    if service != "chosen":
        title += f", {service}"
    EXCHANGES.append(Exchange(title, tuple(step.encode() for step in steps), service))


case("reject_unknown_sender_domain", senders=_DOMAINS)
case("reject_unknown_recipient_domain", recipients=[f"x@{domain}" for domain in _DOMAINS])
for helo in (*_DOMAINS[:12], "host.test.", "192.0.2.1", "[192.0.2.1]", "[x]"):
    case("reject_unknown_helo_hostname", helo=helo)
for kind in ("mx", "ns", "a"):
    case(f"check_sender_{kind}_access {_TABLE}", senders=_DOMAINS)
    for domain in ("good.test", "sub.good.test", "alias.test", "none.test"):
        case(f"check_helo_{kind}_access {_TABLE}", helo=domain)
        case(f"check_client_{kind}_access {_TABLE}", name=domain)
        case(f"check_reverse_client_hostname_{kind}_access {_TABLE}", name=domain)
    case(f"check_recipient_{kind}_access inline:{{ 192.0.2=OK }}", recipients=["x@good.test", "x@host.test"])
for verb in ("OK", "REJECT", "DUNNO"):
    case(f"check_reverse_client_hostname_access static:{verb}")
for last in range(2, 7):
    case("reject_rbl_client bl.test", address=f"127.0.0.{last}")
for zone in ("bl.test=127.0.0.[3;10]", "bl.test=127.0.0.10", "bl.test=127.[0..9].0.[1..2]", "fails.test"):
    case(f"reject_rbl_client {zone}", address="127.0.0.2")
    case(f"reject_rbl_client {zone}", address="127.0.0.3")
case(
    "reject_rhsbl_sender dbl.test",
    senders=["good.test", "GOOD.test", "a.12345", "192.0.2.99", "short", "none.test"],
)
case(
    "reject_rhsbl_recipient dbl.test",
    recipients=["x@good.test", "x@a.12345", "x@192.0.2.99", "x@short", "postmaster"],
)
for helo in ("good.test", "Good.test", "a.12345", "192.0.2.99", "[192.0.2.99]", "short", "none.test"):
    case("reject_rhsbl_helo dbl.test", helo=helo)
for name in ("good.test", "a.12345", "[UNAVAILABLE]"):
    case("reject_rhsbl_client dbl.test", name=name)
    case("reject_rhsbl_reverse_client dbl.test", name=name)
for name in ("client.test", "x.test"):
    for restriction in ("dnswl_client wl.test", "rhswl_client wl.test", "dnswl_client wl.test=127.0.0.2"):
        case(f"permit_{restriction}, reject", name=name, recipients=["me@pillarbox.test", "x@elsewhere.test"])
case("permit_dnswl_client fails.test, reject", recipients=["me@pillarbox.test", "x@elsewhere.test"])
case("permit_rhswl_client fails.test, reject", recipients=["me@pillarbox.test", "x@elsewhere.test"])
case("reject_rhsbl_client fails.test", name="x.test")
case(
    "permit_mx_backup, reject",
    recipients=[f"x@{domain}" for domain in (*_DOMAINS, "first.test", "second.test")],
)
_FILTERS: Final = {
    "in part": "regexp:{ {/^good\\.test\\. .* IN MX/ IGNORE}, {/ IN MX 20 / ignore}, {/^host\\.test\\. .* IN A/ IGNORE}, "
    "{/^null.test/ IGNORE}, {/ gone\\.test/ IGNORE}, {/IN TXT/ IGNORE}, {/127\\.0\\.0\\.3$$/ IGNORE} }",
    "all filtered": "static:IGNORE",
    "failing filter": "fail:x",
    "odd filter": "static:FOO",
}
"""smtpd_dns_reply_filter of services of these names."""
for service in ("in part", "all filtered"):
    case("reject_unknown_sender_domain", senders=_DOMAINS[:10], service=service)
    case(
        "reject_unknown_recipient_domain",
        recipients=[f"x@{domain}" for domain in _DOMAINS[:10]],
        service=service,
    )
    for helo in ("good.test", "host.test", "six.test", "none.test", "null.test", "dead.test"):
        case("reject_unknown_helo_hostname", helo=helo, service=service)
    for kind in ("mx", "ns", "a"):
        case(f"check_sender_{kind}_access {_TABLE}", senders=_DOMAINS[:10], service=service)
    for last in (2, 3, 4, 7):
        case("reject_rbl_client bl.test", address=f"127.0.0.{last}", service=service)
    case("reject_rhsbl_sender dbl.test", senders=["good.test", "none.test"], service=service)
    case("permit_dnswl_client wl.test, reject", service=service)
    case("permit_rhswl_client wl.test, reject", service=service)
    case(
        "permit_mx_backup, reject",
        recipients=["x@first.test", "x@second.test", "x@good.test"],
        service=service,
    )
for service in ("failing filter", "odd filter"):
    case("reject_unknown_sender_domain", senders=_DOMAINS[:10], service=service)
    case("reject_unknown_helo_hostname", helo="good.test", service=service)
    case(f"check_sender_mx_access {_TABLE}", senders=_DOMAINS[:10], service=service)
    case("reject_rbl_client bl.test", address="127.0.0.2", service=service)
    case("permit_dnswl_client wl.test, reject", service=service)
SETTINGS: Final = {
    "mynetworks": "192.0.2.250",
    "smtpd_authorized_xclient_hosts": "127.0.0.1",
    "smtpd_peername_lookup": "yes",
    "smtpd_tls_security_level": "may",
    "smtputf8_enable": "yes",
    "message_size_limit": "20000",
    "virtual_alias_maps": "",
    "virtual_mailbox_maps": "inline:{ me@pillarbox.test=Maildir/ }",
    "default_transport": "error:5.4.4 no route",
    "append_dot_mydomain": "no",
    "inet_protocols": "all",
    "smtpd_error_sleep_time": "0",
    "smtpd_soft_error_limit": "1000",
    "smtpd_hard_error_limit": "1000",
    "smtpd_reject_unlisted_recipient": "no",
    "smtpd_restriction_classes": ", ".join(CLASSES),
    **CLASSES,
}
_CHOSEN: Final = {
    "smtpd_relay_restrictions": "permit",
    "smtpd_recipient_restrictions": "check_sender_access inline:{ "
    + " ".join(f"{{{name}@ = {name}}}" for name in CLASSES)
    + " }, check_recipient_access static:OK, reject",
}
SERVICES: Final = {
    "chosen": _CHOSEN,
    **{name: {**_CHOSEN, "smtpd_dns_reply_filter": tables} for name, tables in _FILTERS.items()},
}
