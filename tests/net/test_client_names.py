"""Names of clients, by a resolver: PTR, confirmed by the forward lookup."""

import asyncio

import pytest

from fakes.zones import ZoneResolver
from pillarbox.net.client_names import UNKNOWN, ClientName, ClientNames
from pillarbox.net.dns.records import RecordType
from pillarbox.vocabulary.clock import ManualClock

ZONES = {
    "1.2.0.192.in-addr.arpa": {RecordType.PTR: ["mail.good.test"]},
    "mail.good.test": {RecordType.A: ["192.0.2.1"]},
    "2.2.0.192.in-addr.arpa": {RecordType.PTR: ["mail.good.test"]},
    "3.2.0.192.in-addr.arpa": {RecordType.PTR: ["mail.failing.test"]},
    "1." + "0." * 23 + "8.b.d.0.1.0.0.2.ip6.arpa": {RecordType.PTR: ["six.good.test"]},
    "six.good.test": {RecordType.AAAA: ["2001:db8::1"]},
    "2." + "0." * 23 + "8.b.d.0.1.0.0.2.ip6.arpa": {RecordType.PTR: ["mail.good.test"]},
    "3." + "0." * 23 + "8.b.d.0.1.0.0.2.ip6.arpa": {RecordType.PTR: ["nowhere.test"]},
}
CASES = [
    # address, verified name, name of the PTR record, and the end of a warning
    ("192.0.2.1", "mail.good.test", "mail.good.test", ""),
    ("192.0.2.2", UNKNOWN, "mail.good.test", "mail.good.test does not resolve to address 192.0.2.2"),
    ("192.0.2.3", UNKNOWN, "mail.failing.test", "address 192.0.2.3: Temporary failure in name resolution"),
    ("192.0.2.4", UNKNOWN, UNKNOWN, ""),
    ("192.0.2.5", UNKNOWN, UNKNOWN, ""),  # the lookup fails
    ("2001:db8::1", "six.good.test", "six.good.test", ""),
    ("2001:db8::2", UNKNOWN, "mail.good.test", "address 2001:db8::2: No address associated with hostname"),
    ("2001:db8::3", UNKNOWN, "nowhere.test", "address 2001:db8::3: Name or service not known"),
]


@pytest.mark.parametrize(("address", "verified", "reverse", "warning"), CASES)
def test_names(address: str, verified: str, reverse: str, warning: str) -> None:
    """Both names and what the log says of them, the second time from memory, unless a lookup failed."""
    resolver = ZoneResolver(ZONES, failing=("mail.failing.test", "5.2.0.192.in-addr.arpa"))
    found = ClientNames(ManualClock(), resolver=resolver)

    async def twice() -> list[ClientName]:
        return [await found.lookup(address), await found.lookup(address)]

    first, second = asyncio.run(twice())
    assert first == second
    assert (first.verified, first.reverse) == (verified, reverse)
    assert first.warning.endswith(warning) if warning else not first.warning
    fails = address in ("192.0.2.3", "192.0.2.5")
    assert fails == first.may_change
    assert len(resolver.asked) <= (4 if fails else 2)
