"""Resolutions are remembered where nothing can change them, and nowhere else."""

from pathlib import Path

import pytest

from pillarbox.config.computed_defaults import HostFacts
from pillarbox.config.snapshot import Snapshot
from pillarbox.routing.configured_routes import configured_routes
from pillarbox.routing.resolution import Resolver
from pillarbox.vocabulary.address import Address
from pillarbox.vocabulary.clock import ManualClock

USER = Address(b"user", b"away.test")


def resolver(clock: ManualClock, **settings: str) -> Resolver:
    """With these settings beside the usual ones."""
    values = {"myhostname": "mx.test", "mydestination": "mx.test", **settings}
    return Resolver(configured_routes(Snapshot.of(values, facts=HostFacts(hostname="mx.test")), clock=clock))


def test_an_answer_that_cannot_change_is_found_once() -> None:
    asked = resolver(ManualClock(), transport_maps="inline:{ away.test=smtp:[relay.test] }")
    first = asked.resolve(USER)
    assert (first.transport, first.nexthop) == ("smtp", "[relay.test]")
    assert asked.resolve(Address(b"user", b"away.test")) is first
    assert asked.resolve(Address(b"other", b"away.test")).recipient.local_part == b"other"


@pytest.mark.parametrize("parameter", ["transport_maps", "relocated_maps"])
def test_a_table_that_is_read_again_is_asked_each_time(tmp_path: Path, parameter: str) -> None:
    clock, table = ManualClock(), tmp_path / "table"
    table.write_text("user@away.test smtp:[one.test]\n")
    asked = resolver(clock, **{parameter: f"texthash:{table}"})
    assert "one.test" in asked.resolve(USER).nexthop
    table.write_text("user@away.test smtp:[number-two.test]\n")
    clock.advance(2)
    assert "number-two.test" in asked.resolve(USER).nexthop


def test_what_depends_on_the_sender_is_asked_each_time() -> None:
    relays = "inline:{ a@mx.test=[for-a.test], b@mx.test=[for-b.test] }"
    asked = resolver(ManualClock(), sender_dependent_relayhost_maps=relays)
    nexthops = [asked.resolve(USER, Address(user, b"mx.test")).nexthop for user in (b"a", b"b", b"c")]
    assert nexthops == ["[for-a.test]", "[for-b.test]", "away.test"]


def test_memory_for_them_is_bounded() -> None:
    asked = resolver(ManualClock())
    for number in range(5000):
        asked.resolve(Address(b"user%d" % number, b"away.test"))
    assert len(asked._resolutions) <= 1024
