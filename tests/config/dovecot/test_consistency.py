"""What is wrong with settings that are right one by one."""

import pytest

from pillarbox.config.dovecot.consistency import check_consistency, complaint
from pillarbox.config.dovecot.reading import parse_configuration
from pillarbox.vocabulary.faults import ConfigurationFault

WRONG = [
    ("listen =", "listen can't be set empty"),
    ("ssl_options = x", "ssl_options: unknown flag: 'x'"),
    ("protocol imap {\n ssl_options = x\n}", "ssl_options: unknown flag: 'x'"),
    ("ssl_verify_client_cert = yes", "ssl_verify_client_cert set, but ssl_ca not"),
    ("auth_policy_server_url = x", "auth_policy_hash_nonce must be set when policy server is used"),
    ("auth_cache_size = 5B", "auth_cache_size value is too small (5 bytes)"),
    ("auth_verbose_passwords = x", "auth_verbose_passwords: Invalid value"),
    ("auth_verbose_passwords = sha1:0", "auth_verbose_passwords: Invalid truncation number: '0'"),
    (
        f"auth_verbose_passwords = plain:{'9' * 5000}",
        f"auth_verbose_passwords: Invalid truncation number: '{'9' * 5000}'",
    ),
    ("passdb {\n args = x\n}", "passdb is missing driver"),
    ("last_valid_gid = 5\nfirst_valid_gid = 6", "first_valid_gid can't be larger than last_valid_gid"),
    ("protocols = imap none", "protocols: Unknown protocol: none"),
    ("default_internal_user = nosuchuser", "default_internal_user doesn't exist: nosuchuser"),
    ("syslog_facility = .", "Unknown syslog_facility: ."),
    ("service x {\n type = y\n}", "Unknown service type: y"),
    ("service anvil {\n process_limit = 2\n}", "service(anvil): process_limit must be 1"),
    (
        "service auth-worker {\n process_limit = 2\n process_min_avail = 3\n}",
        "service(auth-worker): process_min_avail is higher than process_limit",
    ),
    (
        "service auth {\n unix_listener {\n mode = 0600\n}\n}",
        "service(auth): unix_listener: path must not be empty",
    ),
    ("mail_nfs_index = yes", "mail_nfs_index=yes requires mmap_disable=yes"),
    ("mailbox_idle_check_interval = 0", "mailbox_idle_check_interval must not be 0"),
    ("mail_cache_max_size = 2G", "mail_cache_max_size can't be over 1 GB"),
    (
        "mail_cache_purge_delete_percentage = 101",
        "mail_cache_purge_delete_percentage can't be over 100",
    ),
    ("pop3_delete_type = flag", "pop3_delete_type=flag, but pop3_deleted_flag not set"),
    ("director_user_expire = 9s", "director_user_expire is too low"),
    ("dsync_alt_char =", "dsync_alt_char must not be empty"),
    (
        'namespace {\n prefix = x\n separator = "ab"\n}',
        "Namespace 'x': Hierarchy separator must be only one character long",
    ),
    ("namespace {\n mailbox X {\n special_use = \\x\n}\n}", "mailbox X: unknown special_use: \\x"),
    ("pop3_client_workarounds = x", "pop3_client_workarounds: Unknown workaround: x"),
]
RIGHT = [
    "",
    "protocols = none",
    "ssl = no\nssl_verify_client_cert = yes",
    "auth_verbose_passwords = plain:6",
    "service stats {\n process_limit = 5\n}",
    "service imap-login {\n process_limit = 5\n process_min_avail = 9\n}",
    "mail_nfs_index = yes\nmmap_disable = yes\nmail_fsync = always",
    "namespace {\n mailbox X {\n special_use = \\Sent \\junk\n}\n}",
]


@pytest.mark.parametrize(("text", "why"), WRONG)
def test_what_is_wrong(text: str, why: str) -> None:
    """In Dovecot's words; a start is refused."""
    configuration = parse_configuration(f"{text}\n")
    assert complaint(configuration) == ("" if text.startswith("protocol ") else why)
    with pytest.raises(ConfigurationFault) as fault:
        check_consistency(configuration)
    assert str(fault.value) == f"Error in configuration file dovecot.conf: {why}"


@pytest.mark.parametrize("text", RIGHT)
def test_what_is_right(text: str) -> None:
    """Nothing is said."""
    check_consistency(parse_configuration(f"{text}\n"))
