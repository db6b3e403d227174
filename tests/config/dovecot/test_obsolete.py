"""Old names of dovecot.conf: what they are read as, and what is said of them."""

import pytest

from pillarbox.config.dovecot.interpretation import mailbox_settings
from pillarbox.config.dovecot.obsolete import CLEAN
from pillarbox.config.dovecot.reading import parse_configuration

LINES = [
    ("ssl_protocols = !SSLv3 !TLSv1", ("ssl_min_protocol",), "TLSv1.1"),
    ("ssl_protocols = TLSv1.2, TLSv1.1", ("ssl_min_protocol",), "TLSv1.1"),
    ("ssl_protocols = !SSLv2", ("ssl_min_protocol",), "TLSv1.2"),
    ("ssl_protocols = !SSLv3 !TLSv1 !TLSv1.1 !TLSv1.2", ("ssl_min_protocol",), "TLSv1.2"),
    ("ssl_disable = yes", ("ssl",), "no"),
    ("ssl_key_file = /k", ("ssl_key",), "/k"),
    ("ssl_key_file =", ("ssl_key",), ""),
    ("fsync_disable = no", ("mail_fsync",), "optimized"),
    ("auth_cache_size = 3", ("auth_cache_size",), "3 M"),
    ("protocols = imaps pop3 pop3s", ("protocols",), "pop3 imap"),
    ("protocols = imaps", ("service", "imap-login", "inet_listener", "imap", "port"), "0"),
    ("protocols = managesieve", ("protocols",), "sieve"),
    ("login_max_connections = 7", ("service", "pop3-login", "client_limit"), "7"),
    ("login_chroot = no", ("service", "imap-login", "chroot"), ""),
    ("login_process_per_connection = yes", ("service", "imap-login", "service_count"), "1"),
    ("login_process_size = 64", ("service", "imap-login", "vsz_limit"), "64 M"),
    ("protocol pop3 {\n max_mail_processes = 3\n}", ("service", "pop3", "process_limit"), "3"),
    ("protocol pop3 {\n max_mail_processes = 3\n}", ("service", "imap", "process_limit"), "1024"),
    ("imap_client_workarounds = netscape-eoh delay-newmail", ("imap_client_workarounds",), " delay-newmail"),
    ("sieve = x", ("plugin", "sieve"), "x"),
]


@pytest.mark.parametrize(("text", "path", "value"), LINES)
def test_old_names(text: str, path: tuple[str, ...], value: str) -> None:
    """The setting of today has the value, and a warning tells it."""
    configuration = parse_configuration(f"{text}\n")
    assert configuration.value(*path) == value
    if not text.endswith("="):
        assert configuration.warnings[0] == CLEAN
        assert configuration.warnings[1].startswith("Obsolete setting in dovecot.conf:")
        assert configuration.warnings.count(CLEAN) == 1


def test_old_names_are_served() -> None:
    """What they are read as reaches the roles."""
    text = "protocols = imap\nssl_protocols = !SSLv3 !TLSv1 !TLSv1.1\nlogin_processes_count = 3\n"
    settings = mailbox_settings(parse_configuration(text), hostname="mx.example.org")
    assert (settings.ssl_min_protocol, settings.login_processes) == ("TLSv1.2", 3)


def test_names_of_today_are_left_alone() -> None:
    """No warning."""
    text = "protocols = imap pop3\nauth_cache_size = 1024\nimap_client_workarounds = delay-newmail\n"
    assert not parse_configuration(text).warnings
