"""mail_attribute_dict: whose file is where."""

import pytest

from pillarbox.config.dovecot.attribute_file import attribute_file, attribute_file_of
from pillarbox.config.dovecot.reading import parse_configuration
from pillarbox.vocabulary.faults import ConfigurationFault


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("", ""),
        ("mail_attribute_dict = file:%h/Maildir/dovecot-attributes\n", "/home/me/Maildir/dovecot-attributes"),
        ("mail_attribute_dict = file:~/attributes:lock=fcntl\n", "/home/me/attributes"),
        ("mail_attribute_dict = file:/var/mail/%d/%n.dict\n", "/var/mail/example.org/me.dict"),
    ],
)
def test_the_file_of_a_user(text: str, path: str) -> None:
    """Variables and the home directory."""
    template = attribute_file(parse_configuration(text))
    assert path == attribute_file_of(template, user="me@example.org", home="/home/me")


@pytest.mark.parametrize("user", ["../me@x", "me@..", "a/b"])
def test_names_are_no_paths(user: str) -> None:
    """Nobody comes into another user's directory."""
    with pytest.raises(ConfigurationFault, match="cannot be part of a path"):
        attribute_file_of("/var/mail/%d/%n", user=user, home="/home/me")


def test_a_home_is_needed() -> None:
    """A relative path would lie wherever the process is."""
    for template in ("%h/x", "~/x"):
        with pytest.raises(ConfigurationFault, match="no home directory"):
            attribute_file_of(template, user="me", home="")
    with pytest.raises(ConfigurationFault, match="not an absolute path"):
        attribute_file_of("x", user="me", home="/home/me")
