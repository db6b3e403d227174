"""virtual_alias_maps and address classes."""

from collections.abc import Mapping

import pytest

from pillarbox.config.computed_defaults import HostFacts
from pillarbox.config.snapshot import Snapshot
from pillarbox.routing.address_maps import ExpansionFault
from pillarbox.routing.alias_expansion import expand
from pillarbox.routing.configured_mappings import configured_mappings
from pillarbox.routing.configured_routes import configured_routes
from pillarbox.routing.resolution import AddressClass, Resolver
from pillarbox.tables.table import LookupFault
from pillarbox.vocabulary.address import Address
from pillarbox.vocabulary.clock import ManualClock

SETTINGS = {
    "compatibility_level": "3.9",
    "myhostname": "mx.test",
    "myorigin": "origin.test",
    "mydestination": "mx.test, local.test",
    "local_recipient_maps": "",
    "recipient_delimiter": "+",
    "virtual_mailbox_domains": "box.test",
    "virtual_mailbox_maps": "inline:{ me@box.test=me }",
    "virtual_alias_domains": "alias.test",
    "relay_domains": "relay.test",
    "virtual_alias_maps": "inline:{ a@alias.test=me@box.test, { list@alias.test=a@alias.test, b@x.test c@x.test }, "
    "self@box.test=self@box.test, { copy@box.test=copy@box.test, me@box.test }, @moved.test=@box.test, "
    "@all.test=me@box.test, exact+x@alias.test=e@x.test, root=me@box.test, bare@alias.test=somebody, "
    "one@alias.test=two@alias.test, two@alias.test=one@alias.test }",
}  # fmt: skip


def snapshot_of(settings: Mapping[str, str] | None = None) -> Snapshot:
    return Snapshot.of({**SETTINGS, **(settings or {})}, facts=HostFacts(hostname="mx.test"))


def resolver(settings: Mapping[str, str] | None = None) -> Resolver:
    return Resolver(configured_routes(snapshot_of(settings), clock=ManualClock()))


def expanded(address: str, settings: Mapping[str, str] | None = None) -> list[str]:
    mappings = configured_mappings(snapshot_of(settings), resolver=resolver(settings), clock=ManualClock())
    found = expand(Address.parse(address.encode()), mappings.aliases, mappings.alias_limits)
    return [one.internal.decode() for one in found]


EXPANSIONS = [
    ("no alias", "me@box.test", ["me@box.test"]),
    ("one", "a@alias.test", ["me@box.test"]),
    ("in any case", "A@Alias.Test", ["me@box.test"]),
    ("through another", "list@alias.test", ["me@box.test", "b@x.test", "c@x.test"]),
    ("itself", "self@box.test", ["self@box.test"]),
    ("itself and another", "copy@box.test", ["copy@box.test", "me@box.test"]),
    ("a domain moved", "you@moved.test", ["you@box.test"]),
    ("a whole domain", "any@all.test", ["me@box.test"]),
    ("an extension is passed on", "a+x@alias.test", ["me+x@box.test"]),
    ("an extension that matches is not", "exact+x@alias.test", ["e@x.test"]),
    ("a user of ours", "root@mx.test", ["me@box.test"]),
    ("a user of ours elsewhere", "root@x.test", ["root@x.test"]),
    ("a result without a domain", "bare@alias.test", ["somebody@origin.test"]),
]


@pytest.mark.parametrize(
    ("address", "results"), [row[1:] for row in EXPANSIONS], ids=[row[0] for row in EXPANSIONS]
)
def test_expansion(address: str, results: list[str]) -> None:
    """virtual(5)."""
    assert expanded(address) == results


def test_extensions_stay_behind_if_they_should() -> None:
    """propagate_unmatched_extensions without virtual."""
    settings = {"propagate_unmatched_extensions": "canonical"}
    assert expanded("a+x@alias.test", settings) == ["me@box.test"]
    assert expanded("root+x@mx.test", settings) == ["me@box.test"]


def test_a_circle_ends() -> None:
    """Two addresses that lead to each other: the limit ends it, as in Postfix."""
    with pytest.raises(ExpansionFault, match=r"nesting for one@alias\.test"):
        expanded("one@alias.test")


def test_limits() -> None:
    """As many as each limit says, and no more."""
    many = {"virtual_alias_maps": "inline:{ { l@box.test=a@x.test b@x.test c@x.test } }"}
    assert len(expanded("l@box.test", {**many, "virtual_alias_expansion_limit": "3"})) == 3
    with pytest.raises(ExpansionFault, match="expansion size"):
        expanded("l@box.test", {**many, "virtual_alias_expansion_limit": "2"})
    with pytest.raises(ExpansionFault, match="nesting"):
        expanded("list@alias.test", {"virtual_alias_recursion_limit": "1"})
    longer = {
        "virtual_alias_maps": "inline:{ { l@box.test=Aa@x.test } }",
        "virtual_alias_address_length_limit": "7",
    }
    with pytest.raises(ExpansionFault, match=r"^unreasonable virtual_alias_maps result Aa@x\.test\.\.\.$"):
        expanded("l@box.test", longer)


def test_a_site_before_others_is_one_address() -> None:
    """`@site other@site` has the user before all of it, and what is before the last @ is a local part."""
    maps = {"virtual_alias_maps": "inline:{ { a@box.test = @b.test, c@d.test } }"}
    assert expanded("a@box.test", maps) == ["a@b.test, c@d.test"]


def test_addresses_are_asked_for_with_their_quotes() -> None:
    """virtual(5), since Postfix 3.2."""
    tables = 'inline:{ { "a b"@box.test = c@x.test } }, regexp:{ { /^d e@/ never@x.test } }'
    maps = {"virtual_alias_maps": tables}
    assert expanded('"a b"@box.test', maps) == ["c@x.test"]
    assert expanded('"d e"@box.test', maps) == ["d e@box.test"]


def test_an_empty_result_is_a_fault() -> None:
    """Mail is not lost to a line that says nothing."""
    with pytest.raises(LookupFault, match="empty string result"):
        expanded("any@x.test", {"virtual_alias_maps": "inline:{ { any@x.test= } }"})


def test_mapped_addresses_are_known_recipients() -> None:
    """is_mapped."""
    assert resolver().is_mapped(Address.parse(b"a+x@alias.test"))
    assert not resolver().is_mapped(Address.parse(b"nobody@alias.test"))
    canonical = resolver({"canonical_maps": "inline:{ old@box.test=me@box.test }"})
    assert canonical.is_mapped(Address.parse(b"old@box.test"))


CLASSES = [
    ("root@mx.test", AddressClass.LOCAL, "local", "mx.test"),
    ("root@MX.test", AddressClass.LOCAL, "local", "mx.test"),
    ("x@local.test", AddressClass.LOCAL, "local", "mx.test"),
    ("x@box.test", AddressClass.VIRTUAL_MAILBOX, "virtual", "box.test"),
    ("x@sub.box.test", AddressClass.DEFAULT, "smtp", "sub.box.test"),
    ("x@relay.test", AddressClass.RELAY, "relay", "relay.test"),
    ("x@elsewhere.test", AddressClass.DEFAULT, "smtp", "elsewhere.test"),
]


@pytest.mark.parametrize(("address", "found", "transport", "nexthop"), CLASSES)
def test_classes(address: str, found: AddressClass, transport: str, nexthop: str) -> None:
    """ADDRESS_CLASS_README."""
    resolution = resolver().resolve(Address.parse(address.encode()))
    assert (resolution.address_class, resolution.transport, resolution.nexthop) == (found, transport, nexthop)
