"""Who a client before login is."""

import base64

import pytest

from pillarbox.daemons.login_peer import session_id


@pytest.mark.parametrize(
    ("address", "expected"), [("127.0.0.1", "7f000001"), ("fd53::7", "fd530000000000000000000000000007")]
)
def test_ids_are_of_time_port_and_address(address: str, expected: str) -> None:
    """Dovecot's: 48 bits of microseconds and the port, the least significant octet first, then the address."""
    octets = base64.b64decode(session_id(1_700_000_000.25, 0x1234, address), validate=True)
    assert int.from_bytes(octets[:6], "little") == 1_700_000_000_250_000 % 2**48
    assert octets[6:].hex() == "3412" + expected
