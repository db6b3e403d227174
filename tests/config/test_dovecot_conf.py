"""dovecot.conf: what is served is typed, the rest is refused aloud."""

import pytest

from pillarbox.config.dovecot_conf import parse_dovecot_conf
from pillarbox.config.mailbox_settings import MailboxSettings
from pillarbox.vocabulary.faults import ConfigurationFault

DEFAULTS = MailboxSettings(base_dir="/run", passwd_file="/users", mail_home="/mail", mail_uid=1, mail_gid=1)

VALUES = [
    ("number", "mail_max_userip_connections = 600", "mail_max_userip_connections", 600),
    ("yes or no", "disable_plaintext_auth=no", "disable_plaintext_auth", False),
    ("comment", "disable_plaintext_auth = no # for a test", "disable_plaintext_auth", False),
    ("quotes", 'login_greeting = "Hello # there"', "login_greeting", "Hello # there"),
    ("delay with a unit", "auth_failure_delay = 4 secs", "auth_failure_delay", 4.0),
    ("last one counts", "first_valid_uid = 1\nfirst_valid_uid = 1000", "first_valid_uid", 1000),
    ("file", "ssl_cert = </etc/cert.pem", "ssl_cert", "/etc/cert.pem"),
    ("size", "quota_mail_size = 10M", "quota_mail_size", 10 << 20),
    ("size with a blank", "quota_mail_size = 64 k", "quota_mail_size", 64 << 10),
    ("size in octets", "quota_mail_size = 1000", "quota_mail_size", 1000),
    ("list", "auth_mechanisms = plain", "auth_mechanisms", ("plain",)),
]


@pytest.mark.parametrize(("name", "text", "setting", "expected"), VALUES, ids=[case[0] for case in VALUES])
def test_served_settings(name: str, text: str, setting: str, expected: object) -> None:
    """The value arrives typed; everything else keeps its default."""
    settings = parse_dovecot_conf(text, path="dovecot.conf", defaults=DEFAULTS)
    assert getattr(settings, setting) == expected
    assert settings.passwd_file == "/users"


REFUSED = [
    ("unknown setting", "\nfoo = 1", r"dovecot.conf line 2: Unknown setting: foo"),
    ("block", "service imap {", "not served"),
    ("not a number", "first_valid_uid = x", "not a number"),
    ("no size", "quota_mail_size = 10X", "not a number"),
    ("size without number", "quota_mail_size = M", "not a number"),
    ("no limit", "quota_mail_size = 0", "not between"),
    ("mechanism", "auth_mechanisms = gssapi", "mechanism gssapi is not served"),
    ("relative path", "ssl_key = <key.pem", "absolute"),
]


@pytest.mark.parametrize(("name", "text", "why"), REFUSED, ids=[case[0] for case in REFUSED])
def test_what_is_not_served_is_refused(name: str, text: str, why: str) -> None:
    """To skip a setting could let somebody in."""
    with pytest.raises(ConfigurationFault, match=why):
        parse_dovecot_conf(text, path="dovecot.conf", defaults=DEFAULTS)
