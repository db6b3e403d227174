"""relayhost, fallback relays and loops beside Debian's Postfix: what returns mail, and what has it wait."""

from collections.abc import Iterator
from typing import Final

import pytest

from fakes.directories import let_others_in
from fakes.network import address
from fakes.outbound_world import Scenario, Server, World

pytestmark = [pytest.mark.system, pytest.mark.root, pytest.mark.peer("postfix", "named", "unshare", "ip")]

_US: Final = f"us IN A {address(2)}\nus IN A {address(3)}\n"
_RELAYS: Final = {
    # service: relayhost of its own, fallback relays
    "unknown": ("missing.test", ""),
    "addressless": ("[nohost.test]", ""),
    "loop": ("ours.test", ""),
    "refused": ("mx0.refused.test", ""),
    "unfriendly": ("[mx0.unfriendly.test]", ""),
    "null": ("nullmx.test", ""),
    "other": ("elsewhere.test", ""),
    "fallunknown": ("", "[missing.test]"),
    "fallloop": ("", "[us.ours.test]"),
    "fallgood": ("", "[missing.test] [mx0.good.test]"),
    "fallnot": ("", "[mx0.good.test]"),
}
_SCENARIOS: Final = (
    Scenario(name="good"),
    Scenario(name="refused", servers=(Server(None),)),
    Scenario(name="unfriendly", servers=(Server({"greeting": b"554 5.7.1 Go away"}),)),
    Scenario(name="ours", servers=(), records=f"@ IN MX 10 us\n{_US}"),
    Scenario(name="nohost", servers=(), records="@ IN TXT hello\n"),
    Scenario(name="nullmx", servers=(), records="@ IN MX 0 .\n"),
    Scenario(name="backup", servers=(Server(None),), records=f"@ IN MX 20 us\n{_US}"),
    Scenario(name="primary", servers=(), records=f"@ IN MX 10 gone\n@ IN MX 20 us\n{_US}"),
)
CASES: Final = [
    # transport and nexthop
    "unknown:missing.test",
    "unknown:nohost.test",
    "addressless:[nohost.test]",
    "loop:ours.test",
    "loop:[us.ours.test]",
    "refused:mx0.refused.test",
    "unfriendly:[mx0.unfriendly.test]",
    "null:nullmx.test",
    "other:missing.test",
    "other:nullmx.test",
    "fallunknown:missing.test",
    "fallunknown:refused.test",
    "fallunknown:nullmx.test",
    "fallloop:refused.test",
    "fallgood:missing.test",
    "fallgood:refused.test",
    "fallgood:nullmx.test",
    "fallnot:ours.test",
    "fallnot:backup.test",
    "fallnot:primary.test",
    "smtp:primary.test",
    "smtp:backup.test",
]
_MAIN_CF: Final = """\
notify_classes =
smtpd_reject_unlisted_recipient = no
smtp_connection_cache_on_demand = no
smtp_randomize_addresses = no
transport_maps = inline:{{{}}}
""".format(" ".join(f"{{ case{at}.test = {case} }}" for at, case in enumerate(CASES)))
_SERVICES: Final = "".join(
    f"{name} unix - - n - - smtp -o relayhost={relayhost} -o {{ smtp_fallback_relay = {fallback} }}\n"
    for name, (relayhost, fallback) in _RELAYS.items()
)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """The hosts, once for all cases."""
    directory = tmp_path_factory.mktemp("internet")
    let_others_in(directory)
    made = World(directory, _SCENARIOS, _MAIN_CF, services=_SERVICES)
    try:
        yield made
    finally:
        made.end()


@pytest.mark.parametrize("case", CASES)
def test_the_same_as_postfix(world: World, case: str) -> None:
    """A relayhost or fallback relay that cannot be used is our mistake, and no mail comes back for it."""
    theirs, ours = world.play(Scenario(name=f"case{CASES.index(case)}"))
    for one, other in zip(theirs, ours, strict=True):
        assert one == other, f"{one}\n--- and ours:\n{other}"
