"""Values of parameters that are named after a transport."""

import pytest

from pillarbox.config.snapshot import Snapshot
from pillarbox.config.transport_values import check_transport_values, transport_value
from pillarbox.config.unserved_parameters import TRANSPORT_PARAMETERS
from pillarbox.vocabulary.faults import ConfigurationFault

WRONG = [
    ("slow_initial_destination_concurrency", "0", "invalid slow_initial_destination_concurrency parameter value 0 < 1"),
    ("slow_destination_concurrency_limit", "x", '"x" is not a number'),
    ("slow_delivery_slot_discount", "101", "invalid slow_delivery_slot_discount parameter value 101 > 100"),
    ("slow_recipient_refill_limit", "0", "invalid slow_recipient_refill_limit parameter value 0 < 1"),
    ("slow_recipient_refill_delay", "0", "invalid slow_recipient_refill_delay parameter value 0 < 1"),
    ("slow_destination_rate_delay", "-1", '"-1" is not a time'),
    ("slow_transport_rate_delay", "1x", '"1x" is not a time'),
]  # fmt: skip


@pytest.mark.parametrize(("name", "value", "said"), WRONG)
def test_what_qmgr_would_end_for(name: str, value: str, said: str) -> None:
    """With the line."""
    with pytest.raises(ConfigurationFault, match=said) as fault:
        check_transport_values(Snapshot.of({name: value}), "slow")
    assert str(fault.value).startswith("main.cf, line 1")


def test_units_and_defaults() -> None:
    """A default comes from the parameter that it names."""
    snapshot = Snapshot.of({"slow_destination_rate_delay": "2m", "default_transport_rate_delay": "3s"})
    found = [transport_value(snapshot, "slow", f"{kind}_rate_delay") for kind in ("destination", "transport")]
    assert [120, 3] == found


@pytest.mark.parametrize("suffix", sorted(name for name in TRANSPORT_PARAMETERS if "feedback" not in name))
def test_all_are_looked_at(suffix: str) -> None:
    """But feedback, which counts as 1 when it cannot be read."""
    with pytest.raises(ConfigurationFault):
        check_transport_values(Snapshot.of({f"slow_{suffix}": "x"}), "slow")
