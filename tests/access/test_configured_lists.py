"""Which lists are refused at start, because they would let everybody relay."""

from pathlib import Path

import pytest

from fakes.smtp_conversation import converse
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


@pytest.mark.parametrize(("soft", "told"), [("no", "554 5.7.1"), ("yes", "454 4.7.1")])
def test_a_warning_says_what_would_have_been_told(soft: str, told: str, tmp_path: Path) -> None:
    """soft_bounce."""
    settings = {"soft_bounce": soft, "smtpd_recipient_restrictions": "warn_if_reject reject"}
    sent = [b"EHLO x\r\n", b"MAIL FROM:<>\r\n", b"RCPT TO:<me@box.test>\r\n", b"QUIT\r\n"]
    done = converse(tmp_path / "q", sent, settings=settings)
    label = "client.test[192.0.2.7]"
    assert any(f"reject_warning: RCPT from {label}: {told} <me@box.test>" in line for line in done.lines), (
        done.lines
    )


DEFERRALS = [  # restrictions, reply to RCPT TO:<none@box.test>
    ("smtpd_recipient_restrictions", "check_recipient_access inline:{ {box.test = DEFER_IF_REJECT x} }", b"459 4.7.1 <none@box.test>: Recipient address rejected: x"),
    ("smtpd_sender_restrictions", "check_sender_access inline:{ {x@box.test = DEFER_IF_REJECT y} }", b"459 4.7.1 <x@box.test>: Sender address rejected: y"),
    ("smtpd_client_restrictions", "check_client_access inline:{ {192.0.2 = DEFER_IF_PERMIT z} }", b"459 4.7.1 <client.test[192.0.2.7]>: Client host rejected: z"),
    ("smtpd_helo_restrictions", "check_helo_access inline:{ {client.test = DEFER_IF_REJECT x} }", b"550 5.1.0 <x@box.test>: Sender address rejected: User unknown in virtual mailbox table"),
]  # fmt: skip


@pytest.mark.parametrize(("parameter", "restriction", "reply"), DEFERRALS)
def test_deferrals_by_tables(parameter: str, restriction: str, reply: bytes, tmp_path: Path) -> None:
    """access_map_defer_code; DEFER_IF_REJECT counts for users who are not listed, but not in another list."""
    settings = {
        "access_map_defer_code": "459",
        "smtpd_reject_unlisted_sender": "yes" if reply[:1] == b"5" or "sender" in parameter else "no",
        parameter: restriction,
    }
    sent = [
        b"EHLO client.test\r\n",
        b"MAIL FROM:<x@box.test>\r\n",
        b"RCPT TO:<none@box.test>\r\n",
        b"QUIT\r\n",
    ]
    done = converse(tmp_path / "q", sent, settings=settings)
    assert done.replies[-2].encode() == reply
