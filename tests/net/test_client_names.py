"""Names of clients, by a resolver: PTR, confirmed by the forward lookup."""

import asyncio

import pytest

from pillarbox.net.client_names import UNKNOWN, ClientNames
from pillarbox.net.dns.records import RecordType
from pillarbox.net.dns.zones import ZoneResolver
from pillarbox.vocabulary.clock import ManualClock

ZONES = {
    "1.2.0.192.in-addr.arpa": {RecordType.PTR: ["mail.good.test"]},
    "mail.good.test": {RecordType.A: ["192.0.2.1"]},
    "2.2.0.192.in-addr.arpa": {RecordType.PTR: ["mail.good.test"]},
    "3.2.0.192.in-addr.arpa": {RecordType.PTR: ["mail.failing.test"]},
    "1." + "0." * 23 + "8.b.d.0.1.0.0.2.ip6.arpa": {RecordType.PTR: ["six.good.test"]},
    "six.good.test": {RecordType.AAAA: ["2001:db8::1"]},
}
CASES = [
    ("192.0.2.1", ("mail.good.test", "mail.good.test")),
    ("192.0.2.2", (UNKNOWN, "mail.good.test")),  # the name leads elsewhere
    ("192.0.2.3", (UNKNOWN, "mail.failing.test")),
    ("192.0.2.4", (UNKNOWN, UNKNOWN)),
    ("192.0.2.5", (UNKNOWN, UNKNOWN)),  # the lookup fails
    ("2001:db8::1", ("six.good.test", "six.good.test")),
]


@pytest.mark.parametrize(("address", "names"), CASES)
def test_names(address: str, names: tuple[str, str]) -> None:
    """(verified, reverse), the second time from memory."""
    resolver = ZoneResolver(ZONES, failing=("mail.failing.test", "5.2.0.192.in-addr.arpa"))
    found = ClientNames(ManualClock(), resolver=resolver)

    async def twice() -> list[tuple[str, str]]:
        return [await found.lookup(address), await found.lookup(address)]

    assert asyncio.run(twice()) == [names, names]
    assert len(resolver.asked) <= 2
