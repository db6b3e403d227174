"""The doveadm protocol: lines and frames, there and back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pillarbox.wire import doveadm_protocol as protocol
from pillarbox.wire.doveadm_protocol import Asked, FrameReader


def test_a_command_is_read_as_it_was_sent() -> None:
    """As Dovecot 2.3.19 sends it; with octets that divide values."""
    asked = Asked("", "me", ("mailbox", "status", "-A", "--", "messages\tvsize", "INBOX"))
    line = protocol.command_line(asked, name_words=2)
    assert line == b"\tme\tmailbox status\t-A\t--\tmessages\x01tvsize\tINBOX\n"
    assert protocol.read_command(line.rstrip(b"\n")) == asked
    assert protocol.read_command(b"\tme") is None


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (b"VERSION\tdoveadm-server\t1\t2", 2),
        (b"VERSION\tdoveadm-server\t1\t0", 0),
        (b"VERSION\tdoveadm-server\t2\t2", None),
        (b"VERSION\tdsync\t1\t2", None),
        (b"frob", None),
    ],
)
def test_versions(line: bytes, expected: int | None) -> None:
    """Of a client."""
    assert protocol.client_version(line) == expected


def test_logins() -> None:
    """Name and password; what is none has neither."""
    assert protocol.login_line("doveadm", "secret") == b"PLAIN\tAGRvdmVhZG0Ac2VjcmV0\n"
    assert protocol.read_login(b"PLAIN\tAGRvdmVhZG0Ac2VjcmV0") == ("doveadm", "secret")
    assert protocol.read_login(b"PLAIN\tAAAA") == ("", "")
    assert protocol.read_login(b"PLAIN\t*") == ("", "")
    assert protocol.read_login(b"LOGIN\tx") is None


@pytest.mark.parametrize("status", [0, 2, 64, 65, 67, 68, 75, 77])
def test_results(status: int) -> None:
    """Exit statuses, with a word or as numbers."""
    assert protocol.read_result(protocol.result_line(status).rstrip(b"\n")) == status


def test_what_is_no_result() -> None:
    """And a word that nobody knows."""
    assert protocol.read_result(b"frob") is None
    assert protocol.read_result(b"-") == 75


@given(st.lists(st.binary(max_size=20), max_size=5), st.integers(1, 7))
def test_frames_in_any_pieces(parts: list[bytes], size: int) -> None:
    """Output is the same octets; a line of the log comes as one."""
    octets = b"".join(protocol.frame(protocol.OUTPUT, part) for part in parts)
    octets += protocol.log_frame("Warning", "text") + protocol.frame(protocol.OUTPUT, b"end")
    reader = FrameReader()
    found = [one for at in range(0, len(octets), size) for one in reader.feed(octets[at : at + size])]
    assert b"".join(part for channel, part in found if channel == protocol.OUTPUT) == b"".join(parts) + b"end"
    logged = [protocol.read_log_line(part) for channel, part in found if channel == protocol.LOG]
    assert logged == [("Warning", "text")]
