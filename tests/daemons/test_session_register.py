"""How many sessions a client has, as they begin, move between processes and end."""

import msgspec

from pillarbox.daemons.session_register import SessionRegister
from pillarbox.net.handover import OpenSession, Peer


def test_counts_are_of_user_address_and_protocol() -> None:
    """One that is parked, or goes on in another worker, is the same session."""
    register = SessionRegister()
    for number, service in enumerate(("imap", "imap", "pop3")):
        register[f"s{number}"] = OpenSession("me", service, 100, "192.0.2.1", f"s{number}")
    register["other"] = OpenSession("you", "imap", 100, "192.0.2.1", "other")
    register["s0"] = msgspec.structs.replace(register["s0"], pid=200)
    assert register.count("me", "192.0.2.1", "imap") == 2
    assert register.count("me", "192.0.2.1", "pop3") == 1
    assert register.count("me", "192.0.2.2", "imap") == 0

    del register["s0"]
    assert register.pop("s0", None) is None
    assert register.count("me", "192.0.2.1", "imap") == 1
    assert sorted(register) == ["other", "s1", "s2"]


def test_no_two_sessions_have_one_id() -> None:
    """A proxy may tell the same of two of its clients; they are counted, and kicked, each by itself."""
    register = SessionRegister()
    peer = Peer("imap", "192.0.2.1", "192.0.2.2", "told", True)
    for expected in ("told", "told:2", "told:3"):
        distinct = register.distinct(peer)
        assert distinct == msgspec.structs.replace(peer, session=expected)
        register[expected] = OpenSession("me", "imap", 100, "192.0.2.1", expected)
    assert register.count("me", "192.0.2.1", "imap") == 3
