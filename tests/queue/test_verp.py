"""An envelope sender for each recipient."""

import pytest

from pillarbox.queue.verp import verp_sender


@pytest.mark.parametrize(
    ("sender", "recipient", "expected"),
    [
        (b"list@example.org", b"user@example.com", b"list+user=example.com@example.org"),
        (b"list", b"user@example.com", b"list+user=example.com"),
        (b"list@example.org", b"user", b"list+user@example.org"),
        (b"a@b@example.org", b"c@d@e.test", b"a@b+c@d=e.test@example.org"),
        (b"list@example.org", b"user@", b"list+user@example.org"),
        (b"list@", b"user@example.com", b"list+user=example.com"),
    ],
)
def test_the_sender(sender: bytes, recipient: bytes, expected: bytes) -> None:
    """The recipient's last @ becomes the second delimiter."""
    assert verp_sender(sender, b"+=", recipient) == expected
    assert verp_sender(sender, b"--", recipient) == expected.replace(b"+", b"-").replace(b"=", b"-")
