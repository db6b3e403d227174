"""The cases of test_ipv6_server_peer.py: clients with IPv6 addresses, and all that is asked about them.

DESCRIPTION
    Most cases are a restriction class of their own, which the sender's local part chooses; the client is told by
    XCLIENT.  Others connect to the addresses of `HOSTS`, from the same address.
"""

from collections.abc import Iterable, Mapping
from ipaddress import ip_address
from typing import Final

from fakes.smtp_exchanges import Exchange
from fakes.zones import Zones
from pillarbox.net.dns.records import RecordType

A, AAAA, PTR, TXT = RecordType.A, RecordType.AAAA, RecordType.PTR, RecordType.TXT
HOSTS: Final = ("::1", "fd53::7", "fd53::8", "fd53::9", "fd53:0:0:1::7")
"""Where the servers listen besides 127.0.0.1, and clients come from."""


def _reversed(address: str) -> str:
    return ip_address(address).reverse_pointer


def _listed(address: str, zone: str) -> str:
    return f"{_reversed(address).removesuffix('.ip6.arpa').removesuffix('.in-addr.arpa')}.{zone}"


ZONES: Final[Zones] = {
    _reversed("fd53::7"): {PTR: ["six.test"]},
    "six.test": {AAAA: ["fd53::7"], A: ["192.0.2.1"]},
    _reversed("fd53::8"): {PTR: ["four.test"]},
    "four.test": {A: ["192.0.2.1"]},
    _reversed("fd53:0:0:1::7"): {PTR: ["alias.six.test"]},
    "alias.six.test": {RecordType.CNAME: ["target.six.test"]},
    "target.six.test": {AAAA: ["fd53:0:0:1::7"]},
    _listed("2001:db8::1", "bl.test"): {A: ["127.0.0.2"], TXT: [b"listed"]},
    _listed("::1", "bl.test"): {A: ["127.0.0.3"]},
    _listed("2001:db8::2", "wl.test"): {A: ["127.0.0.2"]},
    _listed("192.0.2.9", "bl.test"): {A: ["127.0.0.2"], TXT: [b"mapped"]},
    "fails.test": {},
}
FAILING: Final = frozenset((_listed("2001:db8::1", "fails.test"),))
CLASSES: Final[dict[str, str]] = {}
"""Restriction classes, by name."""
EXCHANGES: Final[list[Exchange]] = []
_STEPS: Final[dict[tuple[str, str, str], list[str]]] = {}
"""By EHLO's name, and the client's name and address: what is said then."""
SERVICES: Final[dict[str, Mapping[str, str]]] = {}
LISTENERS: Final[dict[str, list[str]]] = {}


def case(
    restriction: str,
    *,
    address: str = "IPV6:2001:db8::1",
    helo: str = "x.test",
    name: str = "client.test",
    senders: Iterable[str] = ("s.test",),
    recipients: Iterable[str] = ("me@pillarbox.test",),
) -> None:
    """What a client, or several senders or recipients, are told."""
    chosen = next((known for known, text in CLASSES.items() if text == restriction), f"c{len(CLASSES)}")
    CLASSES[chosen] = restriction
    steps = _STEPS.setdefault((helo, name, address), [])
    for sender in senders:
        steps += [f"MAIL FROM:<{chosen}@{sender}>", *(f"RCPT TO:<{one}>" for one in recipients), "RSET"]


def direct(service: str, settings: Mapping[str, str], *steps: str, hosts: Iterable[str] = HOSTS) -> None:
    """A service, to which clients of several addresses connect."""
    SERVICES[service] = settings
    LISTENERS[service] = sorted({"[::]" if ":" in host else host for host in hosts})
    for host in hosts:
        commands = tuple(step.encode() for step in steps)
        EXCHANGES.append(Exchange(f"{service} from {host}", commands, service, host=host))


_RELAY: Final = ("EHLO x.test", "MAIL FROM:<a@s.test>", "RCPT TO:<b@elsewhere.test>")
_ADDRESSES: Final = (
    "IPV6:2001:db8::1",
    "IPV6:2001:db8:1:2:3:4:5:6",
    "IPV6:2001:db8::5:6",
    "IPV6:::1",
    "IPV6:::ffff:192.0.2.9",
    "IPV6:2001:DB8:0:0::1",
    "IPV6:::",
    "IPV6:2001:db8:0:1:0:1:0:1",
    "IPV6:::192.0.2.1",
    "IPV6:64:ff9b::192.0.2.33",
)
KEYS: Final = (
    "2001:db8::1",
    "2001:db8",
    "2001:db8:",
    "2001:db8::",
    "2001",
    "2001:db8:1:2:3",
    "2001:db8:1:2:3:4:5:6",
    "2001:DB8::1",
    "2001:db8:0:0:0:0:0:1",
    "::1",
    ":",
    "::",
    "192.0.2.9",
    "::ffff:192.0.2.9",
    "192.0",
    "64:ff9b",
    "[2001:db8::1]",
    "ipv6:2001:db8::1",
    "2001:db8:0:1",
    "2001:db8::5",
    "64:ff9b::192.0.2",
    "64:ff9b::c000:221",
)
_TABLE: Final = "check_client_access inline:{{ {{{key}=REJECT it}} }}"
for key in KEYS:
    for address in _ADDRESSES:
        case(_TABLE.format(key=key), address=address)
for rule in (
    "2001:db8::/32", "[2001:db8::]/32", "[2001:db8::/32]", "2001:DB8:0::1", "2001:db8::1/128", "::/0", "0.0.0.0/0",
    "::ffff:192.0.2.0/120", "192.0.2.0/24", "!2001:db8::/32", "::1", "2001:db8:1:2:3:4:5:6/127", "::192.0.2.1",
):  # fmt: skip
    for address in _ADDRESSES[:5]:
        case(f"check_client_access cidr:{{ {{{rule} REJECT block}} }}", address=address)
_LITERALS: Final = (
    "[IPv6:::1]",
    "[IPv6:2001:db8::1]",
    "[::1]",
    "[ipv6:::1]",
    "[IPv6:fe80::1%lo]",
    "[IPv6:]",
    "[IPv6:zz::1]",
    "[IPv6:::ffff:192.0.2.1]",
    "[IPv6:1:2:3:4:5:6:7:8]",
    "[IPv6:1:2:3:4:5:6:7:8:9]",
    "[IPv6: ::1]",
    "[IPv6:2001:DB8:0::1]",
    "[IPv6:::192.0.2.1]",
    "[IPv6:1::2::3]",
    "[IPv6:192.0.2.1]",
    "[IPv6:::1",
    "[2001:db8::1]",
    "[IPv6:12345::1]",
    "[IPv6:::1]x",
    "[Tag:x]",
    "[IPv6:1:2:3:4:5:6:192.0.2.1]",
    "[IPv6:fd53::7]",
    "[IPv6:00001::1]",
)
case("permit", address="IPV6:2001:db8::77", recipients=["b@[IPv6:1:2:3:4]"])
for helo in (*(one for one in _LITERALS if " " not in one), "IPv6:::1", "::1", "2001:db8::1", "fd53"):
    for restriction in (
        "reject_invalid_helo_hostname", "reject_non_fqdn_helo_hostname", "reject_unknown_helo_hostname",
        "check_helo_access inline:{ {[IPv6:::1]=REJECT one} {::1=REJECT two} {[ipv6:2001:db8::1]=REJECT three} }",
    ):  # fmt: skip
        case(restriction, helo=helo)
for restriction in (
    "reject_unauth_destination", "permit", "reject_non_fqdn_recipient", "reject_unknown_recipient_domain",
    "check_recipient_access inline:{ {[ipv6:::1]=REJECT one} {[ipv6:2001:db8::1]=REJECT two} {b@[ipv6:fd53::7]=REJECT} }",
    "reject_unlisted_recipient",
):  # fmt: skip
    case(restriction, recipients=[f"b@{literal}" for literal in _LITERALS])
for restriction in (
    "permit",
    "reject_non_fqdn_sender",
    "reject_unknown_sender_domain",
    "reject_unlisted_sender",
):
    case(restriction, senders=_LITERALS)
for kind in ("a", "mx", "ns"):
    table = "inline:{ {fd53::7=REJECT six} {fd53=REJECT net} {2001:db8=REJECT literal} }"
    case(f"check_sender_{kind}_access {table}", senders=["six.test", "target.six.test", *_LITERALS[:4]])
    case(f"check_helo_{kind}_access {table}", helo="six.test")
    case(f"check_helo_{kind}_access {table}", helo="[IPv6:2001:db8::1]")
for address in (
    "IPV6:2001:db8::1",
    "IPV6:::1",
    "IPV6:2001:db8::9",
    "IPV6:::ffff:192.0.2.9",
    "IPV6:2001:DB8:0::1",
):
    case("reject_rbl_client bl.test", address=address)
    case("reject_rbl_client bl.test=127.0.0.3", address=address)
    case("permit_dnswl_client wl.test, reject", address=address)
case("permit_dnswl_client wl.test, reject", address="IPV6:2001:db8::2")
case("reject_rbl_client fails.test", address="IPV6:2001:db8::1")
for restriction in (
    "reject_unknown_client_hostname",
    "reject_unknown_reverse_client_hostname",
    "permit_mynetworks, reject",
):
    case(restriction, name="[UNAVAILABLE]")
    case(restriction, name="[TEMPUNAVAIL]", address="IPV6:::1")
for number, attributes in enumerate(
    (
        "ADDR=IPV6:::1",
        "ADDR=IPv6:2001:DB8::1",
        "ADDR=ipv6:2001:db8:0::1",
        "ADDR=2001:db8::1",
        "ADDR=IPV6:192.0.2.1",
        "ADDR=IPV6:::ffff:192.0.2.1",
        "ADDR=IPV6:zz",
        "ADDR=IPV6:fe80::1%lo",
        "ADDR=IPV6:",
        "ADDR=IPV6:1:2:3:4",
        "ADDR=[::1]",
        "ADDR=IPV6:[::1]",
        "DESTADDR=IPV6:2001:db8::1 DESTPORT=25",
        "DESTADDR=2001:db8::1",
        "DESTADDR=IPV6:::ffff:192.0.2.1",
        "ADDR=IPV6:2001:db8::1 PORT=4321",
        "ADDR=[UNAVAILABLE] NAME=[UNAVAILABLE]",
        "ADDR=IPV6:2001:db8::1 HELO=[IPv6:2001:db8::1]",
        "ADDR=IPV6:::192.0.2.1",
        "ADDR=IPV6:64:ff9b::192.0.2.33",
    )
):
    for verb in ("XCLIENT", "XFORWARD"):
        EXCHANGES.append(
            Exchange(
                f"{verb} {attributes}",
                tuple(
                    step.encode()
                    for step in (
                        "EHLO x.test",
                        f"{verb} {attributes}",
                        "EHLO [IPv6:2001:db8::5]",
                        f"MAIL FROM:<x{number}@s.test>",
                        "RCPT TO:<me@pillarbox.test>",
                        "DATA",
                        f"Subject: {verb} {number}\r\n\r\nx\r\n.",
                    )
                ),
                "ports",
            )
        )
_OPEN: Final = {"smtpd_relay_restrictions": "permit_mynetworks, reject", "smtpd_recipient_restrictions": ""}
for at, networks in enumerate(
    (
        "[::1]/128",
        "[::1]",
        "[fd53::]/16",
        "[fd53::7]",
        "![fd53::7], [fd53::]/64",
        "127.0.0.0/8, [fd53::]/64",
        "cidr:{{::1 x},{fd53::/64 x}}",
        "inline:{::1=x, fd53::7=y}",
        "[::]/0",
        "0.0.0.0/0",
        "[FD53:0:0:1::7]",
        "[fd53::8/128]",
        "six.test",
        ".six.test",
        "[::ffff:127.0.0.1]",
    )
):
    direct(f"nets{at}", {**_OPEN, "mynetworks": networks}, *_RELAY, hosts=(*HOSTS, "127.0.0.1"))
direct(
    "delivers",
    {},
    "EHLO [IPv6:::1]",
    "MAIL FROM:<a@s.test>",
    "RCPT TO:<me@pillarbox.test>",
    "DATA",
    "Subject: direct\r\n\r\nx\r\n.",
    hosts=(*HOSTS, "127.0.0.1"),
)
for restriction in (
    "reject_unknown_client_hostname", "reject_unknown_reverse_client_hostname",
    "check_client_access inline:{{six.test=REJECT name},{.six.test=REJECT below},{fd53=REJECT net}}",
    "check_reverse_client_hostname_access inline:{{four.test=REJECT reverse}}",
    "reject_rbl_client bl.test", "reject_plaintext_session",
):  # fmt: skip
    direct(
        restriction.split()[0],
        {"smtpd_relay_restrictions": "permit", "smtpd_recipient_restrictions": f"{restriction}, reject"},
        *_RELAY,
    )
direct("nolookup", {"smtpd_peername_lookup": "no", "smtpd_relay_restrictions": "reject"}, *_RELAY)
direct("portlog", {"smtpd_client_port_logging": "yes", "smtpd_relay_restrictions": "reject"}, *_RELAY)
for at, hosts in enumerate(
    ("[::1]", "[fd53::]/64", "[::1]/128, [fd53::7]", "six.test", "cidr:{{fd53::/64 x}}", "static:all")
):
    direct(
        f"authorized{at}",
        {
            "smtpd_authorized_xclient_hosts": hosts,
            "smtpd_authorized_xforward_hosts": hosts,
            "smtpd_authorized_verp_clients": hosts,
        },
        "EHLO x.test",
        "XFORWARD ADDR=IPV6:2001:db8::1",
        "MAIL FROM:<a@s.test> XVERP",
        "RSET",
        "XCLIENT ADDR=IPV6:2001:db8::1",
    )
direct(
    "counted",
    {
        "smtpd_client_message_rate_limit": "1",
        "smtpd_client_ipv6_prefix_length": "128",  # which 3.7 does not have, and is so
        "smtpd_client_event_limit_exceptions": "[fd53::7], [::1]/128",
    },
    "EHLO x.test",
    "MAIL FROM:<a@s.test>",
    "RSET",
    "MAIL FROM:<a@s.test>",
    "RSET",
    "MAIL FROM:<a@s.test>",
)
for (helo, name, address), steps in _STEPS.items():
    steps = ["EHLO x.test", f"XCLIENT NAME={name} ADDR={address}", f"EHLO {helo}", *steps]
    EXCHANGES.append(
        Exchange(f"{helo} of {name} {address}", tuple(step.encode() for step in steps), "chosen")
    )
SERVICES["chosen"] = {
    "smtpd_relay_restrictions": "permit",
    "smtpd_recipient_restrictions": "check_sender_access inline:{ "
    + " ".join(f"{{{name}@ = {name}}}" for name in CLASSES)
    + " }, check_recipient_access static:OK, reject",
    "smtpd_restriction_classes": ", ".join(CLASSES),
    **CLASSES,
}
SERVICES["ports"] = {"smtpd_client_port_logging": "yes", "smtpd_authorized_xforward_hosts": "127.0.0.1"}
SETTINGS: Final = {
    "mynetworks": "192.0.2.250",
    "smtpd_authorized_xclient_hosts": "127.0.0.1",
    "smtpd_peername_lookup": "yes",
    "virtual_alias_maps": "",
    "virtual_mailbox_maps": "inline:{ me@pillarbox.test=Maildir/ }",
    "default_transport": "error:5.4.4 no route",
    "append_dot_mydomain": "no",
    "smtpd_tls_security_level": "may",
    "message_size_limit": "20000",
    "inet_protocols": "all",
    "inet_interfaces": "all",
    "in_flow_delay": "0",  # which is a second for each queue file that comes to nothing
    "smtpd_error_sleep_time": "0",
    "smtpd_soft_error_limit": "1000",
    "smtpd_hard_error_limit": "1000",
    "smtpd_reject_unlisted_recipient": "no",
}
