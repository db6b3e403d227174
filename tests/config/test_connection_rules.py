"""Which settings count for a connection."""

import pytest

from pillarbox.config.connection_rules import ConnectionBlock, ConnectionRules
from pillarbox.config.dovecot.connection_blocks import connection_blocks
from pillarbox.config.dovecot.reading import parse_configuration
from pillarbox.vocabulary.faults import ConfigurationFault

OUTSIDE = {
    "disable_plaintext_auth": "yes",
    "login_greeting": "outside",
    "mail_max_userip_connections": "10",
    "ssl": "yes",
    "ssl_cert": "/outside.pem",
    "ssl_key": "/outside.key",
}
BLOCKS = """\
ssl_cert = </outside.pem
ssl_key = </outside.key
protocol pop3 {
  login_greeting = pop3
  mail_max_userip_connections = 3
}
remote 10.0.0.0/8 {
  disable_plaintext_auth = no
  login_greeting = ten
  protocol !pop3 {
    mail_max_userip_connections = 99
  }
}
remote 10.1.0.0/16 {
  login_greeting = ten one
  ssl = required
}
local 2001:db8::1 {
  login_greeting = six
  ssl_cert = </six.pem
  ssl_key = </six.key
}
local_name "mx.example.org *.example.net" {
  ssl_cert = </mx.pem
  ssl_key = </mx.key
}
local_name only.example.org {
  ssl_cert = </only.pem
}
"""


@pytest.fixture
def rules() -> ConnectionRules:
    """Of the file above."""
    return ConnectionRules(OUTSIDE, connection_blocks(parse_configuration(BLOCKS)))


@pytest.mark.parametrize(
    ("protocol", "local", "remote", "greeting", "cleartext", "most"),
    [
        ("imap", "192.0.2.1", "192.0.2.9", "outside", "yes", "10"),
        ("pop3", "192.0.2.1", "192.0.2.9", "pop3", "yes", "3"),
        ("imap", "192.0.2.1", "10.2.3.4", "ten", "no", "99"),
        ("pop3", "192.0.2.1", "10.2.3.4", "ten", "no", "3"),
        ("imap", "192.0.2.1", "10.1.3.4", "ten one", "yes", "99"),
        ("imap", "2001:db8::1", "2001:db8::9", "six", "yes", "10"),
        ("pop3", "2001:db8::1", "2001:db8::9", "six", "yes", "3"),
    ],
)
def test_the_most_special_block_counts(
    rules: ConnectionRules, protocol: str, local: str, remote: str, greeting: str, cleartext: str, most: str
) -> None:
    """Greeting, clear text and the limit of connections."""

    def value(name: str) -> str:
        return rules.value(name, protocol=protocol, local=local, remote=remote)

    assert (
        value("login_greeting"),
        value("disable_plaintext_auth"),
        value("mail_max_userip_connections"),
    ) == (greeting, cleartext, most)


@pytest.mark.parametrize(
    ("host", "pair"),
    [
        ("mx.example.org", ("/mx.pem", "/mx.key")),
        ("MX.Example.ORG", ("/mx.pem", "/mx.key")),
        ("imap.example.net", ("/mx.pem", "/mx.key")),
        ("a.imap.example.net", None),
        ("example.net", None),
        ("only.example.org", ("/only.pem", "/outside.key")),
        ("other.example.org", None),
        ("İ.example.org", None),
    ],
)
def test_a_certificate_by_name(rules: ConnectionRules, host: str, pair: tuple[str, str] | None) -> None:
    """`*.` is for one level, as Dovecot has it."""
    assert rules.certificate_for(host) == pair


def test_certificates_by_address(rules: ConnectionRules) -> None:
    """And the list of all that are to be opened."""
    assert rules.certificate(protocol="imap", local="2001:db8::1", remote="::1") == ("/six.pem", "/six.key")
    assert rules.certificates() == {
        ("/outside.pem", "/outside.key"),
        ("/six.pem", "/six.key"),
        ("/mx.pem", "/mx.key"),
        ("/only.pem", "/outside.key"),
    }


def test_a_later_block_counts_before_an_equal_one() -> None:
    """In the file's order."""
    blocks = [ConnectionBlock(protocol="imap", values={"login_greeting": text}) for text in ("one", "two")]
    found = ConnectionRules(OUTSIDE, blocks)
    assert found.value("login_greeting", protocol="imap", local="::1", remote="::1") == "two"


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("remote mail.example.org {\n ssl = no\n}", "host names are not served: mail.example.org"),
        ("local_name a {\n ssl_cert = PEM\n}", "ssl_cert is not the path of a file"),
    ],
)
def test_what_is_refused(text: str, fault: str) -> None:
    """With its place."""
    with pytest.raises(ConfigurationFault, match=fault):
        connection_blocks(parse_configuration(text))


def test_without_tls_certificates_do_not_matter() -> None:
    """ssl = no outside is for all."""
    text = "ssl = no\nlocal_name a {\n ssl_cert = </a.pem\n}\nprotocol imap {\n ssl = yes\n login_greeting = x\n}"
    (block,) = connection_blocks(parse_configuration(text))
    assert block.values == {"login_greeting": "x"}
