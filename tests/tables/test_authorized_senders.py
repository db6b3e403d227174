"""Who may send as whom: every form of pattern, as in postconf(5)."""

import pytest

from pillarbox.config.snapshot import Snapshot
from pillarbox.tables.authorized_senders import AuthorizedSenders
from pillarbox.tables.table import LookupFault
from pillarbox.vocabulary.clock import ManualClock

NOBODY = 65534
STRANGER = 54321  # without a name
MAPS = 'inline:{ { nobody = one@x.test, @dom.test bare <> "a, b"@x.test } { uid:54321 = * } }'


def senders(maps: str, **settings: str) -> AuthorizedSenders:
    snapshot = Snapshot.of({"local_login_sender_maps": maps, "recipient_delimiter": "+", **settings})
    return AuthorizedSenders.of(snapshot, clock=ManualClock())


@pytest.mark.parametrize(
    ("uid", "sender", "allowed"),
    [
        (NOBODY, b"one@x.test", True),
        (NOBODY, b"One@X.test", True),
        (NOBODY, b"one+ext@x.test", True),
        (NOBODY, b"+one@x.test", False),
        (NOBODY, b"two@x.test", False),
        (NOBODY, b"any@dom.test", True),
        (NOBODY, b"any@sub.dom.test", False),
        (NOBODY, b"bare", True),
        (NOBODY, b"bare@x.test", False),
        (NOBODY, b"a, b@x.test", True),
        (NOBODY, b"A, b+ext@x.test", True),
        (NOBODY, b"a@x.test", False),
        (NOBODY, b"", True),
        (NOBODY, b"gr\xc3\xbcn@dom.test", True),
        (NOBODY, b"\xff@x.test", False),
        (STRANGER, b"any@where.test", True),
        (STRANGER, b"", True),
        (STRANGER + 1, b"one@x.test", False),
        (0, b"any@where.test", False),
    ],
)
def test_senders(uid: int, sender: bytes, allowed: bool) -> None:
    """An address, a domain, the null sender, or any."""
    objection = senders(MAPS).objection(uid, sender)
    shown = sender.decode("utf-8", "surrogateescape")
    assert objection == ("" if allowed else f"not authorized to use sender='{shown}'")


def test_everybody_by_default() -> None:
    """static:* is not even asked."""
    assert senders("static:*").objection(NOBODY, b"any@where.test") == ""


def test_another_key_for_the_null_sender() -> None:
    """empty_address_local_login_sender_maps_lookup_key"""
    made = senders(MAPS, empty_address_local_login_sender_maps_lookup_key="bare")
    assert made.objection(NOBODY, b"") == ""
    made = senders(MAPS, empty_address_local_login_sender_maps_lookup_key="null")
    assert made.objection(NOBODY, b"") == "not authorized to use sender=''"


def test_a_table_that_cannot_answer() -> None:
    """It is not taken for one that has nobody."""
    with pytest.raises(LookupFault):
        senders("fail:x").objection(NOBODY, b"one@x.test")
