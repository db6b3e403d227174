"""%-variables in the forms of 2.3 and 2.4."""

import pytest

from pillarbox.config.dovecot.variables import check, expand, user_values

VALUES = {
    **user_values("Me@Example.org"),
    "service": "imap",
    "home": "/home/me",
    "uid": "1000",
    "rip": "192.0.2.1",
}
CASES = [
    ("/var/mail/%u", "/var/mail/Me@Example.org"),
    ("/srv/%d/%n", "/srv/Example.org/Me"),
    ("%Lu", "me@example.org"),
    ("%Ld/%Un", "example.org/ME"),
    ("%1n/%2n/%n", "M/Me/Me"),
    ("%-1n", "e"),
    ("%1.1n", "e"),
    ("%Mn", "318b2739ddc2c16c97b33c9b04b79f3e"),
    ("%2.2Mn", "8b"),
    ("%%u", "%u"),
    ("%{user}", "Me@Example.org"),
    ("%{user | username | lower}", "me"),
    ("%{user|domain|upper}", "EXAMPLE.ORG"),
    ("%{user | substr(0, 2)}", "Me"),
    ("%{session | default('none')}", "none"),
    ("%s-%r", "imap-192.0.2.1"),
    ("%h/Maildir", "/home/me/Maildir"),
    ("%{userdb:x}", ""),
    ("%Xi", "3e8"),
    ("no variable, 100%", "no variable, 100%"),
]


@pytest.mark.parametrize(("text", "expected"), CASES)
def test_expansion(text: str, expected: str) -> None:
    """Short and long names, modifiers and filters."""
    assert expand(text, VALUES) == expected


def test_hash_modifier_stays_below_its_limit() -> None:
    """%256Hu: a directory number, the same for each user every time."""
    found = {expand("%256Nu", user_values(f"u{number}")) for number in range(300)}
    assert all(int(text, 16) < 256 for text in found)
    assert len(found) > 100


@pytest.mark.parametrize("text", ["%q", "%{nosuch}", "%{user | rot13}", "%Qu"])
def test_what_does_not_exist_is_told(text: str) -> None:
    """A typing mistake must not become a path."""
    with pytest.raises(ValueError, match="Unknown"):
        check(text)
