"""imap_id_send."""

import os

import pytest

from pillarbox.config.dovecot.reading import parse_configuration
from pillarbox.config.dovecot.server_identity import server_identity
from pillarbox.vocabulary.faults import ConfigurationFault


@pytest.mark.parametrize(
    ("text", "fields"),
    [
        ("", (("name", "Dovecot"),)),
        ("imap_id_send = name *\n", (("name", "Dovecot"),)),
        (
            'imap_id_send = name "My Server" os * foo bar x\n',
            (("name", "My Server"), ("os", os.uname().sysname), ("foo", "bar"), ("x", None)),
        ),
        ("imap_id_send = support-url *\n", (("support-url", None),)),
        ("imap_id_send =\n", ()),
    ],
)
def test_fields(text: str, fields: tuple[tuple[str, str | None], ...]) -> None:
    """Words in turn, in quotes or not."""
    assert fields == server_identity(parse_configuration(text))


def test_too_many() -> None:
    """RFC 2971 §3.3."""
    with pytest.raises(ConfigurationFault, match="more than 30 fields"):
        server_identity(parse_configuration("imap_id_send = " + "a b " * 31 + "\n"))
