"""Addresses and networks, as dovecot.conf and users' databases have them."""

import pytest

from pillarbox.vocabulary.ip_addresses import is_within, network


@pytest.mark.parametrize(
    ("text", "address", "expected"),
    [
        ("fd53::/64", "fd53::7", True),
        ("[fd53::]/64", "fd53::7", True),
        ("[fd53::7]", "fd53::7", True),
        ("fd53::7", "fd53::8", False),
        ("::/0", "192.0.2.1", False),
        ("192.0.2.0/24", "::ffff:192.0.2.1", True),
        ("192.0.2.1", "192.0.2.1", True),
    ],
)
def test_who_is_within(text: str, address: str, expected: bool) -> None:
    """With brackets and without; IPv4 in IPv6 is IPv4."""
    assert is_within(address, network(text)) is expected


@pytest.mark.parametrize("text", ["[fd53::/64]", "[192.0.2.1]", "zz::1", "fd53::/129", ""])
def test_what_is_no_network(text: str) -> None:
    """Dovecot's net_parse_range() refuses the same."""
    with pytest.raises(ValueError, match="does not appear to be"):
        network(text)
