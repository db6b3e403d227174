"""dovecot-oauth2.conf.ext: what is read, and what is complained of."""

from pathlib import Path

import pytest

from pillarbox.config.dovecot.oauth2_file import oauth2_settings
from pillarbox.config.oauth2_settings import OAuth2Settings
from pillarbox.vocabulary.faults import ConfigurationFault


def read(tmp_path: Path, text: str) -> OAuth2Settings:
    """The settings of such a file."""
    (tmp_path / "oauth2").write_text(text)
    return oauth2_settings(str(tmp_path / "oauth2"), "dovecot.conf")


def test_lines(tmp_path: Path) -> None:
    """Comments, quotes, lines that go on, and other files."""
    (tmp_path / "more").write_text("scope = mail\n")
    text = """
# nothing
introspection_url = http://a.example/?t=  # the token follows
client_id = one\\
  two
client_secret = "a#b\\"c"
issuers = us  them
timeout_msecs = 500
tls_allow_invalid_cert = yes
debug = yes
!include more
!include_try nowhere
local_validation_key_dict = fs:posix:prefix=/etc/keys/
"""
    assert read(tmp_path, text) == OAuth2Settings(
        introspection_url="http://a.example/?t=",
        client_id="one two",
        client_secret='a#b"c',
        issuers=("us", "them"),
        timeout_msecs=500,
        tls_allow_invalid_cert=True,
        scope="mail",
        key_directory="/etc/keys/",
    )


COMPLAINTS = [
    ("unknown", "foo = bar\n", "line 1: Unknown setting: foo"),
    ("no value", "\nscope\n", "line 2: Missing '='"),
    ("no number", "timeout_msecs = soon\n", "Invalid number: soon"),
    ("no boolean", "send_auth_headers = maybe\n", "Invalid boolean: maybe"),
    ("nobody to ask", "scope = x\n", "validation key dictionary must be given"),
    (
        "no value to look for",
        "introspection_url = http://a\nactive_value =\n",
        "Cannot have empty active_value",
    ),
    (
        "nothing to look at",
        "introspection_url = http://a\nactive_attribute =\n",
        "Cannot have empty active_attribute",
    ),
    (
        "mode",
        "introspection_url = http://a\nintrospection_mode = x\n",
        "Invalid value 'x' for introspection mode",
    ),
    (
        "no keys",
        "introspection_url = http://a\nintrospection_mode = local\n",
        "local_validation_key_dict is required",
    ),
    (
        "no such dict",
        "local_validation_key_dict = redis:\n",
        "local_validation_key_dict redis: is not served",
    ),
    ("nobody about a token", "grant_url = http://a\nclient_id = x\n", "nobody can be asked about a token"),
    ("no grant", "use_grant_password = yes\ntokeninfo_url = http://a\n", "grant_url is not"),
    ("no URL", "introspection_url = ftp://a\n", "Invalid introspection_url: ftp://a"),
    ("no port", "tokeninfo_url = http://a:b\n", "Invalid tokeninfo_url"),
    ("nobody to trust", "tokeninfo_url = https://a\n", "without trusted CAs"),
    ("no such variable", "tokeninfo_url = http://a\npass_attrs = x=%{zork}\n", "Unknown variable '%{zork}'"),
    ("itself", "!include oauth2\n", "Recursive include file"),
    ("no file", "!include nowhere\n", "No matches"),
]


@pytest.mark.parametrize(
    ("text", "complaint"), [case[1:] for case in COMPLAINTS], ids=[case[0] for case in COMPLAINTS]
)
def test_complaints(tmp_path: Path, text: str, complaint: str) -> None:
    """The file is named, and what is wrong with it."""
    with pytest.raises(ConfigurationFault) as raised:
        read(tmp_path, text)
    assert complaint in str(raised.value)
    assert f"oauth2 {tmp_path}/oauth2" in str(raised.value)


def test_no_file() -> None:
    """As Dovecot's auth process says when it dies of it."""
    with pytest.raises(ConfigurationFault, match="Can't open configuration file /nowhere: No such file"):
        oauth2_settings("/nowhere", "dovecot.conf")
    with pytest.raises(ConfigurationFault, match="args is not the path of a file"):
        oauth2_settings("", "dovecot.conf")
