"""The DNS: which hosts a domain has, in which order, and what can be wrong with it."""

from typing import Final

from pillarbox.lab.behaviour import Behaviour, Say
from pillarbox.lab.scenario import Scenario, delivered, expired, host, returned

_HOUR = (3500.0, 9500.0)

NAMES: Final = (
    Scenario(
        name="second",
        about="nobody listens on the first exchanger",
        hosts=(host(None, preference=10), host(preference=20)),
        expected={"bob": delivered(1)},
    ),
    Scenario(
        name="softfirst",
        about="the first exchanger says 4xx, the second takes it",
        hosts=(host(Behaviour(replies={"RCPT": "450 4.2.0 Not now"})), host(preference=20)),
        expected={"bob": delivered(1)},
    ),
    Scenario(
        name="hardfirst",
        about="the first exchanger says 5xx, and that is that",
        hosts=(host(Behaviour(replies={"RCPT": "550 5.1.1 Unknown"})), host(preference=20)),
        expected={"bob": returned("5.1.1", "Unknown")},
    ),
    Scenario(
        name="lostfirst",
        about="the first exchanger is lost at MAIL, the second takes it",
        hosts=(host(Behaviour(replies={"MAIL": "421 4.3.2 Bye"})), host(preference=20)),
        expected={"bob": delivered(1)},
    ),
    Scenario(
        name="third",
        about="two exchangers that nobody listens on, and a third",
        hosts=(host(None, preference=10), host(None, preference=20), host(preference=30)),
        expected={"bob": delivered(2)},
    ),
    Scenario(
        name="split",
        about="one recipient is refused softly by the first exchanger, the other taken",
        hosts=(
            host(Behaviour(recipients={"carol": "451 4.7.1 Greylisted"})),
            host(preference=20),
        ),
        expected={"bob": delivered(0), "carol": delivered(1)},
    ),
    Scenario(
        name="nomx",
        about="no MX record: the domain's own address",
        hosts=(host(preference=None),),
        records="@ IN A {a0}",
    ),
    Scenario(
        name="nullmx",
        about="takes no mail (RFC 7505)",
        hosts=(),
        records="@ IN MX 0 .",
        expected={"bob": returned("5.1.0", "does not accept mail (nullMX)")},
    ),
    Scenario(
        name="nohost",
        about="the exchanger's name does not exist",
        hosts=(),
        records="@ IN MX 10 gone.{name}.",
        expected={"bob": returned("5.4.4", "not found")},
    ),
    Scenario(
        name="empty",
        about="a domain without MX and address records",
        hosts=(),
        records='@ IN TXT "nothing here"',
        expected={"bob": returned("5.4.4", "not found")},
    ),
    Scenario(
        name="alias",
        about="the domain is an alias (RFC 5321 §5.1)",
        hosts=(host(preference=None),),
        records="www IN MX 10 mx0\n",
        transport="smtp:www.{name}",
    ),
    Scenario(
        name="cname",
        about="the exchanger's name is an alias",
        hosts=(host(preference=None),),
        records="@ IN MX 10 mail\nmail IN CNAME mx0.{name}.",
    ),
    Scenario(
        name="loop",
        about="the best exchanger is this host itself",
        hosts=(),
        records="@ IN MX 10 mail\nmail IN A {own}",
        only_port_25=True,
        expected={"bob": returned("5.4.6", "loops back to myself")},
    ),
    Scenario(
        name="servfail",
        about="SERVFAIL for an hour",
        fault="SERVFAIL",
        fault_seconds=3600.0,
        expected={"bob": delivered(0, attempts=None, after=_HOUR)},
    ),
    Scenario(
        name="lame",
        about="a lame server: REFUSED for an hour",
        fault="REFUSED",
        fault_seconds=3600.0,
        expected={"bob": delivered(0, attempts=None, after=_HOUR)},
    ),
    Scenario(
        name="silentdns",
        about="no answer from the DNS for ten minutes",
        fault="silent",
        fault_seconds=600.0,
        expected={"bob": delivered(0, attempts=None, after=(290.0, 2000.0))},
    ),
    Scenario(name="slowdns", about="each answer takes its time", delay=0.1),
    Scenario(name="truncated", about="answers over UDP are cut off", truncated=True),
    Scenario(name="signed", about="a signed zone", dnssec="valid"),
    Scenario(
        name="bogus",
        about="signatures that do not hold: no answer that could be trusted",
        dnssec="broken",
        expected={"bob": expired("4.4.3", "Host or domain name not found")},
    ),
    Scenario(
        name="stale",
        about="signatures of yesterday",
        dnssec="expired",
        expected={"bob": expired("4.4.3", "Host or domain name not found")},
    ),
    Scenario(
        name="six",
        about="an IPv6 address comes first (smtp_address_preference = ipv6)",
        hosts=(host(ipv6=True),),
        transport="six:six.test",
        service="six unix - - n - - smtp -o smtp_address_preference=ipv6",
        expected={"bob": delivered(0)},
    ),
    Scenario(
        name="four",
        about="an IPv4 address comes first (smtp_address_preference = ipv4)",
        hosts=(host(ipv6=True),),
        transport="four:four.test",
        service="four unix - - n - - smtp -o smtp_address_preference=ipv4",
        expected={"bob": delivered(0)},
    ),
    Scenario(
        name="comeback",
        about="both exchangers are down for an hour",
        hosts=tuple(
            host(Behaviour(replies={"connect": Say("421 4.3.2 Down", seconds=3600)}), preference=preference)
            for preference in (10, 20)
        ),
        expected={"bob": delivered(attempts=None, after=_HOUR)},
    ),
)
