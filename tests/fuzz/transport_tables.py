"""Transport tables and nexthops: any text in a table gives a transport and a nexthop, and a destination or a reason."""

from pillarbox.delivery.smtp.destination import read_destinations
from pillarbox.routing.domain_lists import DomainList
from pillarbox.routing.resolution import Resolver, Routes
from pillarbox.vocabulary.address import Address

SEEDS = [
    b"smtp:[mx.example.org]:587\0user+x@example.org",
    b":\0x@a.b",
    b"error:5.1.1 gone\0@",
    b"lmtp:unix:private/x, inet:[::1]:24\0x",
    b"smtp:[ipv6:2001:db8::1]\0x@y",
]
DICTIONARY = [b"smtp:", b"[ipv6:", b"]:", b"unix:", b"inet:", b", ", b"\0"]
_NONE = DomainList()


class _Table:
    """A table that has the same to say of every key."""

    name = "inline:x"
    partial_keys = True
    owner_uid = 0

    def __init__(self, value: str) -> None:
        self._value = value

    def query(self, key: str) -> str | None:
        return self._value


def fuzz_one(data: bytes) -> None:
    """The value of a table that knows every key, and an address."""
    value, _, address = data.partition(b"\0")
    table = _Table(value.decode("utf-8", "replace"))
    resolver = Resolver(
        Routes(
            myorigin="here.test",
            local_domains=_NONE,
            own_addresses=frozenset(),
            virtual_alias_domains=_NONE,
            virtual_mailbox_domains=_NONE,
            relay_domains=_NONE,
            local_transport="local",
            virtual_transport="virtual",
            relay_transport="relay",
            default_transport="smtp",
            relayhost="",
            recipient_delimiter="+",
            local_recipients=None,
            virtual_aliases=(),
            virtual_mailboxes=(),
            relay_recipients=None,
            transport_maps=(table,),
            sender_relayhosts=(table,),
        )
    )
    found = resolver.resolve(Address.from_internal(address), Address.from_internal(address))
    assert found.transport
    for lmtp in (False, True):
        try:
            destinations = read_destinations(found.nexthop, port="smtp", ports={"smtp": 25}, lmtp=lmtp)
        except ValueError:
            continue
        assert all(one.path or (one.host and 0 < one.port < 65536) for one in destinations)
