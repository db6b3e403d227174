"""What a trusted proxy tells of its client, by ID and by XCLIENT."""

import pytest

from pillarbox.sessions.forwarded_client import ForwardedClient, told_by_id, told_by_xclient

ALL = ForwardedClient("2001:db8::99", 777, "2001:db8::98", 993, "abcdef")


def test_all_of_it_by_id() -> None:
    """Names in any case; other fields are the client's own."""
    fields = {
        b"X-Originating-IP": b"2001:DB8:0::99",
        b"x-originating-port": b"777",
        b"x-connected-ip": b"2001:db8::98",
        b"x-connected-port": b"993",
        b"x-session-id": b"abcdef",
        b"name": b"webmail",
    }
    assert told_by_id([*fields.items()]) == ALL


@pytest.mark.parametrize(
    ("name", "value"),
    [
        (b"x-originating-ip", b"zz"),
        (b"x-originating-ip", b"fe80::1%lo"),
        (b"x-originating-ip", None),
        (b"x-originating-port", b"77777"),
        (b"x-originating-port", b"-1"),
        (b"x-session-id", b"a\tservice=x"),
        (b"x-session-id", b"a" * 65),
        (b"x-forward-foo", b"bar"),
    ],
)
def test_what_counts_for_nothing(name: bytes, value: bytes | None) -> None:
    """No address, no port, no id that may stand in a log."""
    assert told_by_id([(name, value)]) == ForwardedClient()


@pytest.mark.parametrize(
    ("arguments", "told", "is_right"),
    [
        (b"ADDR=192.0.2.7 PORT=99 SESSION=xyz TTL=5", ForwardedClient("192.0.2.7", 99, session="xyz"), True),
        (b"addr=2001:db8::1", ForwardedClient("2001:db8::1"), True),
        (b"ADDR=zz PORT=99", ForwardedClient(remote_port=99), False),
        (b"PORT=0", ForwardedClient(), False),
        (b"TTL=x", ForwardedClient(), False),
        (b"FOO=bar", ForwardedClient(), True),
        (b"", ForwardedClient(), True),
    ],
)
def test_by_xclient(arguments: bytes, told: ForwardedClient, is_right: bool) -> None:
    """What is right of it counts, even if the reply says that something is not."""
    assert told_by_xclient(arguments) == (told, is_right)
