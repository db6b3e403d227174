"""Which lists are refused at start, because they would let everybody relay."""

import pytest

from pillarbox.access.configured_lists import configured_access
from pillarbox.config.computed_defaults import HostFacts
from pillarbox.config.snapshot import Snapshot
from pillarbox.vocabulary.clock import ManualClock
from pillarbox.vocabulary.faults import ConfigurationFault

CASES = [  # name, smtpd_relay_restrictions, smtpd_recipient_restrictions, whether that is refused
    ("nothing refuses", "permit_mynetworks", "permit_sasl_authenticated", True),
    ("what is permitted is permitted", "permit_mynetworks, permit, reject", "", True),
    ("the other list refuses", "permit", "permit_mynetworks, reject_unauth_destination, permit", False),
    ("only a warning", "warn_if_reject reject_unauth_destination", "", True),
    ("behind a warning", "warn_if_reject permit_mynetworks, defer", "", False),
    ("a restriction class", "permit_mynetworks, strangers", "", False),
    ("a class of a class", "permit_mynetworks, everybody", "", False),
    ("a class that refuses nothing", "permit_mynetworks, friends", "", True),
    ("in capitals", "Permit_MyNetworks, Reject", "", False),
    ("a restriction of old", "check_relay_domains", "", False),
]


@pytest.mark.parametrize(
    ("relay", "recipient", "refused"), [row[1:] for row in CASES], ids=[str(row[0]) for row in CASES]
)
def test_open_relays(relay: str, recipient: str, refused: bool) -> None:
    """One of both lists has to refuse somebody, in a place that is reached."""
    settings = {
        "compatibility_level": "3.6",
        "smtpd_relay_restrictions": relay,
        "smtpd_recipient_restrictions": recipient,
        "smtpd_restriction_classes": "strangers, everybody, friends",
        "strangers": "permit_sasl_authenticated, reject_unauth_destination",
        "everybody": "friends, strangers",
        "friends": "permit, reject",
    }
    snapshot = Snapshot.of(settings, facts=HostFacts(hostname="mx.test"))
    if not refused:
        configured_access(snapshot, clock=ManualClock())
        return
    with pytest.raises(ConfigurationFault, match="specify at least one working instance of"):
        configured_access(snapshot, clock=ManualClock())
