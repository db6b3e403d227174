"""virtual_alias_maps and address classes."""

from collections.abc import Mapping

import pytest

from pillarbox.config.computed_defaults import HostFacts
from pillarbox.config.snapshot import Snapshot
from pillarbox.routing.alias_expansion import ExpansionFault, expand, is_alias
from pillarbox.routing.configured_routes import configured_routes
from pillarbox.routing.resolution import AddressClass, Resolver
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


def resolver(settings: Mapping[str, str] | None = None) -> Resolver:
    snapshot = Snapshot.of({**SETTINGS, **(settings or {})}, facts=HostFacts(hostname="mx.test"))
    return Resolver(configured_routes(snapshot, clock=ManualClock()))


EXPANSIONS = [
    ("no alias", "me@box.test", ["me@box.test"]),
    ("one", "a@alias.test", ["me@box.test"]),
    ("in any case", "A@Alias.Test", ["me@box.test"]),
    ("through another", "list@alias.test", ["b@x.test", "c@x.test", "me@box.test"]),
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
    found = expand(Address.parse(address.encode()), resolver=resolver())
    assert sorted(one.internal.decode() for one in found) == results


def test_extensions_stay_behind_if_they_should() -> None:
    """propagate_unmatched_extensions without virtual."""
    found = expand(Address.parse(b"a+x@alias.test"), resolver=resolver(), propagate=False)
    assert [one.internal for one in found] == [b"me@box.test"]


def test_a_circle_ends() -> None:
    """Each address is looked up once."""
    found = expand(Address.parse(b"one@alias.test"), resolver=resolver())
    assert len(found) <= 2


def test_limits() -> None:
    """Exactly as many results as virtual_alias_expansion_limit are taken."""
    many = resolver({"virtual_alias_maps": "inline:{ { l@box.test=a@x.test b@x.test c@x.test } }"})
    address = Address.parse(b"l@box.test")
    assert len(expand(address, resolver=many, expansion_limit=3)) == 3
    with pytest.raises(ExpansionFault, match="expansion size"):
        expand(address, resolver=many, expansion_limit=2)
    with pytest.raises(ExpansionFault, match="nesting"):
        expand(Address.parse(b"list@alias.test"), resolver=resolver(), recursion_limit=0)


def test_aliases_are_known_recipients() -> None:
    """is_alias."""
    assert is_alias(Address.parse(b"a+x@alias.test"), resolver=resolver())
    assert not is_alias(Address.parse(b"nobody@alias.test"), resolver=resolver())


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
